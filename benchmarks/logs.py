"""How fast a log comes to who follows it, how soon its end is there, and what quiet jobs cost.

*To a follower* is how much of a log that a job has printed comes over the WebSocket in a second,
from its first byte to the last: as bytes, and as lines, which the server has made of them and the
client has read out of the messages. The baseline is ``tail -f`` of the same file into a pipe. They
take turns, and each is read by this process.

*Its last lines* is the time of ``GET …/logs?tail=100``, next to ``tail -n 100`` of the same file.

*Quiet jobs* is the share of a core that the server takes while fifty jobs run and print nothing,
next to the same server before it had any.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import orjson
import websocket

from benchmarks.figures import Figure
from jupyter_training.notebook.client import Client
from tests.conftest import Api, Home, Server

_LINE = b"step %07d - loss: 0.123456 - accuracy: 0.987654 - lr: 1.0e-04\n"
_PRINTS = (
    "import os, sys\n"
    "count, at = int(sys.argv[1]), 0\n"
    "while at < count:\n"
    f"    part = b''.join({_LINE!r} % i for i in range(at, min(at + 5000, count)))\n"
    "    at += 5000\n"
    "    while part: part = part[os.write(1, part):]\n"
)
_QUIET = [sys.executable, "-c", "import time; time.sleep(3600)"]
_JOBS = 50
_CPU_S = 20.0
_READ = 1 << 20


def of_logs(home: Home, megabytes: int, repeat: int) -> list[Figure]:
    """All figures of logs, on a server of their own."""
    server = home.start(cpu_cores=_JOBS, memory_gb=_JOBS)
    idle = _share_of_core(server)
    count = megabytes * 1_000_000 // len(_LINE % 0)
    spec = {"name": "printer", "command": [sys.executable, "-c", _PRINTS, str(count)]}
    job_id = _submit(server.api, spec)
    told = server.api.ended(job_id)
    assert told["status"] == "completed", told
    log = home.data_dir / "jobs" / job_id / "attempt-1" / "output.log"
    assert log.stat().st_size == count * len(_LINE % 0)
    figures = [*_throughput(server, job_id, log, repeat), _last_lines(server, job_id, log, repeat)]
    return [*figures, _quiet(server, idle)]


def _throughput(server: Server, job_id: str, log: Path, repeat: int) -> list[Figure]:
    """How much comes in a second (MB/s)."""
    size = log.stat().st_size
    ways: dict[str, Callable[[], None]] = {
        "bytes": lambda: _stream(server, job_id, size, "bytes"),
        "lines": lambda: _stream(server, job_id, size, "lines"),
        "tail": lambda: _tail_follow(log, size),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeat):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            rates[name].append(size / 1e6 / (time.perf_counter() - began))
    middle = {name: statistics.median(several) for name, several in rates.items()}
    figures = []
    for name in ("lines", "bytes"):
        share = middle[name] / middle["tail"]
        told = f"log to a follower, {name}"
        aim = "at least 0.25"
        figures.append(
            Figure(told, middle[name], middle["tail"], share, "of bare", aim, share >= 0.25)
        )
    return figures


def _stream(server: Server, job_id: str, size: int, kind: str) -> None:
    client = Client(server.url, "the-servers-own")
    socket = client.log_stream(job_id, {"offset": 0, "format": kind})
    got = 0
    while got < size:
        opcode, content = socket.recv_data()
        if int(opcode) == websocket.ABNF.OPCODE_BINARY:
            got += len(content)
        else:
            got = max(got, orjson.loads(content)["next_offset"])
    socket.shutdown()  # type: ignore[no-untyped-call]
    client.close()


def _tail_follow(log: Path, size: int) -> None:
    tail = subprocess.Popen(["tail", "-c", "+1", "-f", str(log)], stdout=subprocess.PIPE)
    assert tail.stdout is not None
    got = 0
    while got < size:
        got += len(os.read(tail.stdout.fileno(), _READ))
    tail.kill()
    tail.communicate()


def _last_lines(server: Server, job_id: str, log: Path, repeat: int) -> Figure:
    """The last hundred lines (ms)."""
    ours, bare = [], []
    for _ in range(repeat * 5):
        began = time.perf_counter()
        answer = server.api.http.get(f"api/training-jobs/{job_id}/logs?tail=100")
        ours.append((time.perf_counter() - began) * 1000)
        began = time.perf_counter()
        lines = subprocess.run(["tail", "-n", "100", str(log)], capture_output=True, check=True)
        bare.append((time.perf_counter() - began) * 1000)
        assert answer.json()["logs"] == lines.stdout.decode().splitlines()
    middle = statistics.median(ours), statistics.median(bare)
    return Figure("its last 100 lines", *middle, middle[0] - middle[1], "ms more", "", None)


def _quiet(server: Server, idle: float) -> Figure:
    """What fifty jobs cost that print nothing (% of a core)."""
    jobs = [_submit(server.api, {"name": "quiet", "command": _QUIET}) for _ in range(_JOBS)]
    for job_id in jobs:
        server.api.status(job_id, "running")
    share = _share_of_core(server)
    for job_id in jobs:
        server.api.http.post(f"api/training-jobs/{job_id}/cancel")
    more = share - idle
    return Figure("50 quiet jobs", share, idle, more, "% of a core more", "below 1", share < 1)


def _submit(api: Api, spec: Mapping[str, object]) -> str:
    small = {**spec, "cpu_cores": 1, "memory_gb": 1, "gpu_count": 0}
    answer: httpx.Response = api.http.post("api/training-jobs", json=small)
    job_id: str = answer.json()["job_id"]
    return job_id


def _share_of_core(server: Server) -> float:
    """How much of a core a server takes for a while (%)."""
    time.sleep(2)  # what was asked of it before is done
    began, before = time.monotonic(), _cpu_s(server.process.pid)
    time.sleep(_CPU_S)
    return (_cpu_s(server.process.pid) - before) / (time.monotonic() - began) * 100


def _cpu_s(pid: int) -> float:
    """The processor time of a process so far (s)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
