"""The REST interface as functions, and errors as exceptions that a person can read."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import quote, urlsplit

import httpx
import websocket
from websocket import WebSocket

from jupyter_training.notebook.options import called

WAIT_S = 30
"""How long one request waits for a change (s)."""

_PATIENCE_S = 30.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class TrainingError(RuntimeError):
    """A server said no.

    Attributes
    ----------
    status, reason
        The HTTP status, and the reason for a program.
    """

    def __init__(self, message: str, status: int = 0, reason: str = "error") -> None:
        super().__init__(message)
        self.status, self.reason = status, reason

    @property
    def may_pass(self) -> bool:
        """Whether it is worth to ask again, as when the database of the server is away."""
        return self.status == 503

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: the sentence; ``%train_traceback`` shows the rest."""
        return [f"{type(self).__name__}: {self}"]


def in_short(error: BaseException) -> None:
    """Have IPython show only what an exception is, where what matters was said already."""
    error._render_traceback_ = lambda: [type(error).__name__]  # type: ignore[attr-defined]


class ServerGone(TrainingError):
    """There is no server any more where there was one, or it is about to end."""

    @property
    def may_pass(self) -> bool:
        """Another one may take its place."""
        return True


class Client:
    """Talks to one server.

    Parameters
    ----------
    url
        The server's base URL.
    token
        A training token, or a token of the server.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        # A proxy is for the network and not for this machine.
        outside = urlsplit(url).hostname not in _LOOPBACK
        self._http = httpx.Client(
            base_url=url.rstrip("/") + "/",
            headers={"Authorization": f"token {token}", "X-Training-Client": secrets.token_hex(8)},
            timeout=httpx.Timeout(_PATIENCE_S, read=WAIT_S + _PATIENCE_S),
            trust_env=outside,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(self, spec: dict[str, Any], *, key: str) -> dict[str, Any]:
        """Submit a job; the same key again gives the same job."""
        return self._object(
            "POST", "api/training-jobs", json=spec, headers={"Idempotency-Key": key}
        )

    def forecast(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Where a job would run."""
        return self._object("POST", "api/training-jobs", json=spec, params={"dry_run": "true"})

    def jobs(self, **query: Any) -> list[dict[str, Any]]:
        """The jobs, newest first."""
        return self._array("GET", "api/training-jobs", params=query)

    def job(self, reference: str, wait_s: int = 0) -> dict[str, Any]:
        """One job; with a wait, when it has ended or time is up."""
        return self._object("GET", _path(reference), params={"wait": wait_s})

    def changed_job(
        self, reference: str, tag: str | None, wait_s: int = WAIT_S
    ) -> tuple[dict[str, Any] | None, str]:
        """One job as soon as it is not what a tag stands for any more.

        Returns
        -------
        job
            None if it has not changed in time.
        tag
            What stands for it now.
        """
        headers = {"If-None-Match": tag or '""'}
        answer = self._ask("GET", _path(reference), headers=headers, params={"wait": wait_s})
        tag = answer.headers["ETag"]
        return (None if answer.status_code == 304 else answer.json()), tag

    def logs(self, reference: str, **query: int) -> dict[str, Any]:
        """A piece of a log: `tail`, or `offset` and `wait`; and `attempt`."""
        return self._object("GET", _path(reference, "logs"), params=query)

    def metrics(self, reference: str, query: dict[str, Any]) -> dict[str, Any]:
        """Curves of what a job has measured: `names`, `max_points`, `attempt`."""
        return self._object("GET", _path(reference, "metrics"), params=query)

    @contextmanager
    def metrics_csv(self, reference: str, query: dict[str, Any]) -> Iterator[httpx.Response]:
        """Every point of what a job has measured, as it comes."""
        with self._stream(_path(reference, "metrics.csv"), params=query) as answer:
            yield answer

    def log_stream(self, reference: str, query: Mapping[str, str | int]) -> WebSocket:
        """The log of a job as it comes; its messages are described in the OpenAPI document.

        Raises
        ------
        TrainingError
            If the server says no.
        ServerGone
            If it does not answer.
        """
        http, path = self._http, _path(reference, "logs", "stream")
        asked = http.build_request("GET", path, params=dict(query))
        headers = {name: http.headers[name] for name in ("Authorization", "X-Training-Client")}
        options: dict[str, Any] = {} if http.trust_env else {"http_no_proxy": ["*"]}
        try:
            return websocket.create_connection(
                "ws" + str(asked.url).removeprefix("http"),
                header=headers,
                timeout=_PATIENCE_S,
                suppress_origin=True,
                skip_utf8_validation=True,  # a server that sends JSON has made it of text
                **options,
            )
        except websocket.WebSocketBadStatusException as refused:
            body = refused.resp_body if isinstance(refused.resp_body, bytes) else b""
            answer = httpx.Response(refused.status_code, content=body, request=asked)
            raise _error(answer) from None
        except (websocket.WebSocketException, OSError) as error:
            raise self._gone(error) from None

    def cancel(self, reference: str) -> dict[str, Any]:
        """Cancel a job."""
        return self._object("POST", _path(reference, "cancel"))

    def retry(self, reference: str) -> dict[str, Any]:
        """Run an ended job again."""
        return self._object("POST", _path(reference, "retry"))

    def delete(self, reference: str) -> None:
        """Delete an ended job."""
        self._ask("DELETE", _path(reference))

    def outputs(self, reference: str, encoded: str = "", **query: str) -> dict[str, Any]:
        """A page of what a job has left in a directory."""
        with self.output(reference, encoded, params=query) as answer:
            if "Content-Disposition" in answer.headers:
                raise TrainingError(f"{encoded} is a file and not a directory.")
            answer.read()
            return cast("dict[str, Any]", answer.json())

    @contextmanager
    def output(
        self,
        reference: str,
        encoded: str,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
    ) -> Iterator[httpx.Response]:
        """What a job has left at a path, as it comes; a file if it has a `Content-Disposition`.

        Parameters
        ----------
        encoded
            The path, percent-encoded.
        """
        path = _path(reference, "outputs", *([encoded] if encoded else []))
        asked = {**(headers or {}), "Accept-Encoding": "identity"}
        with self._stream(path, headers=asked, params=params) as answer:
            yield answer

    @contextmanager
    def _stream(self, path: str, **kwargs: Any) -> Iterator[httpx.Response]:
        try:
            with self._http.stream("GET", path, **kwargs) as answer:
                if answer.status_code >= 400:
                    answer.read()
                    raise _error(answer)
                yield answer
        except httpx.TransportError as error:
            raise self._gone(error) from None

    def spec(self, reference: str) -> dict[str, Any]:
        """What a job was asked to be."""
        return self._object("GET", _path(reference, "spec"))

    def code(self, reference: str) -> dict[str, Any]:
        """What a job runs."""
        return self._object("GET", _path(reference, "code"))

    def environment(self, reference: str) -> dict[str, Any]:
        """With which software a job was submitted."""
        return self._object("GET", _path(reference, "environment"))

    def snapshot_limits(self) -> dict[str, Any]:
        """What may be uploaded."""
        return self._object("GET", "api/training-snapshots")

    def missing_contents(self, digests: Sequence[str]) -> list[str]:
        """Which of these contents the server lacks; it keeps the others for a while."""
        asked = {"digests": list(dict.fromkeys(digests))}
        return cast(
            "list[str]", self._object("POST", "api/training-snapshots", json=asked)["missing"]
        )

    def put_content(self, digest: str, content: bytes | Iterable[bytes], size: int) -> None:
        """Upload a content of so many bytes."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        self._ask("PUT", f"api/training-snapshots/{digest}", content=content, headers=headers)

    def content(self, digest: str) -> bytes:
        """A content as a whole."""
        return b"".join(self.open_content(digest))

    def open_content(self, digest: str) -> Iterator[bytes]:
        """A content as it comes."""
        headers = {"Accept-Encoding": "identity"}
        with self._stream(f"api/training-snapshots/{digest}", headers=headers) as answer:
            yield from answer.iter_bytes()

    def children(self, reference: str) -> list[dict[str, Any]]:
        """The jobs that a job is made of, in the order in which they were made."""
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["id"] if found else 0
            path = _path(reference, "children")
            answer = self._ask("GET", path, params={"after": after})
            found += answer.json()
            if "Link" not in answer.headers:
                return found

    def trials(self, reference: str) -> dict[str, Any]:
        """What a search for hyperparameters has found so far."""
        return self._object("GET", _path(reference, "trials"))

    def ranks(self, reference: str, **query: int) -> dict[str, Any]:
        """The nodes and processes of a distributed job: `attempt`."""
        return self._object("GET", _path(reference, "ranks"), params=query)

    def events(self, reference: str) -> list[dict[str, Any]]:
        """A job's history."""
        return self._array("GET", _path(reference, "events"))

    def usage(self, reference: str, **query: int) -> dict[str, Any]:
        """What an attempt of a job used over time: `attempt`, `max_points`."""
        return self._object("GET", _path(reference, "usage"), params=query)

    def held(self, **query: str) -> dict[str, Any]:
        """Who has held how much: `by`, `since`, `until`."""
        return self._object("GET", "api/training-usage", params=query)

    def changes(self, since: int | None = None, wait_s: int = 0) -> dict[str, Any]:
        """What has changed in the user's jobs after a number, as soon as there is something."""
        query = {"wait": wait_s} | ({} if since is None else {"since": since})
        return self._object("GET", "api/training-changes", params=query)

    def resources(self) -> dict[str, Any]:
        """The machines."""
        return self._object("GET", "api/training-resources")

    def notifications(self) -> dict[str, Any]:
        """Who can be told of jobs outside of Jupyter."""
        return self._object("GET", "api/training-notifications")

    def test_notification(self, to: str) -> dict[str, Any]:
        """Send a test to a receiver; whether it arrived, and why not."""
        return self._object("POST", "api/training-notifications/test", json={"to": to})

    def datasets(self) -> list[dict[str, Any]]:
        """The registered data sets, by name."""
        return self._array("GET", "api/training-datasets")

    def register_dataset(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Register a data set; the same again changes nothing."""
        return self._object("POST", "api/training-datasets", json=spec)

    def remove_dataset(self, reference: str) -> None:
        """Remove a data set from the registry; its files stay."""
        self._ask("DELETE", f"api/training-datasets/{quote(reference, safe='')}")

    def release(self) -> bool:
        """This client needs an embedded server no more.

        Returns
        -------
        bool
            Whether it ends.
        """
        return bool(self._object("POST", "api/training-server/release")["ends"])

    def _object(self, method: str, path: str, **kwargs: Any) -> dict[str, Any]:
        return cast("dict[str, Any]", self._ask(method, path, **kwargs).json())

    def _array(self, method: str, path: str, **kwargs: Any) -> list[dict[str, Any]]:
        return cast("list[dict[str, Any]]", self._ask(method, path, **kwargs).json())

    def _ask(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **kwargs)
        except httpx.TransportError as error:
            raise self._gone(error) from None
        if answer.status_code < 400:
            return answer
        raise _error(answer)

    def _gone(self, error: Exception) -> ServerGone:
        return ServerGone(f"The training server at {self.url} does not answer ({error}).")


def _path(reference: str, *rest: str) -> str:
    return "/".join(["api/training-jobs", quote(reference, safe=""), *rest])


def _error(answer: httpx.Response) -> TrainingError:
    try:
        told = answer.json()
        message, reason = str(told["message"]), str(told["reason"])
    except (ValueError, KeyError, TypeError):
        return TrainingError(
            f"The server answered {answer.status_code} {answer.reason_phrase}.", answer.status_code
        )
    if isinstance(told.get("errors"), list) and told["errors"]:
        # Speak of what the person wrote: only jobs are made of options.
        of_job = answer.request.url.path.endswith("api/training-jobs")
        fields = [called(one["field"]) if of_job else one["field"] for one in told["errors"]]
        message = "; ".join(
            f"{field}: {one['message']}" if field else one["message"]
            for field, one in zip(fields, told["errors"], strict=True)
        )
    kind = ServerGone if reason == "closing" else TrainingError
    return kind(message, answer.status_code, reason)
