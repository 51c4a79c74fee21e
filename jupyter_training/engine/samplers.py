"""The samplers and pruners of Optuna that a search asks for; imported only when there is one.

What is suggested for a trial is to depend on the seed, on its number and on what was known when it
was asked for, and on nothing else: not on how often a server has begun anew meanwhile. So for each
trial there is a new sampler, seeded by both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    SuccessiveHalvingPruner,
)
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GridSampler,
    RandomSampler,
    TPESampler,
)
from optuna.trial import FrozenTrial, TrialState

from jupyter_training.jobs.search_terms import Kind, Pruner, Sampler
from jupyter_training.jobs.searches import Dimension, Search


def distributions(search: Search) -> dict[str, BaseDistribution]:
    """The space of a search, as Optuna describes it."""
    return {name: _distribution(one) for name, one in search.space.items()}


def _distribution(it: Dimension) -> BaseDistribution:
    if it.type is Kind.CHOICE:
        return CategoricalDistribution(it.values or ())
    assert it.low is not None
    assert it.high is not None
    log = it.type.is_logarithmic
    # The last value that a step reaches, where that is not `high`.
    high = it.high if it.step is None else (it.points() or [it.high])[-1]
    if it.type.is_whole:
        return IntDistribution(int(it.low), int(high), log=log, step=int(it.step or 1))
    return FloatDistribution(float(it.low), float(high), log=log, step=it.step)


def pruner(search: Search) -> BasePruner:
    """Who decides that a trial is stopped early."""
    least = search.min_steps
    if search.pruner is Pruner.MEDIAN:
        return MedianPruner(n_warmup_steps=least or 0)
    if search.pruner is Pruner.ASHA:
        return SuccessiveHalvingPruner(min_resource=least or "auto")
    if search.pruner is Pruner.HYPERBAND:
        return HyperbandPruner(min_resource=least or 1)
    return NopPruner()


def sampler(search: Search, number: int) -> BaseSampler:
    """Who suggests the parameters of the trial with this number."""
    assert search.seed is not None
    seed = int(np.random.SeedSequence([search.seed, number]).generate_state(1)[0])
    if search.sampler is Sampler.GRID:
        # Shuffled once, of which each trial takes its own.
        points = {name: one.points() or [] for name, one in search.space.items()}
        return GridSampler(points, seed=search.seed)
    if search.sampler is Sampler.RANDOM:
        return RandomSampler(seed=seed)
    if search.sampler is Sampler.CMAES:
        # Choices, which it does not know, are drawn by the other one.
        return CmaEsSampler(
            seed=seed,
            warn_independent_sampling=False,
            independent_sampler=RandomSampler(seed=seed),
        )
    return TPESampler(seed=seed)


class SeededSampler(BaseSampler):
    """Has a sampler of its own for each trial. One thread at a time may use it."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._own: BaseSampler = _NOBODY

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Take the sampler of this trial."""
        self._own = sampler(self._search, trial.number)
        self._own.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """As the sampler of the trial does."""
        return self._own.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the sampler of the trial does."""
        return self._own.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """As the sampler of the trial does."""
        return self._own.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """As the sampler of the trial does, if it learns; a grid would want to stop a loop."""
        if self._search.sampler is Sampler.CMAES:
            sampler(self._search, trial.number).after_trial(study, trial, state, values)


_NOBODY = RandomSampler()
"""Before there is a trial."""
