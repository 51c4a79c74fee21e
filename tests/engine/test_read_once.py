"""A study that is read once is, to samplers and to others, the same study."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from optuna import Study, load_study
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from jupyter_training.engine.read_once import Overtaken, ReadOnce
from jupyter_training.engine.samplers import SeededSampler, distributions
from jupyter_training.jobs.searches import Search

SPACE = {"lr": "loguniform:1e-5:1e-1", "n": "int:1:9:3", "kind": "choice:a,b,3"}


def search(sampler: str = "tpe") -> Search:
    space = {**SPACE, **({"lr": "choice:1,2"} if sampler == "grid" else {})}
    return Search.model_validate(
        {"metric": "loss", "trials": 18, "seed": 7, "space": space, "sampler": sampler}
    )


def studies(sampler: str = "tpe") -> tuple[InMemoryStorage, int]:
    behind = InMemoryStorage()
    return behind, behind.create_new_study([StudyDirection.MINIMIZE], f"study-{sampler}")


def study(storage: BaseStorage, sampler: str = "tpe") -> Study:
    name = f"study-{sampler}"
    return load_study(study_name=name, storage=storage, sampler=SeededSampler(search(sampler)))


@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes", "grid"])
def test_what_is_suggested_is_what_optunas_own_storage_has_suggested(sampler: str) -> None:
    plain, _ = studies(sampler)
    behind, number = studies(sampler)
    for count in range(14):
        expected = study(plain, sampler).ask(distributions(search(sampler)))
        read = ReadOnce(behind, number, nullcontext)
        mine = study(read, sampler)
        kept = read.keep(mine.ask(distributions(search(sampler)))._trial_id)
        assert (kept.number, kept.params) == (count, expected.params)
        study(plain, sampler).tell(count, float(kept.params["n"]))
        mine.tell(count, float(kept.params["n"]))
    known, written = (one.get_all_trials(0) for one in (plain, behind))
    assert [one.system_attrs.keys() for one in written] == [
        one.system_attrs.keys() for one in known
    ]
    assert [one.values for one in written] == [one.values for one in known]


def test_a_trial_is_written_as_a_whole_and_given_up_where_its_number_is_taken() -> None:
    behind, number = studies()
    read = ReadOnce(behind, number, nullcontext)
    asked = study(read).ask(distributions(search()))
    assert behind.get_all_trials(number) == []
    kept = read.keep(asked._trial_id)
    assert read.keep(kept._trial_id) is kept
    (written,) = behind.get_all_trials(number)
    assert (written.number, written.params, written.state) == (0, kept.params, TrialState.RUNNING)
    study(read).tell(0, 0.5)
    asked = study(read).ask(distributions(search()))
    faster = ReadOnce(behind, number, nullcontext)  # a server that believes to be alone
    mine = faster.keep(study(faster).ask(distributions(search()))._trial_id)
    with pytest.raises(Overtaken):
        read.keep(asked._trial_id)
    ended, first, second = behind.get_all_trials(number)
    assert (ended.value, first.params, first.state) == (0.5, mine.params, TrialState.RUNNING)
    assert second.state is TrialState.FAIL
