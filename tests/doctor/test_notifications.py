"""What is said of those who are to be told of jobs."""

from __future__ import annotations

from jupyter_training.doctor.checks import Verdict
from jupyter_training.doctor.isolation import Look
from jupyter_training.doctor.notifications import NotificationFacts, judge, look
from tests.patience import PATIENCE_S


def seen(named: list[tuple[str, str]], urls: list[str]) -> NotificationFacts:
    """What is seen in a process of its own, as the doctor looks."""
    facts = Look(look, named, urls, timeout_s=PATIENCE_S).result()
    assert isinstance(facts, NotificationFacts)
    return facts


def test_without_apprise_it_is_absent_or_if_somebody_is_to_be_told_a_problem() -> None:
    assert judge(NotificationFacts(None)).verdict is Verdict.ABSENT
    told = judge(NotificationFacts(None, ("team", "slack://…")))
    assert told.verdict is Verdict.PROBLEM
    assert told.found == "2 receivers (team, slack://…) configured, but Apprise is not installed."
    assert told.repair == "pip install 'jupyter-training[notify]'"
    assert not told.blocks_jobs


def test_a_url_that_nobody_understands_is_a_problem_and_is_not_shown() -> None:
    facts = seen([("team", "json://host/secret"), ("typo", "jsno://host/secret")], ["team"])
    assert facts.receivers == ("team", "typo")
    assert facts.not_understood == ("typo",)
    told = judge(facts)
    assert told.verdict is Verdict.PROBLEM
    assert "does not understand the URL of typo" in told.found
    assert "secret" not in f"{told.found} {told.repair}"


def test_what_is_configured_is_told() -> None:
    facts = seen([("team", "json://host/secret")], ["form://host/secret"])
    told = judge(facts)
    assert told.verdict is Verdict.OK
    assert "2 receivers (team, form://…) configured" in told.found
    assert judge(seen([], [])).verdict is Verdict.OK
