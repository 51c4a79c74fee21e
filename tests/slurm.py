"""A real Slurm of our own: a controller and three nodes on this machine, ended with the tests.

It needs root, and Debian's ``slurmctld``, ``slurmd``, ``slurmrestd``, ``slurm-client`` and
``munge``. Everything of it is in a temporary directory, with a munged of its own. GPUs are faked at
the very bottom: as device files that Slurm counts, hands out and names in ``CUDA_VISIBLE_DEVICES``.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.patience import PATIENCE_S
from tests.ports import free_ports

if TYPE_CHECKING:
    from tests.conftest import Home

NODES = ("node1", "node2", "node3")
CPUS, MEMORY_GB, GPUS = 4, 4, 4
"""What each node has."""

_CONFIG = """
ClusterName=training
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={place}/munge.socket
CredType=cred/munge
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool-%n
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd-%n.pid
SlurmctldLogFile={place}/slurmctld.log
SlurmdLogFile={place}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,bf_resolution=1,sched_min_interval=50000,bf_window=2880
GresTypes=gpu
SlurmdParameters=config_overrides
SlurmdTimeout=24
SlurmctldTimeout=10
ReturnToService=2
KillWait=3
MinJobAge=60
MessageTimeout=10
JobRequeue=1
NodeName=node1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[1]} {node}
NodeName=node2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[2]} {node}
NodeName=node3 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[3]} {node}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=small Nodes=node1 MaxTime=60 State=UP
"""
"""Its configuration.

A busy machine is given time: Slurm declares a node lost that does not answer for `SlurmdTimeout`,
and requeues a job whose start nobody confirms within `MessageTimeout`. Either is another attempt.
But three times within `SlurmdTimeout` it asks nodes how they are, and tests wait for that, too.
"""


class Slurm:
    """A cluster whose daemons can be killed and started again.

    Parameters
    ----------
    place
        An empty directory with a short path: there are sockets in it.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self.config = place / "slurm.conf"
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        (place / "state").mkdir()
        for index in range(GPUS):
            os.mknod(place / f"gpu{index}", 0o20666, os.makedev(1, 3))  # as /dev/null
        node = f"CPUs={CPUS} RealMemory={MEMORY_GB * 1024} Gres=gpu:a100:{GPUS} State=UNKNOWN"
        ports = free_ports(4)
        self._ports = dict(zip(NODES, ports[1:], strict=True))
        values = {"place": place, "ports": ports, "node": node}
        self.config.write_text(_CONFIG.format(**values))
        gpus = f"Name=gpu Type=a100 File={place}/gpu[0-{GPUS - 1}]\n"
        (place / "gres.conf").write_text(gpus)
        key = place / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)

    @property
    def env(self) -> Mapping[str, str]:
        """What its commands need in their environment."""
        return {"SLURM_CONF": str(self.config)}

    @property
    def _whole_env(self) -> Mapping[str, str]:
        path = os.environ["PATH"] + os.pathsep + "/usr/sbin"
        return {**os.environ, **self.env, "PATH": path}

    def start(self) -> None:
        """Start all of it, and return when all nodes can be used."""
        munge = [f"--{name}={self.place}/munge.{name}" for name in ("socket", "key-file")]
        munge = [one.replace("munge.key-file", "munge.key") for one in munge]
        files = [f"--{one}-file={self.place}/munge.{one}" for one in ("pid", "log", "seed")]
        self._run("munged", "munged", "--foreground", "--force", *munge, *files)
        self._until((self.place / "munge.socket").exists)
        self.start_controller()
        for node in NODES:
            self.start_node(node)
        self.until_up()

    def start_controller(self) -> None:
        """Start the controller."""
        self._run("slurmctld", "slurmctld", "-D", "-i")

    def restart_node(self, node: str, unseen: Path | None = None) -> None:
        """Have another daemon of a node, which perhaps does not see what is in a directory.

        Until it listens, Slurm believes that the one before can still be used.
        """
        self.kill(node)
        self.start_node(node, unseen)
        self._until(lambda: self._listens(node))
        self.until_up()

    def lose(self, node: str) -> None:
        """Kill the daemon of a node, of which Slurm is told at once that nobody can use it."""
        self.kill(node)
        self.command("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=lost")

    def start_node(self, node: str, unseen: Path | None = None) -> None:
        """Start the daemon of a node."""
        program = ["slurmd", "-D", "-N", node]
        if unseen is not None:
            hide = 'mount -t tmpfs none "$0" && exec "$@"'
            program = ["unshare", "--mount", "sh", "-c", hide, str(unseen), *program]
        self._run(node, *program)

    def start_rest(self) -> str:
        """Start slurmrestd, and return its URL when it answers.

        It refuses to be root, which is who owns the jobs here. So it is in a user namespace, where
        it believes to be somebody else; Slurm and who asks it know better.
        """
        self.place.chmod(0o755)
        file = self.place / "rest.socket"
        file.unlink(missing_ok=True)
        version = self.command("slurmctld", "-V").split()[1]
        # Of all that it could speak, some of which needs an accounting that is not there.
        plugins = ["-s", "openapi/v0.0.38"] if version.startswith("22.") else ["-s", "slurmctld"]
        somebody = ["--user", "--map-user=1000", "--map-group=1000"]
        arguments = [*plugins, "-a", "rest_auth/local", f"unix:{file}"]
        self._run("slurmrestd", "unshare", *somebody, "slurmrestd", *arguments)
        self._until(file.is_socket)
        return f"unix://{file}"

    def kill(self, daemon: str) -> None:
        """Kill ``slurmctld``, or the daemon of a node, which leaves its jobs alone."""
        self._daemons[daemon].kill()
        self._daemons[daemon].wait(PATIENCE_S)

    def until_up(self) -> None:
        """Return when all nodes can be used, also what Slurm has drained.

        A controller that was killed may have forgotten that it had begun jobs on a node, and drains
        the node when that does not begin them again.
        """

        def are_up() -> bool:
            for node in set(
                (self._ask("sinfo", "-h", "-N", "-t", "drain", "-o", "%N") or "").split()
            ):
                self._ask("scontrol", "update", f"NodeName={node}", "State=RESUME")
            return self._are("idle,mix,alloc")

        self._until(are_up)

    def until_idle(self) -> None:
        """Return when all nodes are free, and nothing has to be cleared up behind a job."""
        self.until_up()
        self._until(lambda: self._are("idle"))

    def until_saved(self) -> None:
        """Return when all nodes are free, and also a controller that is killed will know that.

        It writes down how jobs stand some seconds later; for minutes the next one would take for
        running what has ended since.
        """
        self.until_idle()
        since, file = time.time(), self.place / "state" / "job_state"
        held = self.command("sbatch", "--parsable", "--hold", "--output=/dev/null", "--wrap=true")
        self.command("scancel", held.strip())
        self._until(lambda: file.exists() and file.stat().st_mtime > since)

    def until_cleared_up(self) -> None:
        """Return when nothing has to be cleared up any more behind a job that has ended."""
        self._until(lambda: self._ask("squeue", "-h", "-t", "completing") == "")

    def command(self, *words: str) -> str:
        """Run one of its commands; what it printed."""
        done = subprocess.run(
            words, env=self._whole_env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def close(self) -> None:
        """End all of it."""
        with contextlib.suppress(AssertionError):
            self.command("scancel", "--quiet", "--user", "root")
        for name in ("slurmrestd", *NODES, "slurmctld", "munged"):
            if (daemon := self._daemons.get(name)) is not None and daemon.poll() is None:
                daemon.terminate()
        for daemon in self._daemons.values():
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait(PATIENCE_S)
        shutil.rmtree(self.place, ignore_errors=True)

    def _are(self, states: str) -> bool:
        """Whether all nodes are in one of these states."""
        told = self._ask("sinfo", "-h", "-N", "-t", states, "-o", "%N") or ""
        return set(told.split()) == set(NODES)

    def _ask(self, *words: str) -> str | None:
        """What a command prints; None if Slurm does not answer."""
        done = subprocess.run(
            words, env=self._whole_env, capture_output=True, text=True, check=False
        )
        return done.stdout if done.returncode == 0 else None

    def _listens(self, node: str) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._ports[node])) == 0

    def _run(self, name: str, program: str, *arguments: str) -> None:
        with (self.place / f"{name}.out").open("ab") as log:
            # A test run that is killed leaves no daemon behind.
            self._daemons[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", program, *arguments],
                env=self._whole_env,
                cwd=self.place,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _until(self, condition: object) -> None:
        assert callable(condition)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.05)  # another program has no event for us
        raise AssertionError("\n".join(one.read_text()[-1500:] for one in self.place.glob("*.log")))


