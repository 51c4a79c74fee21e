"""Slurm by slurmrestd, where its commands are not: over HTTP, or by a socket of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson

from jupyter_training.executors.base import ClusterAway
from jupyter_training.executors.cluster_dialect import Refused, TooMany
from jupyter_training.executors.slurm_commands import environment
from jupyter_training.executors.slurm_inventory import SlurmNode
from jupyter_training.executors.slurm_jobs import SlurmJob
from jupyter_training.executors.slurm_json import (
    VERSIONS,
    exit_code_in,
    jobs_in,
    nodes_in,
    number_in,
    past_job_in,
    release_in,
    socket_of,
    submission,
    trouble_in,
)
from jupyter_training.executors.slurm_request import Wanted
from jupyter_training.executors.slurm_texts import AWAY, LIMIT
from jupyter_training.executors.slurm_transport import AT_ONCE, PATIENCE_S

_NO_ACCOUNTING_S = 300.0
"""How soon accounting is asked again that could not be (s)."""

_IS_OVER = re.compile(r"invalid job id|already complet", re.IGNORECASE)
"""What Slurm says of a job that cannot be cancelled any more."""

_SIGTERM = "TERM"
_BATCH = "BATCH_JOB"


class Rest:
    """A slurmrestd; see `Transport`.

    Parameters
    ----------
    installation
        Whose jobs are ours.
    url
        Where it is: ``http://host:6820``, or ``unix:///run/slurmrestd.socket``, at which who asks
        is known without a token.
    token_file
        A file with a token of this user, as ``scontrol token`` makes it; it is read each time, so
        that something else can renew it. Without one, what ``SLURM_JWT`` is.
    user
        Whose token it is; this server's user if empty.
    """

    def __init__(self, installation: str, url: str, token_file: str = "", user: str = "") -> None:
        self._installation, self.url = installation, url.rstrip("/")
        self._token_file = Path(token_file).expanduser() if token_file else None
        self._user = user or pwd.getpwuid(os.geteuid()).pw_name
        socket = socket_of(url)
        self._http = httpx.AsyncClient(
            base_url=self.url if socket is None else "http://slurmrestd",
            transport=None if socket is None else httpx.AsyncHTTPTransport(uds=str(socket)),
            timeout=PATIENCE_S,
            # A cluster is not reached through a proxy.
            trust_env=False,
        )
        self._submitting = asyncio.Semaphore(AT_ONCE)
        self._version = ""
        self._recall_at = float("-inf")
        self._release = ""

    async def version(self) -> str:
        """Of Slurm; see `Transport`."""
        await self._spoken()
        return self._release

    async def submit(self, job: Wanted) -> str:
        """Submit a job; see `Transport`."""
        async with self._submitting:
            version = await self._spoken()
            body = submission(job, version, _of_scripts(os.environ))
            answer = await self._ask("POST", f"/slurm/{version}/job/submit", body)
        number = number_in(answer)
        if number is None:
            raise Refused(trouble_in(answer) or "slurmrestd told no number of the job")
        return number

    async def queue(self) -> list[SlurmJob]:
        """All jobs of this installation that Slurm knows; see `Transport`."""
        answer = await self._look("jobs")
        return await asyncio.to_thread(jobs_in, answer, self._installation, self._user, time.time())

    async def nodes(self) -> list[SlurmNode]:
        """The nodes of the cluster; see `Transport`."""
        return await asyncio.to_thread(nodes_in, await self._look("nodes"))

    async def exit_code(self, job: str) -> int | None:
        """The exit code of a job that has ended; see `Transport`."""
        with contextlib.suppress(ClusterAway):
            return exit_code_in(await self._look(f"job/{job}"), job)
        return None

    async def recall(self, job: str) -> SlurmJob | None:
        """A job that has ended, from accounting; see `Transport`."""
        if time.monotonic() < self._recall_at:
            return None
        try:
            version = await self._spoken()
            answer = await self._ask("GET", f"/slurmdb/{version}/job/{job}")
        except (Refused, ClusterAway):
            self._recall_at = time.monotonic() + _NO_ACCOUNTING_S
            return None
        return past_job_in(answer, job)

    async def tell(self, job: str) -> None:
        """Send SIGTERM to the script of a job that runs; see `Transport`."""
        version = await self._spoken()
        if version == VERSIONS[-1]:
            return  # it reaches what a script has started and never the script, which looks itself
        with contextlib.suppress(Refused):  # it has ended, or has not begun
            asked = f"signal={_SIGTERM}&flags={_BATCH}"
            await self._ask("DELETE", f"/slurm/{version}/job/{job}?{asked}")

    async def cancel(self, job: str) -> None:
        """Take a job out of the queue, and end it if it runs."""
        version = await self._spoken()
        try:
            await self._ask("DELETE", f"/slurm/{version}/job/{job}")
        except Refused as refused:
            # So newer versions answer, too, if only the controller is away.
            if not _IS_OVER.search(str(refused)):
                raise ClusterAway(f"Slurm does not cancel job {job}: {refused}") from None

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def _look(self, what: str) -> Mapping[str, Any]:
        version = await self._spoken()
        try:
            return await self._ask("GET", f"/slurm/{version}/{what}")
        except Refused as refused:
            # Of a controller that is away no version says so in these words.
            raise ClusterAway(f"Slurm does not answer: {refused}") from None

    async def _spoken(self) -> str:
        """The newest version of the interface that both sides speak."""
        if self._version:
            return self._version
        for version in VERSIONS:
            answer = await self._send("GET", f"/slurm/{version}/ping")
            if answer.status_code != httpx.codes.NOT_FOUND:
                self._release = release_in(self._told(answer))
                self._version = version
                return version
        raise self._away(
            f"it speaks none of the versions {VERSIONS[-1]} to {VERSIONS[0]} of its interface"
        )

    async def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        answer = await self._send(method, path, body)
        if answer.status_code == httpx.codes.NOT_FOUND and not trouble_in(_object(answer)):
            self._version = ""  # it may be another one from now on
            raise self._away(f"it does not know {path.partition('?')[0]}")
        # A list of all jobs of a cluster may be long.
        told = await asyncio.to_thread(self._told, answer)
        wrong = trouble_in(told)
        if answer.is_success and not wrong:
            return told
        why = wrong or f"{answer.status_code} {answer.reason_phrase}"
        if AWAY.search(why) or not wrong:
            raise ClusterAway(f"Slurm does not answer: {why}")
        raise TooMany(why) if LIMIT.search(why) else Refused(why)

    def _told(self, answer: httpx.Response) -> Mapping[str, Any]:
        told = _object(answer)
        if told or not answer.is_success:
            return told
        raise self._away("what answers there is no slurmrestd")

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        content = None if body is None else orjson.dumps(body)
        headers = {"Accept": "application/json", **await asyncio.to_thread(self._credentials)}
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            answer = await self._http.request(method, path, content=content, headers=headers)
        except httpx.HTTPError as error:
            self._version = ""
            raise self._away(str(error) or type(error).__name__) from None
        if answer.status_code in (401, 403):
            raise self._away(
                "it does not take the token of this user; renew it (scontrol token) where "
                "c.Slurm.rest_token_file says, or in SLURM_JWT"
            )
        return answer

    def _credentials(self) -> dict[str, str]:
        token = os.environ.get("SLURM_JWT", "")
        if self._token_file is not None:
            try:
                token = self._token_file.read_text()
            except OSError as error:
                told = f"the token of Slurm cannot be read: {self._token_file}: {error.strerror}"
                raise ClusterAway(told) from None
        token = token.strip().removeprefix("SLURM_JWT=")
        return {"X-SLURM-USER-NAME": self._user, "X-SLURM-USER-TOKEN": token} if token else {}

    def _away(self, why: str) -> ClusterAway:
        return ClusterAway(f"slurmrestd at {self.url} does not answer: {why}")


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = orjson.loads(answer.content)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _of_scripts(inherited: Mapping[str, str]) -> dict[str, str]:
    """What scripts find in their environment: what they would after ``sbatch``, but no token."""
    kept = environment(inherited)
    return {
        name: value
        for name, value in kept.items()
        if name != "SLURM_JWT" and not name.startswith("SBATCH_")
    }
