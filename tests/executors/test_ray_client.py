"""Job servers of Ray that are not as they should be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from jupyter_training.executors.base import ClusterAway
from jupyter_training.executors.cluster_dialect import Refused
from jupyter_training.executors.ray_client import Client
from tests.patience import PATIENCE_S

VERSION = json.dumps({"ray_version": "2.60.0"})
EXISTS = "Traceback (most recent call last):\nValueError: Job with submission_id t0 already exists."
REFUSED = "Traceback (most recent call last):\nValueError: no such label\n."


@asynccontextmanager
async def job_server(*answers: tuple[int, str] | None) -> AsyncIterator[Client]:
    """A client of a server that gives these answers, one after the other; None for never."""
    left, served, all_asked = list(answers), [], asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        if len(served) == len(answers):
            all_asked.set()
        await reader.readuntil(b"\r\n\r\n")
        told = left.pop(0)
        if told is None:
            await reader.read()  # until the client has had enough
        else:
            head = f"HTTP/1.1 {told[0]} x\r\nContent-Length: {len(told[1])}\r\nConnection: close"
            writer.write(f"{head}\r\n\r\n{told[1]}".encode())
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    patience_s = 2.0 if None in answers else PATIENCE_S
    client = Client(f"http://{host}:{port}", "2.60.0", patience_s=patience_s)
    try:
        yield client
    finally:
        await client.close()
        # A connection whose turn has not come is nobody's to close.
        await asyncio.wait_for(all_asked.wait(), PATIENCE_S)
        server.close()
        await asyncio.gather(*filter(None, served))


async def trouble(*answers: tuple[int, str] | None) -> str:
    async with job_server(*answers) as client:
        with pytest.raises(ClusterAway) as told:
            await client.jobs()
    return str(told.value)


def test_a_cluster_of_another_version_is_told_with_what_to_do() -> None:
    told = asyncio.run(trouble((200, json.dumps({"ray_version": "2.9.3"}))))
    assert "is of version 2.9.3, and this server has Ray 2.60.0" in told
    assert told.endswith(': pip install "ray[default]==2.9.3", and start this server again')


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([None], "ReadTimeout"),
        ([(200, VERSION), None], "ReadTimeout"),
        ([(404, "<html>")], "404, it is no job server of Ray"),
        ([(200, VERSION), (503, "not yet")], "503, not yet"),
        ([(401, "no token")], "no token; set c.Ray.headers, or RAY_AUTH_TOKEN"),
    ],
)
def test_why_a_job_server_is_away_is_told(answers: list[tuple[int, str] | None], said: str) -> None:
    told = asyncio.run(trouble(*answers))
    assert told.startswith("Ray does not answer at http://127.0.0.1:")
    assert said in told


def test_what_was_submitted_already_is_left_and_what_is_refused_is_told() -> None:
    async def submit(said: str, status: int = 500) -> str:
        async with job_server((200, VERSION), (status, said)) as client:
            return await client.submit({"submission_id": "t0"})

    assert asyncio.run(submit(EXISTS)) == "t0"
    with pytest.raises(Refused, match="ValueError: no such label"):
        asyncio.run(submit(REFUSED))
    with pytest.raises(ClusterAway):  # nobody knows what became of it
        asyncio.run(submit("no agent", 500))
