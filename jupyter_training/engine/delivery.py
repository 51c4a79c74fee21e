"""Sends messages through Apprise, which is an extra, and never for longer than it may take."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.util
import re
from typing import TYPE_CHECKING

from jupyter_training.engine.threads import begin
from jupyter_training.jobs.messages import Message

if TYPE_CHECKING:
    from apprise import AppriseAsset, NotifyBase

ABSENT = (
    "notifications need Apprise, which is not installed where the server runs: "
    "pip install 'jupyter-training[notify]'"
)

PATIENCE_S = 30.0
"""How long a receiver may take (s)."""

_MARGIN_S = 5.0
_CODE = re.compile(r"error=(\d{3})")


def is_there() -> bool:
    """Whether anything can be sent."""
    return importlib.util.find_spec("apprise") is not None


def kinds(url: str) -> set[str]:
    """The schemes of the service that a URL is of; none if it is not understood. It blocks."""
    service = _service(url)
    if service is None:
        return set()
    found: set[str] = set()
    for attribute in ("protocol", "secure_protocol"):
        several = getattr(service, attribute) or ()
        found |= {several} if isinstance(several, str) else set(several)
    return found


async def send(url: str, message: Message) -> str | None:
    """Send a message.

    Returns
    -------
    str or None
        Why it did not arrive, or may not have; None if the receiver has taken it. The URL is not
        in the text.
    """
    # In a thread that nobody has to wait for: Apprise has a limit of its own, as far as it can.
    sending = asyncio.wrap_future(begin(lambda: _send(url, message), "jupyter-training-tells"))
    done, _ = await asyncio.wait([sending], timeout=PATIENCE_S + _MARGIN_S)
    if not done:
        return f"it did not answer within {PATIENCE_S:.0f} s"
    return sending.result()


def _send(url: str, message: Message) -> str | None:
    import apprise

    service = _service(url)
    if service is None:
        return "its URL is not one that Apprise understands"
    code: list[str] = []

    def heard(entry: object, _service: object) -> None:
        if found := _CODE.search(str(getattr(entry, "message", ""))):
            code.append(found[1])

    # A service gives up after 4 s by itself, and whom it then has told all the same is told again.
    service.socket_connect_timeout = max(service.socket_connect_timeout, PATIENCE_S)
    service.socket_read_timeout = max(service.socket_read_timeout, PATIENCE_S)
    to = apprise.Apprise(asset=_asset())
    to.add(service)
    with contextlib.suppress(Exception):  # a plugin's own error may have the URL in it
        result = to.notify(
            body=message.body,
            title=message.title,
            notify_type=message.mood,
            body_format=apprise.NotifyFormat.TEXT,
            log_callback=heard,
        )
        if result:
            return None
        if result.timeout_count:
            return f"it did not answer within {PATIENCE_S:.0f} s"
    if code:
        return f"it answered {code[-1]}"
    return "it could not be reached, or did not take the message"


def _service(url: str) -> NotifyBase | None:
    import apprise

    service = apprise.Apprise.instantiate(url, asset=_asset())
    return service if isinstance(service, apprise.NotifyBase) else None


@functools.cache
def _asset() -> AppriseAsset:
    import apprise

    return apprise.AppriseAsset(
        app_id="jupyter-training",
        async_mode=False,
        service_timeout=PATIENCE_S,
        # Nothing of a URL is to become a file here, or to be read from one.
        allow_templates=False,
        pgp_autogen=False,
        pem_autogen=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        secure_logging=True,
        # Whoever is sent on by a 301 or 302 asks there for a page, and the message is lost.
        http_redirects=False,
    )
