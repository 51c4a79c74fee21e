"""Real servers, each with directories of its own, on loopback and a free port."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from jupyter_training.server import openapi
from jupyter_training.server.identity import TrainingTokens, system_user
from tests import preloaded
from tests.patience import PATIENCE_S
from tests.ports import free_port
from tests.schemas import Draft202012Validator

pytest_plugins = [
    "tests.postgres",
    "tests.executors.docker_engine",
    "tests.slurm",
    "tests.ray_cluster",
]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So a shell leaves it that runs tests in the background, and what they start would ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How fast a machine is, is no property of the code.
settings.register_profile("any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any speed")

ENDED = ("completed", "failed", "cancelled")
NAP = [sys.executable, "-c", "import time; time.sleep(600)"]


CLUSTERS = ("ray", "slurm")
BROWSER = "tests/ui"
LONGEST_FIRST = (
    *CLUSTERS,
    *("tests/kills", "tests/distributed", "tests/test_readme", "tests/test_packaging", BROWSER),
    *("tests/test_cli", "tests/server", "tests/notebook", "tests/conformance", "tests/binder"),
    *("tests/doctor", "tests/executors"),
)
"""In which order groups of tests begin, so that what is short fills up the end."""


def group_of(nodeid: str) -> str:
    """Those of a file belong together, and those that share a cluster or a browser.

    These take long to start.
    """
    file, _, name = nodeid.partition("::")
    for cluster in CLUSTERS:
        if f"_{cluster}" in file or f"[{cluster}" in name:
            return cluster
    return BROWSER if file.startswith(BROWSER) else file


class InGroups(LoadFileScheduling):  # type: ignore[misc]
    """Gives each process one group after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> InGroups | None:
    """Give each process what it shares."""
    return InGroups(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""

    def place(item: pytest.Item) -> int:
        group = group_of(item.nodeid)
        ranks = (at for at, one in enumerate(LONGEST_FIRST) if group.startswith(one))
        return next(ranks, len(LONGEST_FIRST))

    items.sort(key=place)


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


def has_failed(request: pytest.FixtureRequest) -> bool:
    """Whether the test of a fixture has failed, so that what it leaves may be anything."""
    test: pytest.Item = request.node
    return test.stash.get(_FAILED, False)


def python(code: str) -> list[str]:
    """A command that runs a line of Python."""
    return [sys.executable, "-c", code]


class Api:
    """The REST interface of a server; every answer is held against the OpenAPI document."""

    def __init__(self, url: str, token: str) -> None:
        self.http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"token {token}"},
            timeout=PATIENCE_S,
            trust_env=False,
        )
        self.document = openapi.document("/")

    def ask(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        answer = self.http.request(method, path, **kwargs)
        self._hold_against_document(method.lower(), path, answer)
        return answer

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.ask("GET", path, **kwargs)

    def post(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.ask("POST", path, **kwargs)

    def submit(self, command: str | list[str], **fields: Any) -> dict[str, Any]:
        """Submit a small job."""
        spec = {"name": "test", "command": command, "cpu_cores": 1, "memory_gb": 1, **fields}
        answer = self.post("api/training-jobs", json=spec)
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def submit_to_one_that_dies(self, command: str | list[str], **fields: Any) -> None:
        """Submit a small job to a server that may die of it before it has answered."""
        with contextlib.suppress(httpx.TransportError):
            self.submit(command, **fields)

    def only_job(self) -> str:
        """The id of the only job there is."""
        (job,) = self.get("api/training-jobs").json()
        return str(job["job_id"])

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Cancel a job; what became of it, when none of its processes is left.

        The answer to the request comes earlier if that takes longer than a while, as it may on a
        busy machine, or where another server has to take over first.
        """
        answer = self.post(f"api/training-jobs/{job_id}/cancel")
        assert answer.status_code in (200, 202), answer.text
        return self.ended(job_id)

    def cancel_all(self) -> None:
        """Cancel what still waits or runs, and return when nothing of it is left."""
        for job in self.get("api/training-jobs?status=pending,scheduled,running,retrying").json():
            self.post(f"api/training-jobs/{job['job_id']}/cancel")
            self.ended(job["job_id"])

    def job(self, job_id: str) -> dict[str, Any]:
        told: dict[str, Any] = self.get(f"api/training-jobs/{job_id}").json()
        return told

    def until(self, job_id: str, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The job as soon as it is as wanted; the server tells of each change.

        What is wanted may also depend on something else, and is looked at once a second.
        """
        tag, told = '""', dict[str, Any]()
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            answer = self.get(f"api/training-jobs/{job_id}?wait=1", headers={"If-None-Match": tag})
            assert answer.status_code in (200, 304), answer.text
            tag = answer.headers["ETag"]
            if answer.status_code == 200:
                told = answer.json()
            if enough(told):
                return told
        raise AssertionError(f"not so in time: {self.job(job_id)}")

    def status(self, job_id: str, *wanted: str) -> dict[str, Any]:
        """The job as soon as it has one of these statuses."""
        return self.until(job_id, lambda told: told["status"] in wanted)

    def ended(self, job_id: str) -> dict[str, Any]:
        return self.status(job_id, *ENDED)

    def log(self, job_id: str, **query: Any) -> list[str]:
        lines: list[str] = self.get(f"api/training-jobs/{job_id}/logs", params=query).json()["logs"]
        return lines

    def printed(self, job_id: str, text: str) -> None:
        """Return when the job has printed this line."""
        offset = 0
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            has_ended = self.job(job_id)["status"] in ENDED
            query = {"offset": offset, "wait": 1}
            page = self.get(f"api/training-jobs/{job_id}/logs", params=query).json()
            if text in page["logs"]:
                return
            if has_ended and not page["logs"]:
                break
            offset = page["next_offset"]
        raise AssertionError(f"{text!r} was not printed: {self.log(job_id)}")

    def history(self, job_id: str) -> list[str]:
        """The statuses that a job has had."""
        events = self.get(f"api/training-jobs/{job_id}/events").json()
        return [event["to_status"] for event in events if event["to_status"]]

    def _hold_against_document(self, method: str, path: str, answer: httpx.Response) -> None:
        operation = self._operation(method, path.split("?")[0])
        if operation is None:
            return
        described = operation["responses"].get(str(answer.status_code))
        assert described is not None, (
            f"{method} {path} answered {answer.status_code}: {answer.text}"
        )
        if "$ref" in described:
            described = self.document["components"]["responses"][described["$ref"].split("/")[-1]]
        if "content" in described and "application/json" not in described["content"]:
            return
        if "content" in described:
            schema = described["content"]["application/json"]["schema"]
            whole = {**schema, "components": self.document["components"]}
            Draft202012Validator(whole).validate(answer.json())
        else:
            assert answer.content == b""

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        parts = path.strip("/").split("/")
        for template, methods in self.document["paths"].items():
            wanted = template.strip("/").split("/")
            if len(wanted) == len(parts) and all(
                one == other or one.startswith("{")
                for one, other in zip(wanted, parts, strict=True)
            ):
                found: dict[str, Any] | None = methods.get(method)
                return found
        return None


@dataclass
class Home:
    """A user's directories, and the servers that run in them."""

    path: Path
    servers: list[Server] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        """An environment in which nothing of the machine's own user is found."""
        mine = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JUPYTER", "JPY_", "IPYTHON", "PYTEST_"))
        }
        return {
            **mine,
            "PYTHONFAULTHANDLER": "1",
            "HOME": str(self.path),
            "JUPYTER_CONFIG_DIR": str(self.path / "config"),
            "JUPYTER_DATA_DIR": str(self.path / "data"),
            "JUPYTER_RUNTIME_DIR": str(self.path / "runtime"),
            "IPYTHONDIR": str(self.path / "ipython"),
            **self.variables,
        }

    @property
    def data_dir(self) -> Path:
        return self.path / "data" / "training"

    def configure(self, text: str) -> None:
        """Write the configuration of the servers."""
        (self.path / "config").mkdir(exist_ok=True)
        (self.path / "config" / "jupyter_server_config.py").write_text(f"{text}\n")

    def start(
        self,
        *flags: str,
        module: str = "jupyter_server",
        root: Path | None = None,
        wait: bool = True,
        port: int | None = None,
        **options: Any,
    ) -> Server:
        """Start a Jupyter server with the extension, and return when it serves.

        Parameters
        ----------
        root
            Its root directory; by default the directory ``work`` of this home.
        wait
            Whether to; else it may not even answer yet.
        port
            Its port; by default a free one.
        """
        for name in ("work", "config", "data", "runtime"):
            (self.path / name).mkdir(exist_ok=True)
        (ready, told), port = os.pipe(), port or free_port()
        traits = {
            "cpu_cores": 2,
            "memory_gb": 8,
            "gpus": 0,
            "stop_grace": 2,
            "retry_delay": 0.05,
            "ready_fd": told,
            **options,
        }
        arguments = [
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={port}",
            "--ServerApp.open_browser=False",
            "--ServerApp.allow_root=True",
            f"--ServerApp.root_dir={root or self.path / 'work'}",
            "--IdentityProvider.token=the-servers-own",
            *(
                f"--TrainingApp.{name}={value}"
                for name, value in traits.items()
                if value is not None
            ),
            *flags,
        ]
        with (self.path / "server.log").open("ab") as log:
            process = self._run([module, *arguments], log.fileno(), told)
        os.close(told)
        if not wait:
            os.close(ready)
            self.servers.append(Server(f"http://127.0.0.1:{port}/", process, self))
            return self.servers[-1]
        os.read(ready, 1)  # its end: the server is ready, or dead
        os.close(ready)
        entry = self.path / "runtime" / "training-servers" / f"{process.pid}.json"
        assert entry.exists(), (self.path / "server.log").read_text()
        server = Server(json.loads(entry.read_text())["url"], process, self)
        self.servers.append(server)
        return server

    def _run(
        self, arguments: list[str], log: int, told: int
    ) -> subprocess.Popen[bytes] | preloaded.Forked:
        """Run a module of Python that prints into a file and is given one more."""
        nursery = preloaded.nursery()
        if arguments[0] in preloaded.MODULES and nursery.takes(self.env):
            return nursery.start(arguments, env=self.env, cwd=str(self.path), log=log, keep=told)
        return subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env=self.env,
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(told,),
            start_new_session=True,
        )

    def close(self) -> None:
        """Cancel what still runs, and end the servers."""
        for server in self.servers:
            if server.process.poll() is None:
                listed = server.api.http.get("api/training-jobs?limit=1000")
                for job in listed.json() if listed.status_code == 200 else ():
                    if job["status"] not in ENDED:
                        server.api.http.post(f"api/training-jobs/{job['job_id']}/cancel")
                server.stop()
            for api in server.apis:
                api.http.close()