CONFIGURATION = """
c.TrainingApp.executors = ["local", "docker", "slurm"]
c.Slurm.poll_interval = 0.5
c.Slurm.sign_interval = 1.0
c.Slurm.settle_time = 0.1
"""
"""Of a server that has a cluster."""


def with_slurm(home: Home, slurm: Slurm) -> Home:
    """A home whose servers have the cluster, too."""
    home.variables.update(slurm.env)
    home.configure(CONFIGURATION)
    return home


def why_not() -> str | None:
    """Why no Slurm can be started here; None if one can."""
    if os.geteuid() != 0:
        return "a Slurm of our own needs root"
    paths = os.environ["PATH"] + os.pathsep + "/usr/sbin"
    programs = ("munged", "slurmctld", "slurmd", "slurmrestd", "sbatch", "srun", "squeue")
    missing = [name for name in programs if shutil.which(name, path=paths) is None]
    packages = "slurmctld, slurmd, slurmrestd, slurm-client and munge"
    return f"{', '.join(missing)} missing: install {packages}" if missing else None


@contextlib.contextmanager
def running() -> Iterator[Slurm]:
    """A cluster for as long as it is wanted."""
    made = Slurm(Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp")))
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """A cluster for all tests of a session."""
    told = why_not()
    if told:
        assert "CI" not in os.environ, f"Slurm is never left out there: {told}"
        pytest.skip(told)
    with running() as made:
        yield made


@pytest.fixture(scope="session")
def slurm_rest(slurm: Slurm) -> str:
    """The URL of the slurmrestd of that cluster."""
    return slurm.start_rest()
