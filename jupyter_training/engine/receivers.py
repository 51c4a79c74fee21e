"""Who may be told of jobs: receivers that the server knows by name, and URLs that users give.

A URL of a user makes this server speak to somebody, so not every kind is allowed: none that acts on
this machine instead of going over the network, and none that reads a file. Which hosts a server can
reach is a matter of its network.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from urllib.parse import unquote

from jupyter_training.engine import delivery
from jupyter_training.jobs.messages import Message
from jupyter_training.jobs.notifications import DEFAULT, Notify, Occasion, Receiver, scheme
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import InvalidJob

SCHEMES = (
    *("apprise", "apprises", "bark", "barks", "dingtalk", "discord", "feishu", "form", "forms"),
    *("gchat", "gotify", "gotifys", "json", "jsons", "lark", "line", "mailto", "mailtos"),
    *("matrix", "matrixs", "mmost", "mmosts", "ntfy", "ntfys", "opsgenie", "pagerduty", "pover"),
    *("pushplus", "rocket", "rockets", "schan", "signal", "signals", "slack", "tgram", "twilio"),
    *("wecombot", "workflow", "workflows", "wxteams", "xml", "xmls", "zulip"),
)
"""What users may give: services that are asked over the network."""

_FILES = frozenset({"template", "keyfile", "subfile", "pgp", "pgpkey", "pgpprv", "pgppub"})
"""Parameters of URLs by which Apprise reads or writes files of this machine."""

_JOB = re.compile(r"job-[0-9a-f]+")

_TEST = Message("A test of jupyter-training", "This is how you would be told of your jobs.")


class Receivers:
    """The receivers of a server.

    Parameters
    ----------
    named
        By the names that jobs call them by, their URLs.
    for_all
        URLs or names of those who are told of every job that is submitted here.
    on
        Of which occasions, unless a job says otherwise.
    schemes
        What the URLs of users may begin with.
    """

    def __init__(
        self,
        named: Mapping[str, str] | None = None,
        for_all: Sequence[str] = (),
        on: Sequence[Occasion] = DEFAULT,
        schemes: Collection[str] = SCHEMES,
    ) -> None:
        self._named = dict(named or {})
        self.on, self.schemes = tuple(on), tuple(schemes)
        self._for_all = tuple(
            Receiver(self._named.get(one, one), one if one in self._named else None, self.on)
            for one in for_all
        )

    @property
    def names(self) -> list[str]:
        """What jobs can ask for by name."""
        return sorted(self._named)

    async def of_job(
        self,
        asked: Sequence[str | Notify],
        earlier: Callable[[str], Awaitable[Sequence[Receiver] | None]],
    ) -> list[Receiver]:
        """Everybody who is told of a job.

        Parameters
        ----------
        earlier
            Tells by the id of one of the user's jobs who is told of that; None if there is none.

        Raises
        ------
        InvalidJob
            If somebody cannot be told, with the reason.
        """
        found = {receiver.url: receiver for receiver in self._for_all}
        for one in asked:
            it = Notify(to=one) if isinstance(one, str) else one
            those = await self._of_job(it, earlier)
            for receiver in [await self._receiver(it)] if those is None else those:
                found[receiver.url] = receiver
        return list(found.values())

    def asked_again(self, job_id: str, receivers: Sequence[Receiver]) -> list[str | Notify]:
        """What another job asks for, so that the same are told of it; no URL is in it."""
        everybody = {receiver.url for receiver in self._for_all}
        own = [receiver for receiver in receivers if receiver.url not in everybody]
        if any(receiver.name is None for receiver in own):
            return [job_id]
        return [Notify(to=str(receiver.name), on=list(receiver.on)) for receiver in own]

    async def _of_job(
        self, asked: Notify, earlier: Callable[[str], Awaitable[Sequence[Receiver] | None]]
    ) -> list[Receiver] | None:
        """Those who are told of another job; None if something else was asked for."""
        if asked.to in self._named or not _JOB.fullmatch(asked.to):
            return None
        told = await earlier(asked.to)
        if told is None:
            raise _wrong(f"you have no job {asked.to}, so nobody knows who is told of it")
        # Its URLs were allowed when it was submitted; a name may be another one's by now.
        return [
            await self._receiver(Notify(to=one.name, on=asked.on or list(one.on)))
            if one.name is not None
            else replace(one, on=one.on if asked.on is None else tuple(asked.on))
            for one in told
        ]

    async def test(self, to: str) -> str | None:
        """Send something to a receiver.

        Returns
        -------
        str or None
            Why it did not arrive.

        Raises
        ------
        InvalidJob
            If nothing can be sent there.
        """
        receiver = await self._receiver(Notify(to=to))
        return await delivery.send(receiver.url, _TEST)

    async def _receiver(self, asked: Notify) -> Receiver:
        if not delivery.is_there():
            raise _wrong(delivery.ABSENT)
        on = self.on if asked.on is None else tuple(dict.fromkeys(asked.on))
        if asked.to in self._named:
            return Receiver(self._named[asked.to], asked.to, on)
        if not scheme(asked.to):
            there = f"there are {', '.join(self.names)}" if self._named else "there is none"
            raise _wrong(f"this server knows no receiver of that name ({there}); or give a URL")
        kinds = await asyncio.to_thread(delivery.kinds, asked.to)
        if not kinds:
            raise _wrong(
                f"{scheme(asked.to)}://… is not a URL that Apprise understands; its documentation "
                "lists them"
            )
        if not kinds & set(self.schemes):
            raise _wrong(f"receivers of the kind {scheme(asked.to)}:// are not allowed here")
        if named := sorted(_FILES & _parameters(asked.to)):
            raise _wrong(
                f"{', '.join(named)} would read a file of the server, which is not allowed"
            )
        return Receiver(asked.to, None, on)


def _parameters(url: str) -> set[str]:
    """The names of all that may be a parameter of a URL.

    Apprise takes URLs apart in its own way: names may be in capitals or have spaces around them, a
    ``;`` is as good as an ``&``, and what looks like a fragment is none.
    """
    words = re.split("[?&;#]", url)[1:]
    return {unquote(word.partition("=")[0].replace("+", " ")).strip().lower() for word in words}


def _wrong(why: str) -> InvalidJob:
    return InvalidJob([FieldError("notify", why)])