@dataclass
class Server:
    """A Jupyter server in a process of its own."""

    url: str
    process: subprocess.Popen[bytes] | preloaded.Forked
    home: Home

    def __post_init__(self) -> None:
        self.apis: list[Api] = []
        self.api = self.api_with("the-servers-own")

    @property
    def answers(self) -> bool:
        """Whether it answers at all."""
        try:
            return self.api.http.get("api/status").status_code == 200
        except httpx.TransportError:
            return False

    def api_with(self, token: str) -> Api:
        """The interface for whoever has this token."""
        self.apis.append(Api(self.url, token))
        return self.apis[-1]

    def api_of(self, username: str) -> Api:
        """The interface as another user sees it."""
        return self.api_with(TrainingTokens(self.home.data_dir).make(username))

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # it writes down where it stands
            self.process.wait(PATIENCE_S)
            log = self.home.path / "server.log"
            raise AssertionError(f"it does not stop: {log.read_text()[-20000:]}") from None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A user of their own for one test."""
    made = Home(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    made = Home(tmp_path_factory.mktemp("home"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def server(shared_home: Home) -> Server:
    """A server that many tests use, with 2 cores, 8 GB and no GPU."""
    return shared_home.start()


@pytest.fixture
def api(server: Server) -> Iterator[Api]:
    """Its interface; what a test leaves running is cancelled."""
    yield server.api
    server.api.cancel_all()


@pytest.fixture
def me() -> str:
    """The user whom servers with a token of their own run for."""
    return system_user()
