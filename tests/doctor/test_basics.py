"""What is said of what every job needs: values in, a verdict, a sentence and a repair out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_training._version import __version__
from jupyter_training.doctor import basics
from jupyter_training.doctor.checks import (
    Check,
    Verdict,
    absent,
    conclusion,
    jobs_can_run,
    ok,
    problem,
)
from jupyter_training.doctor.database import trouble_of
from jupyter_training.doctor.facts import (
    DatabaseFacts,
    DatabaseTrouble,
    MachineFacts,
    MemoryFacts,
    PlaceFacts,
    ServerFacts,
    TrialFacts,
)
from jupyter_training.doctor.isolation import NoAnswer
from jupyter_training.doctor.settings import Settings, Unreadable

GB = 1024**3
MACHINE = MachineFacts("linux", "6.1", (3, 11, 2), 16, 64)
SETTINGS = Settings(Path("/data"), "sqlite:////data/training.db")
DISK = PlaceFacts("/data", "/data", 50 * GB, 100 * GB, 10**6, 10**7, device=1)
SQLITE = DatabaseFacts("SQLite", "/data/training.db", "3.40", "0002", "0002")
POSTGRESQL = DatabaseFacts("PostgreSQL", "training at db:5432", "15.4", "0002", "0002")


def says(check: Check, verdict: Verdict, *words: str, blocks: bool = False) -> None:
    """Whether a check has this verdict, and these words in its sentence and its repair."""
    told = f"{check.found} → {check.repair}"
    assert (check.verdict, check.blocks_jobs) == (verdict, blocks), told
    for one in words:
        assert one in told
    assert bool(check.repair) or verdict is not Verdict.PROBLEM


@pytest.mark.parametrize(
    ("changes", "verdict", "words", "blocks"),
    [
        ({}, Verdict.OK, ["Linux 6.1", "Python 3.11.2", "16 CPU cores and 64 GB"], False),
        ({"system": "darwin"}, Verdict.OK, ["macOS", "local jobs only"], False),
        ({"system": "win32"}, Verdict.PROBLEM, ["but not here", "WSL 2"], True),
        ({"python": (3, 9, 1)}, Verdict.PROBLEM, ["too old", "Python 3.10 or newer"], True),
    ],
)
def test_platform(
    changes: dict[str, Any], verdict: Verdict, words: list[str], blocks: bool
) -> None:
    check = basics.platform(replace(MACHINE, **changes), SETTINGS)
    says(check, verdict, *words, blocks=blocks)


def test_what_jobs_may_reserve_has_to_be_there() -> None:
    more = replace(SETTINGS, memory_gb=128)
    words = ["may reserve 128 GB of memory, but this machine has 64", "memory_gb to 64 or less"]
    says(basics.platform(MACHINE, more), Verdict.PROBLEM, *words)
    less = replace(SETTINGS, cpu_cores=1, memory_gb=8)
    says(basics.platform(MACHINE, less), Verdict.OK, "1 CPU core and 8 GB")


def test_configuration() -> None:
    says(basics.configuration(SETTINGS), Verdict.OK, "by default")
    says(basics.configuration(replace(SETTINGS, files=("/a.py",))), Verdict.OK, "From /a.py")
    ignored = replace(SETTINGS, ignored=("Exception in /a.py",))
    says(basics.configuration(ignored), Verdict.PROBLEM, "leaves a file out: Exception in /a.py")
    off = replace(SETTINGS, is_enabled=False)
    says(basics.configuration(off), Verdict.PROBLEM, "jupyter server extension enable")
    says(basics.configuration(Unreadable("x is no y")), Verdict.PROBLEM, "x is no y", blocks=True)


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ({}, Verdict.OK, ["/data can be written."]),
        ({"looked_at": "/"}, Verdict.OK, ["/data is not there yet and can be made."]),
        ({"network": "nfs4"}, Verdict.OK, ["on a network file system (nfs4)"]),
        (
            {"trouble": "Read-only file system"},
            Verdict.PROBLEM,
            ["/data cannot be written: Read-only file system.", "Set c.TrainingApp.data_dir"],
        ),
        (
            {"looked_at": "/", "trouble": "Permission denied"},
            Verdict.PROBLEM,
            ["/data cannot be made in /: Permission denied."],
        ),
        (
            {"trouble": "No space left on device", "is_full": True},
            Verdict.PROBLEM,
            ["its disk is full", "Make room on it (du -xsh /data)"],
        ),
    ],
)
def test_data_directory(changes: dict[str, Any], verdict: Verdict, words: list[str]) -> None:
    check = basics.data_dir(replace(DISK, **changes))
    says(check, verdict, *words, blocks=verdict is Verdict.PROBLEM)


def test_disk_space() -> None:
    says(basics.space([DISK]), Verdict.OK, "50 GB of 100 GB and 1000000 files (inodes) free")
    beside = replace(DISK, path="/db", device=2)
    assert "for /data; 50 GB" in basics.space([DISK, beside]).found
    assert basics.space([DISK, replace(beside, device=1)]).found.count("free") == 1
    full = basics.space([DISK, replace(beside, free=GB - 1)])
    words = ["/db is full but for 1024 MB of 100 GB", "Make room on it"]
    says(full, Verdict.PROBLEM, *words, blocks=True)
    says(basics.space([replace(DISK, free=GB)]), Verdict.OK)
    few = basics.space([replace(DISK, free_inodes=3)])
    says(few, Verdict.PROBLEM, "only 3 more files (inodes)", "du --inodes", blocks=True)
    says(basics.space([replace(DISK, free_inodes=0, inodes=0)]), Verdict.OK)


@pytest.mark.parametrize(
    ("facts", "verdict", "words", "blocks"),
    [
        (SQLITE, Verdict.OK, ["SQLite 3.40, /data/training.db: revision 0002, as"], False),
        (replace(SQLITE, revision=None), Verdict.OK, ["nothing is in it yet"], False),
        (
            replace(SQLITE, revision="0001", behind=1),
            Verdict.OK,
            ["revision 0001, 1 revision older", "upgrades it to 0002"],
            False,
        ),
        (
            replace(POSTGRESQL, revision="0009", behind=None),
            Verdict.PROBLEM,
            ["revision 0009 is newer than this package", "pip install --upgrade jupyter-training"],
            True,
        ),
        (
            replace(SQLITE, network="nfs4"),
            Verdict.PROBLEM,
            ["network file system (nfs4), where SQLite can be damaged", "PostgreSQL"],
            False,
        ),
        (
            replace(POSTGRESQL, trouble=DatabaseTrouble.AWAY, words="Connection refused"),
            Verdict.PROBLEM,
            ["cannot be reached (Connection refused)", "systemctl start postgresql"],
            True,
        ),
        (
            replace(POSTGRESQL, trouble=DatabaseTrouble.MISSING),
            Verdict.PROBLEM,
            ["does not exist", "createdb"],
            True,
        ),
        (
            replace(POSTGRESQL, trouble=DatabaseTrouble.FORBIDDEN),
            Verdict.PROBLEM,
            ["does not let this user in", "~/.pgpass"],
            True,
        ),
        (
            replace(SQLITE, trouble=DatabaseTrouble.DAMAGED),
            Verdict.PROBLEM,
            ["is damaged", "a backup"],
            True,
        ),
        (
            replace(SQLITE, trouble=DatabaseTrouble.AWAY),
            Verdict.PROBLEM,
            ["cannot be reached", "Look at the file"],
            True,
        ),
    ],
)
def test_database(facts: DatabaseFacts, verdict: Verdict, words: list[str], blocks: bool) -> None:
    says(basics.database(facts), verdict, *words, blocks=blocks)


@pytest.mark.parametrize(
    ("words", "trouble"),
    [
        ('FATAL:  database "x" does not exist', DatabaseTrouble.MISSING),
        ('FATAL:  password authentication failed for user "ada"', DatabaseTrouble.FORBIDDEN),
        ('FATAL:  role "ada" does not exist', DatabaseTrouble.FORBIDDEN),
        ("fe_sendauth: no password supplied", DatabaseTrouble.FORBIDDEN),
        ('no pg_hba.conf entry for host "::1"', DatabaseTrouble.FORBIDDEN),
        ("connection to server failed: Connection refused", DatabaseTrouble.AWAY),
        ("FATAL:  the database system is starting up", DatabaseTrouble.AWAY),
        ("failed to resolve host 'db'", DatabaseTrouble.AWAY),
    ],
)
def test_what_postgresql_says_tells_what_is_wrong(words: str, trouble: DatabaseTrouble) -> None:
    assert trouble_of(words) is trouble


def test_a_trial() -> None:
    says(basics.trial(TrialFacts("/data", 0.21)), Verdict.OK, "in 0.2 s")
    failed = basics.trial(TrialFacts("/data", 1, "it ended with exit code 1"))
    words = ["tried in /data went wrong: it ended with exit code 1.", "ulimit -u"]
    says(failed, Verdict.PROBLEM, *words, blocks=True)


@pytest.mark.parametrize(
    ("facts", "verdict", "words"),
    [
        (
            MemoryFacts(True, 2, "/sys/fs/cgroup/a", is_usable=True),
            Verdict.OK,
            ["Hard, by cgroups of version 2 in /sys/fs/cgroup/a"],
        ),
        (
            MemoryFacts(True, 2, "/sys/fs/cgroup/a"),
            Verdict.ABSENT,
            ["is not ours to write", "watched instead", "DelegateSubgroup=server"],
        ),
        (
            MemoryFacts(True, 1, "/sys/fs/cgroup/memory/a"),
            Verdict.ABSENT,
            ["is not ours to write", "sudo chown $USER /sys/fs/cgroup/memory/a"],
        ),
        (
            MemoryFacts(True, 1, "/sys/fs/cgroup/memory", is_read_only=True),
            Verdict.ABSENT,
            ["mounted read-only", "watched instead", "/sys/fs/cgroup writable"],
        ),
        (MemoryFacts(True), Verdict.ABSENT, ["No memory cgroup", "watched instead"]),
        (MemoryFacts(False), Verdict.ABSENT, ["not enforced"]),
    ],
)
def test_memory_limits(facts: MemoryFacts, verdict: Verdict, words: list[str]) -> None:
    says(basics.memory(facts), verdict, *words)


def test_servers() -> None:
    one = ServerFacts("http://127.0.0.1:8888/", 7, is_embedded=False, version=__version__)
    says(basics.servers([]), Verdict.OK, "None runs")
    says(basics.servers([one]), Verdict.OK, f"http://127.0.0.1:8888/ ({__version__}, pid 7)")
    old = replace(one, pid=8, version="0.0.1")
    says(basics.servers([one, old]), Verdict.PROBLEM, "0.0.1", "Start it again: pid 8.")
    ill = replace(one, trouble="The database is away.")
    says(basics.servers([ill]), Verdict.PROBLEM, "takes no jobs: The database is away.")


def test_what_gave_no_answer_is_a_problem_with_its_own_words() -> None:
    silent = NoAnswer("gave no answer within 20 s", is_silent=True)
    says(basics.not_seen("x", silent, "Start it."), Verdict.PROBLEM, "within 20 s", "Start it.")
    failed = basics.not_seen("x", NoAnswer("failed (ValueError: 3)"), "Start it.", blocks_jobs=True)
    says(failed, Verdict.PROBLEM, "this failed (ValueError: 3)", "report this", blocks=True)


def test_the_conclusion() -> None:
    well, not_here = ok("a", "Well."), absent("b", "Not here.")
    ill = problem("c", "Ill.", "Heal it.")
    fatal = problem("d", "Dead.", "Bury it.", blocks_jobs=True)
    assert conclusion([well, not_here]) == "Jobs can run here."
    assert conclusion([well, ill]) == "Jobs can run here, but not all is well: c."
    assert conclusion([ill, fatal]).endswith("until this is repaired: d.")
    assert jobs_can_run([well, not_here, ill])
    assert not jobs_can_run([well, fatal])
