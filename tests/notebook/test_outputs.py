"""The results of jobs from Python and from a terminal, which may be on another machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Api, Home, Server
from tests.patience import PATIENCE_S, until
from tests.server.test_outputs import done
from tests.shells import shell

MB = 1 << 20


@pytest.fixture
def away(tmp_path: Path) -> Path:
    """A directory that the server knows nothing of."""
    (tmp_path / "away").mkdir()
    return tmp_path / "away"


def environment(server: Server, **more: str) -> dict[str, str]:
    """That of a kernel or a terminal which knows where the server is, and nothing of its files."""
    token = server.api.http.headers["Authorization"].removeprefix("token ")
    known = {"JUPYTER_TRAINING_URL": server.url, "JUPYTER_TRAINING_TOKEN": token}
    return {**server.home.env, **known, **more}


def python(server: Server, away: Path, code: str) -> str:
    """What a line of Python prints there."""
    code = "from jupyter_training import get_job\n" + textwrap.dedent(code)
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(server),
        cwd=away,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def training(server: Server, away: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jupyter_training", *words],
        env=environment(server),
        cwd=away,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def tree(directory: Path) -> dict[str, bytes | None]:
    """What there is, byte for byte."""
    return {
        os.fsencode(path.relative_to(directory)).decode("utf-8", "backslashreplace"): (
            None if path.is_dir() else path.read_bytes()
        )
        for path in directory.rglob("*")
    }


def job_of(place: str) -> str:
    return place.split("/")[2]


RESULTS = r"""
(out / "plots" / "of\x1b[31m loss").mkdir(parents=True)
(out / "plots" / "of\x1b[31m loss" / "a.svg").write_text("<svg/>")
(out / "plots" / "empty").mkdir()
(out / "model.pt").write_bytes(b"weights" * 1000)
(out / "best.pt").symlink_to("model.pt")
with open(os.path.join(os.fsencode(out), b"\xff.bin"), "wb") as file: file.write(b"1")
"""
LEFT: dict[str, bytes | None] = {
    "plots": None,
    "plots/empty": None,
    "plots/of\x1b[31m loss": None,
    "plots/of\x1b[31m loss/a.svg": b"<svg/>",
    "model.pt": b"weights" * 1000,
    r"\xff.bin": b"1",
}


def test_the_list_shows_itself_as_a_table(server: Server, api: Api, away: Path) -> None:
    job_id = job_of(done(api, RESULTS))
    shown = python(
        server,
        away,
        f"""
        job = get_job({job_id!r})
        print(repr(job.outputs(recursive=True)))
        print([one["path"] for one in job.outputs()], len(job.outputs("plots/")))
        print(job.outputs("./plots/empty"))
        print(job.outputs()._repr_html_().count("<tr>"))
        """,
    ).splitlines()
    assert shown[0].split() == ["path", "type", "size", "modified"]
    assert [line.split("  ")[0] for line in shown[1:8]] == [
        "best.pt",
        "model.pt",
        "plots",
        "plots/empty",
        r"plots/of\x1b[31m loss",
        r"plots/of\x1b[31m loss/a.svg",
        "\N{REPLACEMENT CHARACTER}.bin",
    ]
    assert shown[2].split()[:4] == ["model.pt", "file", "6.8", "KB"]
    assert shown[8:] == [
        "['best.pt', 'model.pt', 'plots', '\N{REPLACEMENT CHARACTER}.bin'] 2",
        "It has left nothing here, or not yet.",
        "5",
    ]


def test_download_brings_what_it_has_left(server: Server, api: Api, away: Path) -> None:
    job_id = job_of(done(api, RESULTS))
    printed = python(
        server,
        away,
        f"""
        job = get_job({job_id!r})
        print(job.download())
        print(job.download("model.pt", to="one"), job.download("plots/", to="one"))
        """,
    ).splitlines()
    assert printed == [job_id, "one/model.pt one/plots"]
    assert tree(away / job_id) == LEFT
    assert tree(away / "one") == {name: LEFT[name] for name in LEFT if name != r"\xff.bin"}


def test_a_directory_is_looked_through_once_and_not_for_each_of_its_files(
    server: Server, api: Api, away: Path
) -> None:
    code = "os.mkfifo(out / 'pipe')\nfor i in range(20): (out / str(i)).touch()"
    job_id = job_of(done(api, code))
    printed = python(
        server,
        away,
        f"""
        import os, sys
        seen = []
        sys.addaudithook(lambda event, words: event == "os.scandir" and seen.append(words[0]))
        place = get_job({job_id!r}).download()
        print(sum(os.fspath(one) == str(place) for one in seen), len(os.listdir(place)))
        """,
    )
    assert printed == "1 20\n"
    again = training(server, away, "download", job_id)
    assert again.stderr == "Not downloaded: pipe (neither a file nor a directory)\n"


def test_the_command_line_does_the_same(server: Server, api: Api, away: Path) -> None:
    job_id = job_of(done(api, RESULTS, name="digits of mine"))
    listed = training(server, away, "outputs", "digits of mine", "plots")
    assert [line.split("  ")[0] for line in listed.stdout.splitlines()] == [
        "path",
        "plots/empty",
        r"plots/of\x1b[31m loss",
    ]
    listed = training(server, away, "outputs", job_id, "--json")
    told: list[dict[str, Any]] = json.loads(listed.stdout)
    assert told == api.get(f"api/training-jobs/{job_id}/outputs").json()["entries"]
    brought = training(server, away, "download", job_id, "--to", "there")
    assert (brought.returncode, brought.stdout) == (0, f"there/{job_id}\n")
    assert brought.stderr == "Not downloaded: best.pt (a symlink)\n"
    assert tree(away / "there" / job_id) == LEFT


def test_what_cannot_be_brought(server: Server, api: Api, away: Path) -> None:
    job_id = job_of(done(api, RESULTS))
    (away / "file").write_text("in the way")
    with shell(environment(server), away) as opened:
        for words, said in (
            (["download", job_id, "nothing"], "There is no 'nothing' in the results of this job"),
            (["download", job_id, "best.pt"], "'best.pt' is a symbolic link"),
            (["download", job_id, "../events"], "is not a path below the results"),
            (["download", job_id, "/etc/passwd"], "is not a path below the results"),
            (["outputs", job_id, "model.pt"], "model.pt is a file and not a directory"),
            (["download", job_id, "model.pt", "--to", "file"], "cannot be written"),
            (["download", "no such job"], "There is no job no such job"),
        ):
            ran = opened.run(*words)
            assert ran.returncode == 1
            assert said in ran.stderr
            assert "Traceback" not in ran.stderr
            assert tree(away) == {"file": b"in the way"}


HALTS = f"""
import os, signal, sys
import httpx
from jupyter_training.cli import main

