"""Looking at real things: a disk, a database, an engine, a driver, as they are well and not."""

from __future__ import annotations

import gc
import os
import pwd
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from jupyter_training.doctor import basics, database, devices, probes
from jupyter_training.doctor.checks import Verdict
from jupyter_training.doctor.facts import (
    DatabaseTrouble,
    DockerFacts,
    DockerTrouble,
    DriverFacts,
    DriverTrouble,
    GpuFacts,
)
from jupyter_training.doctor.isolation import Look, NoAnswer
from jupyter_training.doctor.settings import Settings
from jupyter_training.store.database import VERSION_TABLE, Database
from tests import fake_nvml
from tests.doctor.test_basics import says
from tests.executors.docker_engine import Engine
from tests.fake_nvml import FakeGpus
from tests.patience import PATIENCE_S
from tests.postgres import Postgres
from tests.server.test_trouble import fill, small_disk

SETTINGS = Settings(Path("/data"), "sqlite:////data/training.db")


WITH_VERSION = """
#include "{0}"
int nvmlSystemGetDriverVersion(char *value, unsigned size) {{
  return snprintf(value, size, "550.54.15") < 0;
}}
"""


@contextmanager
def an_ordinary_user() -> Iterator[None]:
    """Somebody whom permissions hold back, also where the tests are run by root."""
    if os.geteuid() != 0:
        yield
        return
    group = os.getegid()
    nobody = pwd.getpwnam("nobody")
    os.setegid(nobody.pw_gid)
    os.seteuid(nobody.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)


def test_a_directory_that_is_there_and_one_that_can_be_made(tmp_path: Path) -> None:
    here = probes.place(tmp_path)
    assert (here.looked_at, here.trouble, here.network) == (str(tmp_path), None, None)
    assert here.size > here.free > 0
    assert here.device == tmp_path.stat().st_dev
    later = probes.place(tmp_path / "a" / "b")
    assert (later.path, later.looked_at) == (str(tmp_path / "a" / "b"), str(tmp_path))
    assert later.trouble is None
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_may_not_be_written(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    with an_ordinary_user():
        told = [basics.data_dir(probes.place(path)) for path in (closed, closed / "training")]
    for check in told:
        words = ["Permission denied", "Set c.TrainingApp.data_dir"]
        says(check, Verdict.PROBLEM, *words, blocks=True)


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "training"):
        assert probes.place(path).trouble == "Not a directory"


def test_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk):
        small = probes.place(disk)
        assert small.trouble is None
        says(basics.space([small]), Verdict.PROBLEM, "is full but for 6 MB", blocks=True)
        fill(disk / "filler")
        says(basics.data_dir(probes.place(disk)), Verdict.PROBLEM, "disk is full", blocks=True)


def test_a_small_job_runs_and_leaves_nothing(tmp_path: Path) -> None:
    there = Look(probes.trial, tmp_path, timeout_s=PATIENCE_S).result()
    assert not isinstance(there, NoAnswer), there
    assert (there.directory, there.trouble) == (str(tmp_path), None)
    assert list(tmp_path.iterdir()) == []
    missing = probes.trial(tmp_path / "missing")
    assert missing.directory != str(tmp_path / "missing")
    assert missing.trouble is None
    assert list(tmp_path.iterdir()) == []


def test_a_control_group_that_is_not_ours() -> None:
    facts = probes.memory()
    if facts.version is None:
        assert "CI" not in os.environ, "CI has to have cgroups, or they are never looked at"
        pytest.skip("this system shows no cgroup")
    with an_ordinary_user():
        facts = probes.memory()
    assert facts.directory
    says(basics.memory(facts), Verdict.ABSENT, "watched instead")


