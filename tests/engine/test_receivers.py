"""Whom this server may be made to speak to."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_training.engine.receivers import Receivers
from jupyter_training.jobs.notifications import Receiver
from jupyter_training.jobs.spec import InvalidJob

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # Apprise imports it

BOT = "tgram://123456789:abcdefg_hijklmnop/12315544"


async def nobody(_job_id: str) -> None:
    """Nobody is told of another job."""


def told_of(url: str) -> list[Receiver]:
    return asyncio.run(Receivers().of_job([url], nobody))


@pytest.mark.parametrize(
    "query",
    [
        "?template=/etc/passwd",
        "?Template=/etc/passwd",
        "?%54emplate=/etc/passwd",
        "?+template+=/etc/passwd",
        "?format=text;template=/etc/passwd",
        "#here?template=/etc/passwd",
    ],
)
def test_a_url_that_makes_apprise_read_a_file_is_refused_however_it_is_written(query: str) -> None:
    with pytest.raises(InvalidJob, match="template would read a file of the server"):
        told_of(f"{BOT}/{query}")


def test_other_parameters_are_taken() -> None:
    url = f"{BOT}/?format=markdown&silent=yes"
    assert [receiver.url for receiver in told_of(url)] == [url]
