"""A study as it stood when it was read, in front of the storage that keeps it.

A loop of Optuna's own asks its database for the same again and again: what is known of a trial
before each of its parameters, all trials before each suggestion. One look at a study is short, and
one server has them, so here it is read once, at the beginning; what is written is written behind
it at once, and remembered. A new trial is remembered only until `keep` writes all of it in one
transaction, so that there is never a part of one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Container, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

_NEW = -1
"""The id of a trial that is not written yet; those of a database are not negative."""


class Overtaken(RuntimeError):
    """Somebody else writes into this study, too: read it again."""


class ReadOnce(BaseStorage):
    """The storage of one study, for one thread and for as long as nobody else writes into it.

    Parameters
    ----------
    behind
        The storage that keeps it.
    study_id
        What it is called there.
    writing
        Entered around everything that is written.

    Raises
    ------
    KeyError
        If there is no such study.
    """

    def __init__(
        self,
        behind: BaseStorage,
        study_id: int,
        writing: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        self._behind, self._study_id, self._writing = behind, study_id, writing
        trials = behind.get_all_trials(study_id, deepcopy=False)
        self._trials = {one._trial_id: one for one in trials}

    def keep(self, trial_id: int) -> FrozenTrial:
        """Write down a trial that was made here, if it is not written yet.

        Raises
        ------
        Overtaken
            If somebody else has made a trial meanwhile, so that this one has got another number
            than its parameters were drawn for; then it has failed.
        """
        draft = self._trials[trial_id]
        if trial_id != _NEW:
            return draft
        with self._writing():
            made = self._behind.create_new_trial(self._study_id, template_trial=draft)
            if not self._is_called(made, draft.number):
                self._behind.set_trial_state_values(made, TrialState.FAIL)
                raise Overtaken(f"There is another trial {draft.number}, which was faster.")
        kept = copy.copy(draft)
        kept._trial_id = made
        del self._trials[_NEW]
        self._trials[made] = kept
        return kept

    def _is_called(self, trial_id: int, number: int) -> bool:
        try:
            found = self._behind.get_trial_id_from_study_id_trial_number(self._study_id, number)
        except KeyError:
            return False
        return found == trial_id

    # What is read

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """As it was read or written last."""
        return self._trials[trial_id]

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """All of them, by their numbers."""
        found = [one for one in self._trials.values() if states is None or one.state in states]
        found.sort(key=lambda one: one.number)
        return copy.deepcopy(found) if deepcopy else found

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        """The id of a trial by its number."""
        for one in self._trials.values():
            if one.number == trial_number:
                return one._trial_id
        raise KeyError(f"There is no trial {trial_number}.")

    # What is written

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Begin a trial, which is nowhere but here before `keep`."""
        if template_trial is not None or _NEW in self._trials:
            raise ValueError("Trials begin here one at a time, and from nothing.")
        self._trials[_NEW] = FrozenTrial(
            number=len(self._trials),
            state=TrialState.RUNNING,
            value=None,
            datetime_start=datetime.now(),
            datetime_complete=None,
            params={},
            distributions={},
            user_attrs={},
            system_attrs={},
            intermediate_values={},
            trial_id=_NEW,
        )
        return _NEW

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        """Write a value that was suggested."""
        if trial_id != _NEW:
            with self._writing():
                self._behind.set_trial_param(
                    trial_id, param_name, param_value_internal, distribution
                )
        value = distribution.to_external_repr(param_value_internal)
        # In this order, as Optuna looks a value up only if it knows how it is distributed.
        trial = self._changed(trial_id, "params", param_name, value)
        self._trials[trial_id] = trial
        self._trials[trial_id] = self._changed(trial_id, "distributions", param_name, distribution)

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Write how a trial has ended, or that one which waited begins."""
        with self._writing():
            done = self._behind.set_trial_state_values(trial_id, state, values)
        if done:
            trial, now = copy.copy(self._trials[trial_id]), datetime.now()
            trial.state = state
            if values is not None:
                trial.values = list(values)
            if state is TrialState.RUNNING:
                trial.datetime_start = now
            if state.is_finished():
                trial.datetime_complete = now
            self._trials[trial_id] = trial
        return done

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        """Write what a trial has measured."""
        if trial_id != _NEW:
            with self._writing():
                self._behind.set_trial_intermediate_value(trial_id, step, intermediate_value)
        self._trials[trial_id] = self._changed(
            trial_id, "intermediate_values", step, intermediate_value
        )

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Write something about a trial."""
        if trial_id != _NEW:
            with self._writing():
                self._behind.set_trial_user_attr(trial_id, key, value)
        self._trials[trial_id] = self._changed(trial_id, "user_attrs", key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Write what a sampler or a pruner notes about a trial."""
        if trial_id != _NEW:
            with self._writing():
                self._behind.set_trial_system_attr(trial_id, key, value)
        self._trials[trial_id] = self._changed(trial_id, "system_attrs", key, value)

    def _changed(self, trial_id: int, what: str, key: object, value: object) -> FrozenTrial:
        """A copy with one value more: what was given to somebody before stays as it is."""
        trial = copy.copy(self._trials[trial_id])
        setattr(trial, what, {**getattr(trial, what), key: value})
        return trial

    # What is of the whole study, and neither read nor written often

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        """Nobody may: studies are made behind it."""
        raise TypeError("Studies are made in the storage behind this one.")

    def delete_study(self, study_id: int) -> None:
        """Nobody may: studies are deleted behind it."""
        raise TypeError("Studies are deleted in the storage behind this one.")

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Write something about the study."""
        with self._writing():
            self._behind.set_study_user_attr(study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Write what a sampler notes about the study."""
        with self._writing():
            self._behind.set_study_system_attr(study_id, key, value)

    def get_study_id_from_name(self, study_name: str) -> int:
        """There is only this one."""
        return self._study_id

    def get_study_name_from_id(self, study_id: int) -> str:
        """As the storage behind it knows it."""
        return self._behind.get_study_name_from_id(study_id)

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """As the storage behind it knows them."""
        return self._behind.get_study_directions(study_id)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """As the storage behind it knows them."""
        return self._behind.get_study_user_attrs(study_id)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """As the storage behind it knows them."""
        return self._behind.get_study_system_attrs(study_id)

    def get_all_studies(self) -> list[Any]:
        """Nobody may: it knows of one study."""
        raise TypeError("Studies are listed by the storage behind this one.")