def test_a_database_is_looked_at_and_stays_as_it_is(database_url: str, tmp_path: Path) -> None:
    def files() -> list[Path]:
        return sorted(tmp_path.rglob("*"))

    before = database.look(database_url)
    assert (before.trouble, before.revision, files()) == (None, None, [])
    opened = Database(database_url)
    opened.migrate(to="0001")
    old = database.look(database_url)
    assert (old.trouble, old.revision, old.version[:1].isdecimal()) == (None, "0001", True)
    assert "the next server upgrades it" in basics.database(old).found
    opened.close()
    assert database.look(database_url).revision == "0001"
    opened.migrate()
    there = files()
    says(basics.database(database.look(database_url)), Verdict.OK, "as this package needs it")
    assert files() == there
    with opened.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = 'from-the-future'"))
    opened.close()
    newer = basics.database(database.look(database_url))
    words = ["revision from-the-future is newer than this package", "pip install --upgrade"]
    says(newer, Verdict.PROBLEM, *words, blocks=True)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "training.db"
    path.write_text("Dear diary, " * 1000)
    assert database.look(f"sqlite:///{path}").trouble is DatabaseTrouble.DAMAGED
    path.unlink()
    path.mkdir()
    assert database.look(f"sqlite:///{path}").trouble is DatabaseTrouble.AWAY


def test_a_database_that_may_not_be_written(tmp_path: Path) -> None:
    path = tmp_path / "training.db"
    sqlite3.connect(path).close()
    for url in (f"sqlite:///{path}", f"sqlite:///{tmp_path}/new/training.db"):
        tmp_path.chmod(0o555)
        with an_ordinary_user():
            if not os.access(tmp_path, os.X_OK) and "new" not in url:
                continue  # it is not even seen
            assert database.look(url).trouble is DatabaseTrouble.READ_ONLY
    tmp_path.chmod(0o755)


@pytest.mark.parametrize("url", ["mysql://ada:secret@host/x", "nonsense:secret", "sqlite://"])
def test_what_is_no_database_for_jobs(url: str) -> None:
    check = basics.database(database.look(url))
    says(check, Verdict.PROBLEM, "Set c.TrainingApp.database_url to", blocks=True)
    assert "secret" not in check.found


def test_a_postgresql_that_is_away_or_lets_nobody_in(own_postgres: Postgres) -> None:
    url = own_postgres.new_database()
    missing = database.look(own_postgres.url("nowhere"))
    assert missing.trouble is DatabaseTrouble.MISSING
    stranger = url.replace(f"//{own_postgres.user}@", "//stranger:secret@")
    check = basics.database(database.look(stranger))
    says(check, Verdict.PROBLEM, "does not let this user in", blocks=True)
    assert "secret" not in check.found
    with own_postgres.connect("postgres") as connection:
        connection.execute("CREATE ROLE guest LOGIN")
        name = make_url(url).database
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
    assert database.look(url).trouble is DatabaseTrouble.READ_ONLY
    with own_postgres.connect("postgres") as connection:
        connection.execute(f"ALTER DATABASE {name} RESET ALL".encode())
    guest = database.look(url.replace(f"//{own_postgres.user}@", "//guest@"))
    assert (guest.trouble, guest.words) == (
        DatabaseTrouble.FORBIDDEN,
        "this user may not make tables in it",
    )
    own_postgres.stop()
    away = basics.database(database.look(url))
    own_postgres.start()
    says(away, Verdict.PROBLEM, "cannot be reached", "Start PostgreSQL there", blocks=True)


def ask(engine: Engine, network: str = "bridge") -> DockerFacts:
    facts = Look(probes.docker, engine.url, network, timeout_s=PATIENCE_S).result()
    assert not isinstance(facts, NoAnswer), facts
    return facts


def test_an_engine_that_answers(engine: Engine) -> None:
    facts = ask(engine)
    check = devices.docker(facts, SETTINGS)
    says(check, Verdict.OK, f"Docker {facts.version} (API ", f"at {engine.url}", "storage driver")
    assert facts.version[:1].isdecimal()
    assert "runc" in facts.runtimes
    assert ask(engine, "no-such-network").network_missing


def test_an_engine_without_and_with_the_nvidia_runtime(engine: Engine) -> None:
    cards = DriverFacts("550.54", (GpuFacts("GPU-a", 0, "NVIDIA A100", 80.0),), on_bus=1)
    without = devices.docker_gpus(ask(engine), cards, SETTINGS)
    says(without, Verdict.PROBLEM, "no NVIDIA runtime", "nvidia-ctk runtime configure")
    engine.restart("--add-runtime", "nvidia=/bin/true")
    try:
        facts = ask(engine)
    finally:
        engine.restart()
    says(devices.docker_gpus(facts, cards, SETTINGS), Verdict.OK, "NVIDIA runtime")


