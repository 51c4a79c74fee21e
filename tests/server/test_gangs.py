"""Distributed jobs on a real server: they start together, are told apart, and end together."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_training.notebook.ranks import RankTable
from tests.conftest import Api, Home, Server, python
from tests.patience import until

TELL = python(
    "import os; names = 'RANK LOCAL_RANK NODE_RANK GROUP_RANK WORLD_SIZE LOCAL_WORLD_SIZE "
    "MASTER_ADDR MASTER_PORT OMP_NUM_THREADS GLOO_SOCKET_IFNAME CUDA_VISIBLE_DEVICES'.split(); "
    "print(' '.join(f'{name}={os.environ[name]}' for name in names))"
)
WAIT = "import time; time.sleep(600)"


def ranks(lines: list[str]) -> dict[str, dict[str, str]]:
    """What each rank told of itself, by what stands in front of its line."""
    told = [line.partition("] ")[::2] for line in lines if "RANK=" in line]
    return {
        mark.strip("["): dict(one.partition("=")[::2] for one in rest.split())
        for mark, rest in told
    }


def test_every_rank_knows_its_place(api: Api) -> None:
    job = api.submit(TELL, nodes=2, procs_per_node=2, memory_gb=1)
    assert (job["job_type"], job["nodes"], job["launcher"]) == ("distributed", 2, "builtin")
    job = api.ended(job["job_id"])
    assert job["status"] == "completed", job["reason"]
    assert job["ranks"] == 4
    assert [(one["cpu_cores"], one["memory_gb"]) for one in job["parts"]] == [(1, 1), (1, 1)]
    told = ranks(api.log(job["job_id"]))
    assert sorted(told) == ["rank 0", "rank 1", "rank 2", "rank 3"]
    for rank, one in enumerate(told[name] for name in sorted(told)):
        assert (one["RANK"], one["LOCAL_RANK"]) == (str(rank), str(rank % 2))
        assert one["NODE_RANK"] == one["GROUP_RANK"] == str(rank // 2)
        assert (one["WORLD_SIZE"], one["LOCAL_WORLD_SIZE"]) == ("4", "2")
        assert (one["MASTER_ADDR"], one["GLOO_SOCKET_IFNAME"]) == ("127.0.0.1", "lo")
    assert len({one["MASTER_PORT"] for one in told.values()}) == 1
    assert len(api.log(job["job_id"], rank=3)) == 1
    assert "RANK=3 " in api.log(job["job_id"], rank=3)[0]
    states = api.get(f"api/training-jobs/{job['job_id']}/ranks").json()["ranks"]
    assert [one["state"] for one in states] == ["completed"] * 4
    assert api.get(f"api/training-jobs/{job['job_id']}/logs?rank=4").status_code == 404


def test_the_ranks_can_talk_to_the_first_one(api: Api) -> None:
    talk = (
        "import os, socket, time\n"
        "place = os.environ['MASTER_ADDR'], int(os.environ['MASTER_PORT'])\n"
        "if os.environ['RANK'] == '0':\n"
        "    with socket.socket() as server:\n"
        "        server.bind(place); server.listen()\n"
        "        print('heard', server.accept()[0].recv(99).decode())\n"
        "else:\n"
        "    while True:\n"
        "        try: peer = socket.create_connection(place); break\n"
        "        except ConnectionRefusedError: time.sleep(0.01)\n"
        "    peer.sendall(b'of rank ' + os.environ['RANK'].encode())\n"
    )
    job = api.ended(api.submit(python(talk), nodes=2)["job_id"])
    assert job["status"] == "completed", job["reason"]
    assert "[rank 0] heard of rank 1" in api.log(job["job_id"])


def test_the_first_that_fails_ends_all_and_is_the_cause(api: Api) -> None:
    fail = (
        "import os, sys, time\n"
        "print('begin', flush=True)\n"
        "where = os.environ['JUPYTER_TRAINING_CHECKPOINT_DIR']\n"
        "open(f'{where}/' + os.environ['RANK'], 'w').close()\n"
        "if os.environ['RANK'] != '3': time.sleep(600)\n"
        "while len(os.listdir(where)) < 4: time.sleep(0.01)\n"
        "sys.exit('the loss is NaN')\n"
    )
    job = api.submit(python(fail), nodes=2, procs_per_node=2, max_retries=0)
    job = api.ended(job["job_id"])
    assert (job["status"], job["cause"], job["exit_code"]) == ("failed", "user_error", 1)
    assert job["reason"] == (
        "rank 3 of 4 failed first: the script ended with exit code 1; its log says why; "
        "it printed last: the loss is NaN"
    )
    assert api.log(job["job_id"])[-3:] == [
        "[jupyter-training] rank 3 of 4 failed first (exit code 1). Its last lines:",
        "  begin",
        "  the loss is NaN",
    ]
    told = api.get(f"api/training-jobs/{job['job_id']}/ranks").json()
    assert [(one["index"], one["ranks"]) for one in told["nodes"]] == [(0, [0, 1]), (1, [2, 3])]
    states = [one["state"] for one in told["ranks"]]
    assert states == ["stopped", "stopped", "stopped", "failed"]
    assert (told["ranks"][3]["node"], told["ranks"][3]["local_rank"]) == (1, 1)
    assert told["ranks"][3]["log_bytes"] == len("begin\nthe loss is NaN\n")
    assert told["ranks"][3]["printed_at"] is not None
    first = told["first_failure"]
    assert (first["rank"], first["node"], first["exit_code"]) == (3, 1, 1)
    assert first["lines"] == ["begin", "the loss is NaN"]
    shown = repr(RankTable(told))
    assert "rank 3 failed first (exit code 1)\n  begin\n  the loss is NaN" in shown
    assert api.get(f"api/training-jobs/{job['job_id']}/ranks?attempt=2").status_code == 404


def test_a_command_that_is_not_there_is_not_tried_again(api: Api) -> None:
    job = api.ended(api.submit(["no-such-program"], nodes=2)["job_id"])
    assert (job["status"], job["cause"]) == ("failed", "launch_failed")
    assert "failed first: could not be started: no-such-program: No such file" in job["reason"]


def test_another_launcher_that_is_not_there_is_told_with_what_to_install(api: Api) -> None:
    job = api.ended(api.submit(["true"], launcher="deepspeed")["job_id"])
    assert (job["status"], job["cause"]) == ("failed", "launch_failed")
    assert "there is no deepspeed: install DeepSpeed (pip install deepspeed)" in job["reason"]


def test_a_cancel_ends_every_rank(api: Api, tmp_path: Path) -> None:
    script = f"import os; open({str(tmp_path)!r} + '/' + os.environ['RANK'], 'w'); {WAIT}"
    job = api.submit(python(script), nodes=2, procs_per_node=2)
    until(lambda: len(list(tmp_path.iterdir())) == 4)
    job = api.cancel(job["job_id"])
    assert job["status"] == "cancelled"
    assert living(job["job_id"]) == []
    told = api.get(f"api/training-jobs/{job['job_id']}/ranks").json()
    assert {one["state"] for one in told["ranks"]} == {"cancelled"}
    assert told["first_failure"] is None


def test_a_gang_is_adopted_whole_and_retried_whole(home: Home) -> None:
    script = (
        "import os, sys, time\n"
        "where = os.environ['JUPYTER_TRAINING_CHECKPOINT_DIR']\n"
        "rank, attempt = os.environ['RANK'], os.environ['JUPYTER_TRAINING_ATTEMPT']\n"
        "open(f'{where}/{rank}-{attempt}', 'w').close()\n"
        "print('ready', flush=True)\n"
        "while attempt == '1': time.sleep(0.01)\n"
        "print(sorted(os.listdir(where)), flush=True)\n"
    )
    first = home.start(gpus=2)
    job_id = first.api.submit(python(script), nodes=2, gpu_count=1)["job_id"]
    for rank in (0, 1):
        first.api.printed(job_id, f"[rank {rank}] ready")
    held = first.api.get("api/training-resources").json()["nodes"][0]["held"]
    assert [one["gpus"] for one in held] == [["0"], ["1"]]
    first.kill()
    assert len(living(job_id)) == 4, "two nodes with a rank each"
    second = home.start(gpus=2)
    second.api.status(job_id, "running")
    victim = next(pid for pid, env in living(job_id) if env.get("RANK") == "1")
    kill(victim)
    job = second.api.ended(job_id)
    assert (job["status"], job["attempt"], job["retry_count"]) == ("completed", 2, 1)
    reasons = [event["reason"] or "" for event in events(second, job_id)]
    assert any("rank 1 of 2 failed first: the script was ended by SIGKILL" in r for r in reasons)
    assert living(job_id) == []
    free = second.api.get("api/training-resources").json()["free"]
    assert free["gpu_count"] == 2


def test_a_node_whose_supervisor_was_killed_ends_the_others_for_free(home: Home) -> None:
    server = home.start()
    script = "import os, time\nif os.environ['JUPYTER_TRAINING_ATTEMPT'] == '1': time.sleep(600)"
    job_id = server.api.submit(python(script), nodes=2)["job_id"]
    server.api.status(job_id, "running")
    record = server.home.data_dir / "jobs" / job_id / "attempt-1" / "node-1" / "started.json"
    kill(json.loads(record.read_text())["pid"])
    job = server.api.ended(job_id)
    assert (job["status"], job["attempt"], job["retry_count"]) == ("completed", 2, 0)
    reasons = [event["reason"] or "" for event in events(server, job_id)]
    assert any("node 1 of 2 failed first: the machine that ran it was lost" in r for r in reasons)


def test_it_goes_on_with_fewer_nodes_if_it_may(home: Home) -> None:
    server = home.start(gpus=3)
    holder = server.api.submit(python(WAIT), gpu_count=1)["job_id"]
    server.api.status(holder, "running")
    job = server.api.submit(TELL, nodes=3, min_nodes=2, gpu_count=1, cpu_cores=1)
    waiting = server.api.submit(TELL, nodes=3, gpu_count=1, cpu_cores=1)
    # Two cores, of which the first job has one.
    server.api.until(job["job_id"], lambda told: "waits for 3 nodes" in (told["reason"] or ""))
    server.api.until(waiting["job_id"], lambda told: "can never start" in (told["reason"] or ""))
    server.api.post(f"api/training-jobs/{holder}/cancel")
    job = server.api.ended(job["job_id"])
    assert (job["status"], len(job["parts"]), job["ranks"]) == ("completed", 2, 2)
    reasons = [event["reason"] or "" for event in events(server, job["job_id"])]
    assert any("is given 2 nodes of 3, as there is no room for more" in one for one in reasons)


def test_a_hang_is_noticed_and_told_with_the_rank_that_was_silent_first(home: Home) -> None:
    api = home.start(hang_minutes=2 / 60).api
    script = (
        "import os, time\n"
        "where = os.environ['JUPYTER_TRAINING_CHECKPOINT_DIR'] + '/'\n"
        "print('begin', flush=True)\n"
        "if os.environ['RANK'] == '0':\n"
        "    while not os.path.exists(where + 'seen'): sum(range(100000))\n"
        "    seen = time.time()\n"
        "    while time.time() < seen + 1.1: sum(range(100000))\n"
        "    print('waits for rank 1', flush=True)\n"
        "while not os.path.exists(where + 'go-on'): time.sleep(0.2)\n"
        "print('end', flush=True)\n"
        "end = time.monotonic() + 600\n"
        "while time.monotonic() < end: sum(range(100000))\n"
    )
    job_id = api.submit(python(script), nodes=2)["job_id"]
    for rank in (0, 1):  # from here on only the first one prints
        api.printed(job_id, f"[rank {rank}] begin")
    checkpoints = home.data_dir / "jobs" / job_id / "checkpoints"
    (checkpoints / "seen").touch()
    # On a busy machine it may have seemed to hang before.
    first = "(the first to fall silent: rank 1, at "
    job = api.until(job_id, lambda told: told["hung_since"] and first in told["reason"])
    assert job["status"] == "running"
    assert job["reason"].startswith("seems to hang: no output, no CPU time and no work of GPUs")
    (checkpoints / "go-on").touch()
    job = api.until(job_id, lambda told: told["hung_since"] is None)
    assert job["reason"].startswith("runs with 2 nodes")
    told = api.get(f"api/training-jobs/{job_id}/events").json()
    kinds = [one["kind"] for one in told if one["kind"] in ("hung", "moved")]
    assert kinds[:2] == ["hung", "moved"]


def events(server: Server, job_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.api.get(f"api/training-jobs/{job_id}/events").json()
    return found


def living(job_id: str) -> list[tuple[int, dict[str, str]]]:
    """The processes of a job, with their environments."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                pairs = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            env = dict(one.partition("=")[::2] for one in pairs)
            if env.get("JUPYTER_TRAINING_JOB_ID") == job_id:
                found.append((int(entry.name), env))
    return found


def kill(pid: int) -> None:
    import os
    import signal

    os.kill(pid, signal.SIGKILL)


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
