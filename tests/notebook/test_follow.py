"""Following a log from Python and from a terminal, whatever happens to the server."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import websocket

from jupyter_training.notebook import log_stream
from jupyter_training.notebook.client import Client, TrainingError
from jupyter_training.notebook.follow import Terminal
from jupyter_training.notebook.log_stream import LogStream, Shown
from tests.conftest import Home, Server, python
from tests.patience import PATIENCE_S, until

FOLLOW = """
import json, sys
from jupyter_training import get_job
for line in get_job(sys.argv[1]).logs(tail=5000, follow=True):
    print(line, flush=True)
"""


@pytest.mark.parametrize("terminal", [True, False])
def test_who_follows_loses_and_repeats_nothing_when_the_server_is_killed(
    home: Home, tmp_path: Path, terminal: bool
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    code = (
        "print('begin')\n"
        f"for round in range(3):\n    open({str(gate)!r}).read()\n"
        "    for i in range(1000): print(round, i)\n"
        f"open({str(gate)!r}).read()"
    )
    first = home.start()
    job_id = first.api.submit(python(code))["job_id"]
    first.api.printed(job_id, "begin")
    argv = [sys.executable, "-m", "jupyter_training", "logs", "-f", "--tail", "5000", job_id]
    if not terminal:
        argv = [sys.executable, "-c", FOLLOW, job_id]
    with (tmp_path / "trouble").open("w+") as trouble:
        follower = subprocess.Popen(
            argv, env=home.env, cwd=home.path, stdout=subprocess.PIPE, stderr=trouble, text=True
        )
        told = follower.stdout
        assert told is not None
        try:
            assert told.readline() == "begin\n"
            gate.open("w").close()
            found = [told.readline() for _ in range(500)]
            # It is to find the next one, and not to start one of its own.
            follower.send_signal(signal.SIGSTOP)
            first.kill()
            second = home.start()
            follower.send_signal(signal.SIGCONT)
            gate.open("w").close()
            found += [told.readline() for _ in range(1000)]
            gate.open("w").close()
            second.api.printed(job_id, "2 999")
            gate.open("w").close()
            found += told.readlines()
        finally:
            follower.kill()
            told.close()
            ended = follower.wait(PATIENCE_S)
        trouble.seek(0)
        assert found == [f"{number} {i}\n" for number in range(3) for i in range(1000)]
        assert ended == 0, trouble.read()
    assert second.api.ended(job_id)["status"] == "completed"


def test_a_stream_that_is_closed_while_it_is_opened_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, there = socket.socketpair()
    opened = websocket.WebSocket()
    opened.sock = here
    stream = LogStream("job-1")

    def ask(_: object) -> websocket.WebSocket:
        stream.close()
        return opened

    monkeypatch.setattr(log_stream, "ask", ask)
    with there:
        assert stream.next(None) is None
        assert here.fileno() == -1


def test_who_waits_for_a_message_is_woken_when_the_stream_is_closed() -> None:
    here, there = socket.socketpair()
    stream = LogStream("job-1")
    stream._socket = websocket.WebSocket()
    stream._socket.sock = here
    waiting = threading.Thread(target=stream.next, args=[None])

    def waits() -> bool:
        frame = sys._current_frames()[waiting.ident or 0]
        return frame.f_code.co_filename == websocket._socket.__file__

    with there:
        waiting.start()
        until(waits)
        stream.close()
        waiting.join(PATIENCE_S)
        assert not waiting.is_alive()


def test_a_wrong_question_is_refused_in_words(server: Server) -> None:
    job = server.api.submit("true")
    client = Client(server.url, "the-servers-own")
    try:
        with pytest.raises(TrainingError, match="tail: should be a whole number from 0 to"):
            client.log_stream(job["job_id"], {"tail": -1})
        with pytest.raises(TrainingError, match="offset and tail exclude each other"):
            client.log_stream(job["job_id"], {"tail": 1, "offset": 1})
    finally:
        client.close()


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_written_over_on_a_terminal_and_left_out_of_a_file() -> None:
    told = [
        {"type": "attempt", "attempt": 1},
        {"type": "lines", "lines": ["start"], "partial": ["10%"], "replaces": 0},
        {"type": "lines", "lines": [], "partial": ["50%", "x" * 500], "replaces": 0},
        {"type": "skipped", "offset": 0, "next_offset": 70, "kept": True},
        {"type": "lines", "lines": ["end"], "partial": [], "replaces": 0},
    ]
    screen, file = Screen(), io.StringIO()
    for output in (screen, file):
        terminal = Terminal(output)
        for message in told:
            terminal.show(message)
    gap = "[70 bytes left out from byte 0 on: more came than can be shown]"
    assert file.getvalue() == f"start\n{gap}\nend\n"
    shown = screen.getvalue()
    assert "start\n10%\r\x1b[J50%\nxxx" in shown
    assert f"x\r\x1b[1A\x1b[J{gap}\n\r\x1b[Jend\n" in shown
    assert "x" * 500 not in shown


def test_what_is_shown_of_a_log_is_bounded_and_begins_anew_with_an_attempt() -> None:
    shown = Shown(3)
    shown.take({"type": "lines", "lines": list("abcde"), "partial": ["f"], "replaces": 0})
    assert shown.last() == ["d", "e", "f"]
    shown.take({"type": "lines", "lines": ["x"], "partial": [], "replaces": 1})
    assert shown.last() == ["c", "d", "x"]
    shown.take({"type": "skipped", "offset": 5, "next_offset": 2_000_005, "kept": False})
    assert shown.last()[-1] == "[2.0 MB left out from byte 5 on: the log has reached its limit]"
    shown.take({"type": "attempt", "attempt": 2})
    assert shown.last() == []
