"""The log: what is in it, and in which order. `Executor` says what is promised."""

from __future__ import annotations

import asyncio
import hashlib

from tests.conformance.backends import Backend
from tests.conformance.jobs import (
    COPY,
    HOLD,
    copy_of,
    has_printed,
    log_of,
    opened,
    run,
    run_all,
    work_of,
)

PRINTED = {
    "nothing": "pass",
    "long lines": "w(b'x' * 100_000 + b'\\n' + b'y' * 16384 + b'\\n' + b'z' * 16383 + b'\\n')",
    "no newline at the end": "w(b'one\\n\\n\\ntwo')",
    "a long line without an end": "w(b'one\\n' + b'x' * 70_000)",
    "binary": "w(bytes(range(256)) * 500 + b'\\n')",
    "binary on the other stream": "w(bytes(range(255, -1, -1)) * 500 + b'\\n', 2)",
    "parts of lines": "for i in range(20): w(b'%d,' % i); time.sleep(.01)",
    "parts of characters": "for i in '训练 🙂\\n'.encode(): w(bytes([i])); time.sleep(.01)",
    "long lines of long characters": "w(('训练 ' * 20_000 + '\\n').encode() + b'end\\n')",
    "a progress bar": "for i in range(101): w(b'\\r%3d%%' % i)\nw(b'\\n')",
    "part of a line before a kill": "w(b'one\\ntwo'); os.kill(os.getpid(), 9)",
}


def test_the_log_is_what_was_printed_byte_for_byte(backend: Backend) -> None:
    jobs = {what: backend.python(COPY + code) for what, code in PRINTED.items()}
    run_all(backend, jobs.values())
    for what, job in jobs.items():
        assert log_of(job) == copy_of(job), what


def test_a_large_output_is_whole(backend: Backend) -> None:
    code = (
        "import hashlib, os\n"
        "hashed, left, i = hashlib.sha256(), 50_000_000, 0\n"
        "while left > 0:\n"
        "    i += 1; part = b'%d %s\\n' % (i, b'x' * (i * 7919 % 20_000))\n"
        "    left -= len(part); hashed.update(part)\n"
        "    while part: part = part[os.write(1, part):]\n"
        "open('hash', 'w').write(hashed.hexdigest())\n"
        "os.write(1, b'end\\n')"
    )
    job = backend.python(code)
    assert run(backend, job).exit.exit_code == 0
    log = log_of(job)
    assert len(log) > 50_000_000
    assert log.endswith(b"end\n")
    assert hashlib.sha256(log[:-4]).hexdigest() == (work_of(job) / "hash").read_text()


def test_what_was_seen_stays_before_what_comes(backend: Backend) -> None:
    code = HOLD + (
        "for i in range(5):\n"
        "    print('out', i); wait_for(f'out{i}')\n"
        "    print('err', i, file=sys.stderr); wait_for(f'err{i}')\n"
    )
    job = backend.python(code)

    async def follow() -> None:
        async with opened(backend) as executor:
            found = await executor.start(job)
            expected = b""
            for i in range(5):
                for stream in ("out", "err"):
                    expected += f"{stream} {i}\n".encode()
                    await has_printed(job, expected)
                    assert log_of(job) == expected
                    (work_of(job) / f"{stream}{i}").touch()
            await executor.wait(found)
            assert log_of(job) == expected

    asyncio.run(follow())


def test_each_stream_is_in_its_own_order(backend: Backend) -> None:
    code = "import sys\nfor i in range(1000): print('out', i); print('err', i, file=sys.stderr)"
    job = backend.python(code)
    run(backend, job)
    lines = log_of(job).decode().splitlines()
    printed = [f"{stream} {i}" for i in range(1000) for stream in ("out", "err")]
    for stream in ("out", "err"):
        assert [one for one in lines if one.startswith(stream)] == [
            one for one in printed if one.startswith(stream)
        ]
    assert len(lines) == len(printed)
    if backend.keeps_streams_together:
        assert lines == printed
