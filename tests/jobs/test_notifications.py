"""Who is told of a job, and how often it is tried."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from jupyter_training.jobs.children import parse
from jupyter_training.jobs.lifecycle import Cause
from jupyter_training.jobs.notifications import (
    GIVE_UP_S,
    LONGEST_WAIT_S,
    Notify,
    Occasion,
    Receiver,
    is_news,
    next_wait_s,
)
from jupyter_training.jobs.spec import InvalidJob

SECRET = "slack://TokenA/TokenB/TokenC"


def spec(**fields: Any) -> Any:
    return parse({"name": "fit", "command": "true", **fields})


def test_a_receiver_is_a_url_or_a_name_or_says_on_what_occasions() -> None:
    asked = ["team", SECRET, {"to": "team", "on": ["failed"]}]
    assert spec(notify=asked).notify == [
        *("team", SECRET),
        Notify(to="team", on=[Occasion.FAILED]),
    ]
    assert spec().notify == []


@pytest.mark.parametrize(
    ("notify", "said"),
    [
        ("team", "should be an array of URLs, names of receivers, or objects"),
        ([7], "should be an array of URLs, names of receivers, or objects"),
        ([{"to": SECRET, "on": ["sometimes"]}], "with some of completed, failed, retrying"),
        ([{"on": ["failed"]}], "should be an array"),
        ([""], "should not be empty"),
        ([SECRET] * 21, "has 21 items, and may have 20"),
        ([SECRET + "x" * 3000], "characters, and may have 2048"),
    ],
)
def test_what_is_wrong_is_told_without_the_url(notify: object, said: str) -> None:
    with pytest.raises(InvalidJob) as wrong:
        spec(notify=notify)
    (told,) = wrong.value.errors
    assert told.field == "notify"
    assert said in told.message
    assert "Token" not in str(wrong.value)


def test_of_a_url_nothing_is_shown_but_its_kind() -> None:
    receiver = Receiver(SECRET, None, (Occasion.FAILED,))
    assert receiver.called == "slack://…"
    assert "Token" not in repr(receiver)
    assert Receiver(SECRET, "team", ()).called == "team"
    assert Receiver.from_json(receiver.to_json()) == receiver


@pytest.mark.parametrize(
    ("cause", "by", "news"),
    [
        (Cause.CANCELLED_BY_USER, "ada", False),
        (Cause.CANCELLED_BY_USER, "bob", True),
        (Cause.UPSTREAM_FAILED, None, True),
        (Cause.PRUNED, None, False),
    ],
)
def test_what_one_has_cancelled_oneself_is_no_news(
    cause: Cause, by: str | None, news: bool
) -> None:
    assert is_news(Occasion.CANCELLED, owner="ada", cause=cause, cancelled_by=by) is news
    assert is_news(Occasion.FAILED, owner="ada", cause=cause, cancelled_by=by)


def test_a_receiver_that_fails_is_tried_ever_more_rarely_for_a_day() -> None:
    waits, since = list[float](), 0.0
    for tries in itertools.count(1):
        wait = next_wait_s(tries, since, 0.0)
        if wait is None:
            break
        waits.append(wait)
        since += wait
    assert waits[:4] == [2.0, 4.0, 8.0, 16.0]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT_S
    assert GIVE_UP_S <= since < GIVE_UP_S + LONGEST_WAIT_S
    assert next_wait_s(1, 0, 1.0) == 2.5
    assert next_wait_s(10**6, 0, 0.0) == LONGEST_WAIT_S
