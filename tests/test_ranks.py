"""The command lines of other launchers, and the port of the first rank."""

from __future__ import annotations

import ast
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_training import ranks
from jupyter_training.executors import ray_node

WORK = {"node": 1, "nodes": 2, "local": 4, "address": "node-0", "devices": "a,b,c,d"}
INNER = ["python", "train.py", "--lr=1"]


def command(launcher: str, **fields: Any) -> str:
    return " ".join(ranks._launch_command({**WORK, "launcher": launcher, **fields}, 23456, INNER))


def test_the_command_lines_say_where_this_node_is() -> None:
    assert command("torchrun") == (
        "torchrun --nnodes 2 --node-rank 1 --nproc-per-node 4 "
        "--master-addr node-0 --master-port 23456 --no-python python train.py --lr=1"
    )
    assert command("accelerate") == (
        "accelerate launch --num_machines 2 --machine_rank 1 --num_processes 8 "
        "--main_process_ip node-0 --main_process_port 23456 --multi_gpu "
        "--no_python python train.py --lr=1"
    )
    assert "--cpu --no_python" in command("accelerate", devices="")
    assert command("mpi", nodes=1) == "mpirun -np 4 python train.py --lr=1"


def test_deepspeed_is_told_the_nodes_by_a_file_and_asked_not_to_reach_them(tmp_path: Path) -> None:
    told = command("deepspeed", meeting=str(tmp_path))
    assert told == (
        f"deepspeed --hostfile {tmp_path}/hosts-1 --no_ssh --node_rank 1 --master_addr node-0 "
        "--master_port 23456 --no_python --no_local_rank python train.py --lr=1"
    )
    assert (tmp_path / "hosts-1").read_text() == "node-0 slots=4\nnode-1 slots=4\n"


def test_no_two_get_the_same_port_and_the_first_rank_can_listen_there() -> None:
    several = [ranks._free_port() for _ in range(50)]
    assert len({port for port, _ in several}) == 50
    for port, hold in several[:5]:
        with socket.socket() as server:
            server.bind(("127.0.0.1", port))
        assert hold is not None
    for _, hold in several:
        assert hold is not None
        hold.close()


def test_a_port_that_somebody_listens_at_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        taken = other.getsockname()[1]
        monkeypatch.setattr(ranks, "_PORTS", [taken] * 200)
        port, hold = ranks._free_port()
        assert port != taken
        assert hold is None


def test_a_node_speaks_from_the_interface_that_has_the_address_its_cluster_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(ranks.ADDRESS, "127.0.0.1")
    assert ranks._own_address() == "127.0.0.1"
    assert ranks._interface("10.20.30.40") in ("lo", "lo0")
    monkeypatch.setenv(ranks.ADDRESS, "10.20.30.41")
    assert ranks._interface("10.20.30.40") is None
    assert (ray_node.NODES, ray_node.ADDRESS) == (ranks.NODES, ranks.ADDRESS)


def test_it_runs_where_nothing_is_installed_on_python_3_8() -> None:
    text = Path(ranks.__file__).read_text()
    ast.parse(text, feature_version=(3, 8))
    assert "from jupyter_training" not in text
    # Small images have not even the library that this one needs.
    assert "\nimport ctypes" not in text


def test_what_a_rank_printed_last_is_kept_however_late_it_is_read(tmp_path: Path) -> None:
    told = f"print('x' * {3 << 14}, end='')"
    # Somebody else has the other end of the pipe, so it never comes to its end.
    inherits = "import subprocess, sys; subprocess.Popen(['sleep', '600'])"
    merged = ranks._Log(str(tmp_path / "output.log"), 0)
    with subprocess.Popen(
        [sys.executable, "-c", f"{inherits}; {told}"],
        stdout=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    ) as process:
        rank = ranks._Process(0, "rank 0", process, str(tmp_path), merged, 0)
        process.wait()
        rank.close()
        rank.send(signal.SIGKILL, everybody=True)
    assert (tmp_path / "output-0.log").read_bytes() == b"x" * (3 << 14)
    assert (tmp_path / "output.log").read_bytes() == b"[rank 0] " + b"x" * (3 << 14) + b"\n"


def test_a_log_keeps_its_beginning_and_its_end_within_its_limit(tmp_path: Path) -> None:
    path, limit = tmp_path / "output.log", 1 << 18
    log = ranks._Log(str(path), limit)
    lines = [f"line {number:06}\n".encode() for number in range(100_000)]
    for start in range(0, len(lines), 100):
        log.write(b"".join(lines[start : start + 100]))
    content = path.read_bytes()
    assert len(content) == sum(map(len, lines))
    assert path.stat().st_blocks * 512 < 1.5 * limit
    assert content.startswith(b"".join(lines[:1000]))
    assert content.endswith(b"".join(lines[-1000:]))


def test_a_log_that_can_have_no_hole_ends_at_its_limit_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "_punch", lambda *_: False)
    log = ranks._Log(str(tmp_path / "output.log"), 10_000)
    for _ in range(100):
        log.write(b"x" * 999 + b"\n")
    text = (tmp_path / "output.log").read_text()
    assert len(text) < 21_000
    assert text.endswith("[jupyter-training: the log has reached its limit and ends here]\n")
