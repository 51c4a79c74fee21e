"""The trials of a search, as a scheduler reads them again and again."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from jupyter_training.jobs.searches import Search
from jupyter_training.jobs.trials import Trial, TrialState
from jupyter_training.store import trials
from tests.store.conftest import Store

SEARCH = Search.model_validate({"metric": "loss", "trials": 9, "space": {"x": "uniform:0:1"}})


def test_what_was_told_is_read_again_only_if_that_was_rolled_back(store: Store) -> None:
    search, *several = (store.submit().id for _ in range(5))

    def make(connection: Connection) -> None:
        trials.add_search(connection, search, SEARCH)
        for number, job in enumerate(several):
            trials.add(connection, search, number, job)
        trials.tell(connection, search, 0, TrialState.COMPLETE, 0.5, 1)
        trials.tell(connection, search, 2, TrialState.PRUNED, 0.7, 1)

    known: list[Trial] = []

    def tell_and_fail(connection: Connection) -> None:
        trials.tell(connection, search, 1, TrialState.COMPLETE, 0.6, 1)
        read = trials.of_search(connection, search)
        known.extend(one for one in read if one.told is not None)
        raise RuntimeError("the database went away")

    store.write(make)
    with pytest.raises(RuntimeError, match="went away"):
        store.write(tell_and_fail)
    assert [one.number for one in known] == [0, 1, 2]
    found = store.read(trials.of_search, search, known)
    assert [one.told for one in found] == [TrialState.COMPLETE, None, TrialState.PRUNED, None]
    assert all(found[number] is known[number] for number in (0, 2))
    assert found == store.read(trials.of_search, search)
