"""Ray's job server, over HTTP: what it is asked, and whether it is there, and of which version.

Its REST interface is used as it is documented, rather than Ray's own client, which waits for ever
for a server that hangs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import httpx

from jupyter_training.executors.base import ClusterAway
from jupyter_training.executors.cluster_dialect import Refused

_EXISTS = "already exists"


class Repairable(ClusterAway):
    """A cluster answers, but not to us as we are.

    Attributes
    ----------
    found
        What is wrong; the text of the whole says also what to do.
    repair
        What to do about it.
    """

    def __init__(self, found: str, advice: str, repair: str) -> None:
        super().__init__(f"{found}{advice}")
        self.found, self.repair = found, repair


class Client:
    """A job server of Ray.

    Parameters
    ----------
    url
        Where it is, as ``http://head:8265``.
    version
        The version of Ray that the cluster has to have.
    headers
        What else each request carries, such as an authorization.
    verify
        Whether its certificate is checked.
    patience_s
        How long an answer may take (s).
    """

    def __init__(
        self,
        url: str,
        version: str,
        headers: Mapping[str, str] | None = None,
        *,
        verify: bool = True,
        patience_s: float = 20.0,
    ) -> None:
        self.url, self._version = url.rstrip("/"), version
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers=dict(headers or {}),
            verify=verify,
            timeout=patience_s,
            # The loopback and the cluster are not reached through a proxy.
            trust_env=False,
        )
        self._is_checked = False

    async def submit(self, submission: Mapping[str, Any]) -> str:
        """Submit a job; one that is there already, by its id, is left as it is.

        Raises
        ------
        ClusterAway
            If Ray is away, or of another version. Whether it has got the job is not known.
        Refused
            If it does not want it.
        """
        answer = await self._ask("POST", "/api/jobs/", submission)
        if answer.is_success:
            return str(answer.json()["submission_id"])
        if _EXISTS in answer.text:
            return str(submission["submission_id"])
        said = _words(answer.text)
        if answer.status_code < 500 or said.startswith(("ValueError", "TypeError")):
            raise Refused(said)
        raise self._away(f"{answer.status_code}, {said}")

    async def jobs(self) -> Any:
        """All jobs that Ray knows."""
        return await self._get("/api/jobs/")

    async def node_of(self, job: str) -> str:
        """The id of the node that a job runs on; empty if that is not known."""
        answer = await self._ask("GET", f"/api/jobs/{job}")
        return str(answer.json().get("driver_node_id") or "") if answer.is_success else ""

    async def stop(self, job: str) -> None:
        """Have a job stopped; one that waits will be as soon as it begins."""
        await self._ask("POST", f"/api/jobs/{job}/stop")

    async def forget(self, job: str) -> None:
        """Have a job that has ended forgotten."""
        await self._ask("DELETE", f"/api/jobs/{job}")

    async def nodes(self) -> list[dict[str, Any]]:
        """All nodes, as the state API has them."""
        told = await self._get("/api/v0/nodes?limit=10000")
        found: list[dict[str, Any]] = told["data"]["result"]["result"]
        return found

    async def usage(self) -> Any:
        """What the dashboard says of the cluster; None if it says nothing."""
        answer = await self._ask("GET", "/api/cluster_status")
        return answer.json().get("data") if answer.is_success else None

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def _get(self, path: str) -> Any:
        answer = await self._ask("GET", path)
        if not answer.is_success:
            raise self._away(f"{answer.status_code}, {_words(answer.text)}")
        return answer.json()

    async def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        if not self._is_checked:
            await self._check()
        return await self._send(method, path, body)

    async def _check(self) -> None:
        """Raises Repairable if the cluster is of another version than Ray here."""
        answer = await self._send("GET", "/api/version")
        try:
            found = str(answer.json()["ray_version"])
        except (ValueError, KeyError, TypeError):
            raise self._away(f"{answer.status_code}, it is no job server of Ray") from None
        if found != self._version:
            command = f'pip install "ray[default]=={found}"'
            raise Repairable(
                f"the Ray cluster at {self.url} is of version {found}, and this server has Ray "
                f"{self._version}, which cannot speak to it",
                f": {command}, and start this server again",
                command,
            )
        self._is_checked = True

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            self._is_checked = False  # it may come back as another one
            raise self._away(str(error) or type(error).__name__) from None
        if answer.status_code in (401, 403):
            raise Repairable(
                str(self._away(_words(answer.text))),
                "; set c.Ray.headers, or RAY_AUTH_TOKEN",
                "Set c.Ray.headers, or RAY_AUTH_TOKEN where the server runs, and start it again.",
            )
        return answer

    def _away(self, why: str) -> ClusterAway:
        return ClusterAway(f"Ray does not answer at {self.url}: {why}")


def headers_of(environment: Mapping[str, str]) -> dict[str, str]:
    """The headers that Ray's own client would send, by the same variables.

    Raises
    ------
    ValueError
        If they are not what they should be.
    """
    found: dict[str, str] = {}
    if told := environment.get("RAY_JOB_HEADERS"):
        try:
            found.update(json.loads(told))
        except (ValueError, TypeError):
            said = 'RAY_JOB_HEADERS should be a JSON object, like {"Authorization": "Bearer …"}'
            raise ValueError(said) from None
    if token := _token(environment):
        found.setdefault("Authorization", f"Bearer {token}")
    return found


def _token(environment: Mapping[str, str]) -> str:
    if environment.get("RAY_AUTH_MODE", "").lower() == "disabled":
        return ""
    if token := environment.get("RAY_AUTH_TOKEN"):
        return token
    # A cluster that is started where there is such a file asks for what is in it.
    usual = os.path.join(environment.get("HOME", ""), ".ray", "auth_token")
    try:
        with open(environment.get("RAY_AUTH_TOKEN_PATH") or usual) as file:
            return file.read().strip()
    except OSError:
        return ""


def _words(text: str) -> str:
    """What an answer says, of which the last line counts if it is a traceback."""
    lines = [line.strip() for line in text.splitlines() if line.strip(" .\t")]
    return lines[-1][:500] if lines else "no reason is given"
