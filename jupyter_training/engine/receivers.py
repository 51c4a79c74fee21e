"""Who may be told of jobs: receivers that the server knows by name, and URLs that users give.

A URL of a user makes this server speak to somebody, so not every kind is allowed: none that acts on
this machine instead of going over the network, and none that reads a file. Which hosts a server can
reach is a matter of its network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

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

    async def of_job(self, asked: Sequence[str | Notify]) -> list[Receiver]:
        """Everybody who is told of a job.

        Raises
        ------
        InvalidJob
            If somebody cannot be told, with the reason.
        """
        found = {receiver.url: receiver for receiver in self._for_all}
        for one in asked:
            receiver = await self._receiver(Notify(to=one) if isinstance(one, str) else one)
            found[receiver.url] = receiver
        return list(found.values())

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
        if named := sorted(_FILES & parse_qs(urlsplit(asked.to).query).keys()):
            raise _wrong(
                f"{', '.join(named)} would read a file of the server, which is not allowed"
            )
        return Receiver(asked.to, None, on)


def _wrong(why: str) -> InvalidJob:
    return InvalidJob([FieldError("notify", why)])