as_ever, taken = httpx.Response.iter_raw, 0

def halting(answer, *arguments):
    global taken
    for piece in as_ever(answer, *arguments):
        yield piece
        before, taken = taken, taken + len(piece)
        if before < {16 * MB} <= taken:
            os.kill(os.getpid(), signal.SIGSTOP)

httpx.Response.iter_raw = halting
sys.exit(main())
"""
"""The command, but that it stands still in the midst of a download."""


def halted(away: Path, process: subprocess.Popen[bytes]) -> Path:
    """Return when a download stands still; what there is of it."""
    told = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    assert told is not None
    assert told.si_code == os.CLD_STOPPED, "it ended before"
    (part,) = away.glob("*.part")
    return part


LARGE = f"""
with open(out / "model.pt", "wb") as file:
    file.truncate({256 * MB})
    file.seek({256 * MB} - 4)
    file.write(b"last")
"""


def begin(server: Server, away: Path, job_id: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", HALTS, "download", job_id, "model.pt"],
        env=environment(server),
        cwd=away,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def settle(api: Api, place: str, name: str = "model.pt") -> None:
    """Return when a file has been as it is for so long that it can be told from a later one."""
    until(lambda: not api.http.head(f"{place}/{name}").headers["ETag"].startswith("W/"), 0.2)


def test_an_interrupted_download_goes_on(server: Server, api: Api, away: Path) -> None:
    place = done(api, LARGE)
    settle(api, place)
    first = begin(server, away, job_of(place))
    part = halted(away, first)
    second = training(server, away, "download", job_of(place), "model.pt")
    assert "is being written by another download" in second.stderr
    first.kill()
    first.wait()
    # What is there stays, right or wrong: nothing comes twice.
    with part.open("r+b") as file:
        file.write(b"marked")
    again = training(server, away, "download", job_of(place), "model.pt")
    assert (again.returncode, again.stdout) == (0, "model.pt\n")
    with (away / "model.pt").open("rb") as file:
        assert file.read(10) == b"marked\0\0\0\0"
        assert file.seek(-4, os.SEEK_END) == 256 * MB - 4
        assert file.read() == b"last"
    assert [path.name for path in away.iterdir()] == ["model.pt"]


def test_a_part_of_what_it_was_before_is_of_no_use(server: Server, api: Api, away: Path) -> None:
    place = done(api, LARGE)
    settle(api, place)
    first = begin(server, away, job_of(place))
    halted(away, first)
    first.kill()
    first.wait()
    output = Path(api.job(job_of(place))["output_dir"])
    (output / "model.pt").write_bytes(b"another one")
    assert training(server, away, "download", job_of(place), "model.pt").returncode == 0
    assert tree(away) == {"model.pt": b"another one"}


def test_a_server_that_is_killed_meanwhile(home: Home, away: Path) -> None:
    server = home.start()
    place = done(server.api, LARGE)
    settle(server.api, place)
    # It has to find the next server by itself.
    downloading = subprocess.Popen(
        [sys.executable, "-c", HALTS, "download", job_of(place), "model.pt"],
        env=home.env,
        cwd=away,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    halted(away, downloading)
    server.kill()
    home.start()
    downloading.send_signal(signal.SIGCONT)
    _, said = downloading.communicate()
    assert downloading.returncode == 0, said
    assert (away / "model.pt").stat().st_size == 256 * MB


def test_what_is_here_already_does_not_come_again(server: Server, api: Api, away: Path) -> None:
    place = done(api, "[(out / f'{n}').write_text('old') for n in range(3)]")
    for n in range(3):
        settle(api, place, str(n))
    job_id = job_of(place)
    python(server, away, f"get_job({job_id!r}).download()")
    # Kept for what they are by their size and time; the content tells whether they came again.
    for path in (away / job_id).iterdir():
        times = path.stat()
        path.write_text("own")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    output = Path(api.job(job_id)["output_dir"])
    (output / "1").write_text("new")
    python(server, away, f"get_job({job_id!r}).download()")
    assert tree(away / job_id) == {"0": b"own", "1": b"new", "2": b"own"}
