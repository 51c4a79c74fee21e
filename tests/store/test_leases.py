"""Who schedules."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jupyter_training.store import leases
from jupyter_training.store.leases import SCHEDULER, Fenced, Lease
from jupyter_training.store.records import Server
from tests.store.conftest import Store, after

ADA, BOB = (Server(name, "host", pid, 1.0) for name, pid in (("ada", 1), ("bob", 2)))
TTL = timedelta(seconds=10)


def acquire(store: Store, who: Server, at: float, dead: Server | None = None) -> Lease | None:
    lease = store.write(leases.acquire, SCHEDULER, who, after(at), TTL, lambda one: one == dead)
    assert lease is None or isinstance(lease, Lease)
    return lease


def held(store: Store, lease: Lease | None) -> Lease:
    assert lease is not None
    store.write(leases.hold, lease)
    return lease


def test_one_has_it_and_the_others_wait(store: Store) -> None:
    held(store, acquire(store, ADA, 0))
    assert acquire(store, BOB, 9.9) is None


def test_it_is_taken_over_when_it_ran_out_and_the_first_is_fenced(store: Store) -> None:
    first = held(store, acquire(store, ADA, 0))
    second = held(store, acquire(store, BOB, 10))
    assert second.epoch == first.epoch + 1
    for change in (leases.hold, lambda c, one: leases.renew(c, one, after(11), TTL)):
        with pytest.raises(Fenced, match="ada no longer holds"):
            store.write(change, first)


def test_a_renewed_lease_is_kept(store: Store) -> None:
    first = held(store, acquire(store, ADA, 0))
    store.write(leases.renew, first, after(9), TTL)
    assert acquire(store, BOB, 18) is None
    assert acquire(store, BOB, 19) is not None


def test_that_of_a_process_that_is_gone_is_taken_at_once(store: Store) -> None:
    held(store, acquire(store, ADA, 0))
    held(store, acquire(store, BOB, 1, dead=ADA))


def test_one_that_was_given_back_is_taken_at_once(store: Store) -> None:
    first = held(store, acquire(store, ADA, 0))
    store.write(leases.release, first, after(1))
    second = held(store, acquire(store, BOB, 1))
    # Whoever gives back too late takes nothing from the next one.
    store.write(leases.release, first, after(2))
    assert acquire(store, ADA, 3) is None
    held(store, second)
