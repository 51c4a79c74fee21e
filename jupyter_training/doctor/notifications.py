"""Whether people can be told of jobs outside of Jupyter: what is installed, and what is configured.

Nobody is told anything here; ``jupyter training notify --test`` does that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jupyter_training.doctor.checks import Check, absent, ok, problem
from jupyter_training.jobs.notifications import Receiver

NAME = "notifications"

_INSTALL = "pip install 'jupyter-training[notify]'"


@dataclass(frozen=True)
class NotificationFacts:
    """What was seen.

    Attributes
    ----------
    version
        Of Apprise; None if it is not installed.
    receivers
        What those are called that are configured.
    not_understood
        Those of them whose URLs Apprise does not understand.
    """

    version: str | None
    receivers: tuple[str, ...] = ()
    not_understood: tuple[str, ...] = ()


def look(named: Sequence[tuple[str, str]], urls: Sequence[str]) -> NotificationFacts:
    """See what is there.

    Parameters
    ----------
    named
        Names and URLs of `notification_receivers`.
    urls
        Of `notification_urls`.
    """
    from jupyter_training.engine import delivery

    names = dict(named)
    several = [Receiver(url, name, ()) for name, url in named]
    several += [Receiver(url, None, ()) for url in urls if url not in names]
    called = tuple(one.called for one in several)
    if not delivery.is_there():
        return NotificationFacts(None, called)
    import apprise

    wrong = tuple(one.called for one in several if not delivery.kinds(one.url))
    return NotificationFacts(str(apprise.__version__), called, wrong)


def judge(facts: NotificationFacts) -> Check:
    """What is to be thought of it. Pure."""
    if facts.version is None and not facts.receivers:
        return absent(
            *(NAME, "Apprise is not installed, so nobody can be told of jobs outside of Jupyter."),
            f"{_INSTALL}, if you want that.",
        )
    count = len(facts.receivers)
    receivers = f"{count} receiver{'s' * (count != 1)} ({', '.join(facts.receivers)})"
    if facts.version is None:
        return problem(NAME, f"{receivers} configured, but Apprise is not installed.", _INSTALL)
    if facts.not_understood:
        return problem(
            NAME,
            f"Apprise {facts.version} does not understand the URL of "
            f"{', '.join(facts.not_understood)}; nobody is told there.",
            "Correct it in c.TrainingApp.notification_receivers or notification_urls.",
        )
    configured = f"{receivers} configured" if count else "receivers are given with jobs"
    return ok(NAME, f"Apprise {facts.version}; {configured}. jupyter training notify tries them.")