@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket")
def test_an_engine_that_is_not_for_this_user(engine: Engine) -> None:
    with an_ordinary_user():
        forbidden = probes.docker(engine.url, "bridge")
    gc.collect()  # docker-py leaves its socket open, and here is no process that ends
    assert forbidden.trouble is DockerTrouble.FORBIDDEN
    says(devices.docker(forbidden, SETTINGS), Verdict.PROBLEM, "usermod -aG docker")


def test_an_engine_that_is_down(engine: Engine) -> None:
    engine.kill()
    try:
        down = ask(engine)
    finally:
        engine.start()
    assert down.trouble is DockerTrouble.AWAY
    words = [f"The Docker engine at {engine.url} does not answer", "systemctl start docker"]
    says(devices.docker(down, SETTINGS), Verdict.PROBLEM, *words)


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeGpus:
    """Two cards of a fake driver, which also tells its version."""
    fake = FakeGpus(tmp_path / "cards", ["NVIDIA A100-SXM4-80GB", "NVIDIA GeForce RTX 4090"])
    library = fake_nvml.build(tmp_path)
    source = tmp_path / "with_version.c"
    source.write_text(WITH_VERSION.format(Path(fake_nvml.__file__).with_name("fake_nvml.c")))
    shared = ["-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1"]
    subprocess.run(["cc", *shared, "-o", library, source], check=True)
    for name, value in fake.environment(library).items():
        monkeypatch.setenv(name, value)
    return fake


def driver(timeout_s: float = PATIENCE_S) -> DriverFacts | NoAnswer:
    return Look(probes.driver, timeout_s=timeout_s).result()


def test_the_driver_tells_of_its_cards(cards: FakeGpus) -> None:
    cards.card(1, ecc_uncorrected=2)
    facts = driver()
    assert isinstance(facts, DriverFacts), facts
    assert [(one.uuid, one.model) for one in facts.gpus] == [
        (fake_nvml.uuid(0), "NVIDIA A100-SXM4-80GB"),
        (fake_nvml.uuid(1), "NVIDIA GeForce RTX 4090"),
    ]
    words = [
        "NVIDIA driver 550.54.15, 2 GPUs: 0: NVIDIA A100-SXM4-80GB, 80 GB",
        f"{fake_nvml.uuid(1)} reports uncorrect",
    ]
    says(devices.gpus(facts, SETTINGS), Verdict.PROBLEM, *words)


def test_the_library_is_there_but_the_driver_is_not(cards: FakeGpus) -> None:
    cards.fail("*", fake_nvml.DRIVER_NOT_LOADED)
    facts = driver()
    assert isinstance(facts, DriverFacts), facts
    assert facts.trouble is DriverTrouble.NOT_LOADED
    says(devices.gpus(facts, SETTINGS), Verdict.PROBLEM, "the driver is not loaded", "modprobe")


def test_a_driver_that_fails_in_its_own_way(cards: FakeGpus) -> None:
    cards.fail("*", fake_nvml.UNKNOWN)
    facts = driver()
    assert isinstance(facts, DriverFacts), facts
    says(devices.gpus(facts, SETTINGS), Verdict.PROBLEM, "cannot be used (", "nvidia-smi")


def test_a_driver_that_hangs_is_not_waited_for(cards: FakeGpus) -> None:
    cards.hang("nvmlInitWithFlags")
    assert driver(timeout_s=2) == NoAnswer("gave no answer within 2 s", is_silent=True)


def test_there_is_no_driver_here() -> None:
    facts = driver()
    assert isinstance(facts, DriverFacts), facts
    if facts.trouble is not DriverTrouble.NO_LIBRARY:
        pytest.skip("this machine has one")
    verdict = Verdict.PROBLEM if facts.on_bus else Verdict.ABSENT
    says(devices.gpus(facts, SETTINGS), verdict, "driver")


def test_cards_are_seen_on_the_bus(tmp_path: Path) -> None:
    for name, vendor, kind in (
        ("0", "0x10de", "0x030000"),
        ("1", "0x10de", "0x030200"),
        ("2", "0x10de", "0x040300"),  # the sound of a card
        ("3", "0x8086", "0x030000"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vendor").write_text(f"{vendor}\n")
        (tmp_path / name / "class").write_text(f"{kind}\n")
    (tmp_path / "4").mkdir()
    assert probes._nvidia_cards(tmp_path) == 2
