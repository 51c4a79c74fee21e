"""Start the ranks of one node of a distributed job, write down what they print, end them together.

It is run as a program in each node, in whatever environment the job has, also in a container: so it
uses the standard library only and runs on Python 3.8. Its first argument is a JSON object that says
what to do, the others are the command.

The nodes of a job meet in a directory that all of them see:

``master.json``
    The port that the first rank is to listen at, and where. The first node says so, when it starts.
``failed.json``
    The rank that failed first, and how. It can be created once; whoever sees it ends its own ranks,
    and that needs no server.

What a rank prints is in ``output-<rank>.log`` as it was printed, and line by line, with the rank in
front, in ``output.log``.

With another launcher than ours, such as ``torchrun``, this program starts that one, and that one
starts this program again in each rank, so that logs and ends are the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from typing import Any

MASTER, FAILED = "master.json", "failed.json"

NODES = "JUPYTER_TRAINING_NODES"
"""In the environment where a cluster has started fewer nodes than there could be."""

ADDRESS = "JUPYTER_TRAINING_NODE_ADDRESS"
"""In the environment where a cluster says how other nodes reach this one."""

GRACE_S = 5.0
"""How long ranks may take to end when another one has failed (s)."""

_LOOK_S = 0.5
_LAST_WORDS_S = 1.0
_PIPE_BYTES = 1 << 20
"""What a pipe may hold, at most."""

_LONGEST_LINE = 1 << 15
_CHUNK = 1 << 16
_BLOCK = 4096
_PUNCH_HOLE, _KEEP_SIZE = 2, 1
_GET_ADDRESS = 0x8915
"""``SIOCGIFADDR`` of Linux."""

_PORTS = range(20000, 32000)
"""Below the ports that a Linux system gives to whoever does not care (32768 and above)."""

_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

_INSTALL = {
    "torchrun": "install PyTorch (pip install torch)",
    "accelerate": "install Accelerate (pip install accelerate)",
    "deepspeed": "install DeepSpeed (pip install deepspeed)",
    "mpirun": "install an MPI such as Open MPI (apt-get install openmpi-bin)",
}


def main(arguments: list[str]) -> None:
    """Do what the arguments say, and end as the ranks did."""
    work, command = json.loads(arguments[0]), arguments[1:]
    crew = _Crew(work)
    if work.get("role") == "rank":
        _be_rank(crew, work, command)
    else:
        _be_node(crew, work, command)
    _leave(crew.run())


def _be_node(crew: _Crew, work: dict[str, Any], command: list[str]) -> None:
    """Start the ranks of a node, or who starts them."""
    if work["devices"] is None:  # who has started this has chosen them, and perhaps fewer nodes
        work["devices"] = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        work["nodes"] = int(os.environ.get(NODES, work["nodes"]))
    port = _agree_on_port(crew, work)
    if port is None:
        return  # it was told to end before it began
    env = _environment(work, port, command)
    local = work["local"]
    if work["launcher"] in ("builtin", "none"):
        for index in range(local):
            rank = work["node"] * local + index
            crew.start(rank, command, {**env, **_of_rank(rank, index)})
        return
    shim = json.dumps({**work, "role": "rank"})
    inner = [sys.executable, "-I", os.path.abspath(__file__), shim, *command]
    crew.start(None, _launch_command(work, port, inner), env)


def _be_rank(crew: _Crew, work: dict[str, Any], command: list[str]) -> None:
    """Be the rank that somebody else's launcher has started."""
    names = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK")
    locals_ = ("LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "PMI_LOCAL_RANK")
    rank = int(next((os.environ[name] for name in names if name in os.environ), 0))
    index = int(next((os.environ[name] for name in locals_ if name in os.environ), rank))
    # Some launchers count devices as if there were no others on the machine.
    devices = {"CUDA_VISIBLE_DEVICES": work["devices"]}
    crew.start(rank, command, {**os.environ, **devices, **_of_rank(rank, index)})


def _of_rank(rank: int, index: int) -> dict[str, str]:
    """What tells a rank from the others. What `report` writes is that of the first one."""
    told = {"RANK": str(rank), "LOCAL_RANK": str(index), "ROLE_RANK": str(rank)}
    if rank:
        told["JUPYTER_TRAINING_METRICS_FILE"] = os.devnull
    return told


def _environment(work: dict[str, Any], port: int, command: list[str]) -> dict[str, str]:
    """What all ranks of a node find, in the words of torchrun."""
    local, world = work["local"], work["nodes"] * work["local"]
    env = dict(os.environ)
    if os.path.isabs(command[0]):
        # As in an activated environment: `torchrun` of the same one is found by its name.
        paths = [os.path.dirname(command[0]), env.get("PATH", os.defpath)]
        env["PATH"] = os.pathsep.join(paths)
    interface = _interface(work["address"])
    for name in ("NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME", "TP_SOCKET_IFNAME"):
        if interface:
            env.setdefault(name, interface)
    node = str(work["node"])
    env.update(
        MASTER_ADDR=work["address"],
        MASTER_PORT=str(port),
        WORLD_SIZE=str(world),
        LOCAL_WORLD_SIZE=str(local),
        NODE_RANK=node,
        GROUP_RANK=node,
        NNODES=str(work["nodes"]),
        GROUP_WORLD_SIZE=str(work["nodes"]),
        ROLE_WORLD_SIZE=str(world),
        ROLE_NAME="default",
        TORCHELASTIC_RUN_ID=env.get("JUPYTER_TRAINING_JOB_ID", "none"),
        TORCHELASTIC_RESTART_COUNT="0",
        TORCHELASTIC_MAX_RESTARTS="0",
    )
    if work["launcher"] == "mpi" and os.geteuid() == 0:
        # In a container it is nobody else, and Open MPI wants to be asked twice.
        env.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    if work["launcher"] == "mpi":
        # How many ranks a node has was decided already.
        env.update(
            OMPI_MCA_rmaps_base_oversubscribe="1",
            PRTE_MCA_rmaps_default_mapping_policy=":oversubscribe",
        )
    if work["launcher"] == "none":
        # What torchrun takes for its options when they are not given.
        env.update(
            PET_NNODES=str(work["nodes"]),
            PET_NODE_RANK=node,
            PET_NPROC_PER_NODE=str(work["processes"]),
            PET_MASTER_ADDR=work["address"],
            PET_MASTER_PORT=str(port),
        )
    return env


def _interface(address: str) -> str | None:
    """The network interface that reaches the other nodes."""
    try:
        names = [name for _, name in socket.if_nameindex()]
    except OSError:
        return None
    loopback = [name for name in names if name in ("lo", "lo0")]
    if address.startswith("127.") or address == "localhost":
        return loopback[0] if loopback else None
    if os.environ.get(ADDRESS):
        # What the name of a machine means on that machine itself is often its loopback.
        return next((one for one in names if _address_of(one) == os.environ[ADDRESS]), None)
    if not address.startswith("node-"):  # the network of a cluster, which its libraries know
        return None
    others = sorted((name for name in names if name not in loopback), key=lambda one: one != "eth0")
    return others[0] if others else None


def _address_of(interface: str) -> str | None:
    """The IPv4 address of a network interface; None if it has none, or nobody can say."""
    try:
        import fcntl

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_:
            told = fcntl.ioctl(any_, _GET_ADDRESS, struct.pack("256s", interface.encode()[:15]))
        return socket.inet_ntoa(told[20:24])
    except (ImportError, OSError):
        return None


def _launch_command(work: dict[str, Any], port: int, inner: list[str]) -> list[str]:
    """The command line of another launcher; `inner` is what it has to run in each rank."""
    nodes, node, local = str(work["nodes"]), str(work["node"]), str(work["local"])
    address, world = str(work["address"]), str(work["nodes"] * work["local"])
    launcher = work["launcher"]
    if launcher == "torchrun":
        where = ["--master-addr", address, "--master-port", str(port)]
        size = ["--nnodes", nodes, "--node-rank", node, "--nproc-per-node", local]
        return ["torchrun", *size, *where, "--no-python", *inner]
    if launcher == "accelerate":
        where = ["--main_process_ip", address, "--main_process_port", str(port)]
        size = ["--num_machines", nodes, "--machine_rank", node, "--num_processes", world]
        kind = ["--multi_gpu"] if work["devices"] and world != "1" else []
        kind += [] if work["devices"] else ["--cpu"]
        return ["accelerate", "launch", *size, *where, *kind, "--no_python", *inner]
    if launcher == "deepspeed":
        hosts = os.path.join(work["meeting"], "hosts-" + node)
        with open(hosts, "w") as file:
            for index in range(work["nodes"]):
                file.write(f"node-{index} slots={local}\n")
        where = ["--master_addr", address, "--master_port", str(port)]
        size = ["--hostfile", hosts, "--no_ssh", "--node_rank", node]
        return ["deepspeed", *size, *where, "--no_python", "--no_local_rank", *inner]
    return ["mpirun", "-np", local, *inner]


def _agree_on_port(crew: _Crew, work: dict[str, Any]) -> int | None:
    """The port of the first rank, which the first node chooses and the others wait for."""
    path = os.path.join(work["meeting"], MASTER)
    if work["node"] == 0:
        port, crew.hold = _free_port()
        work["address"] = work["address"] or _own_address()
        _appear(path, {"port": port, "address": work["address"]})
        return port
    while not crew.is_over():
        told = contextlib.suppress(OSError, ValueError, KeyError, TypeError)
        with told, open(path) as file:
            said = json.load(file)
            work["address"] = work["address"] or str(said["address"])
            return int(said["port"])
        crew.pause(0.02)
    return None


def _own_address() -> str:
    """The name by which other nodes of a cluster find this one."""
    if os.environ.get(ADDRESS):
        return os.environ[ADDRESS]
    for name in (os.environ.get("SLURMD_NODENAME"), socket.gethostname()):
        with contextlib.suppress(OSError):
            if name:
                found = socket.gethostbyname(name)
                return "127.0.0.1" if found.startswith("127.") else name
    return "127.0.0.1"


def _free_port() -> tuple[int, socket.socket | None]:
    """A port that nobody uses, and what keeps others like us from choosing it, too.

    The first rank takes seconds until it listens. Until then nobody gets this port by chance, as
    the system gives out others, and no other first node of this machine chooses it, as long as we
    hold a name that has the number in it.
    """
    for port in random.sample(_PORTS, 200):
        hold = socket.socket(socket.AF_UNIX)
        try:
            if sys.platform == "linux":
                hold.bind(f"\0jupyter-training-port-{port}")
            with socket.socket() as probe:
                probe.bind(("", port))
        except OSError:
            hold.close()
            continue
        return port, hold
    with socket.socket() as probe:
        probe.bind(("", 0))
        port = int(probe.getsockname()[1])
    return port, None


def _appear(path: str, content: dict[str, Any]) -> bool:
    """Let a file appear, whole, if it is not there; whether it was not."""
    draft = f"{path}.{os.getpid()}"
    with open(draft, "w") as file:
        json.dump(content, file)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(draft)
    return True


class _Process:
    """A rank, or another launcher, and where its output goes."""

    def __init__(
        self,
        rank: int | None,
        label: str,
        process: subprocess.Popen[bytes],
        logs: str,
        merged: _Log,
        limit: int,
    ) -> None:
        self.rank, self.process = rank, process
        assert process.stdout is not None
        self.pipe = process.stdout.fileno()
        os.set_blocking(self.pipe, False)
        self.status: int | None = None
        self._prefix = f"[{label}] ".encode()
        self._merged, self._rest = merged, b""
        own = os.path.join(logs, f"output-{rank}.log")
        self._own = None if rank is None else _Log(own, limit)

    def copy(self) -> bool:
        """Move some of what was printed into the logs; False when there will be no more."""
        try:
            chunk = os.read(self.pipe, _CHUNK)
        except BlockingIOError:
            return True
        if not chunk:
            return False
        if self._own is not None:
            self._own.write(chunk)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        self._merge(lines)
        return True

    def close(self) -> None:
        """There will be no more but what is in the pipe by now, whoever has its other end."""
        for _ in range(_PIPE_BYTES // _CHUNK + 1):
            if not self.copy():
                break
        if self._rest:
            self._merge([self._rest])
            self._rest = b""

    def _merge(self, lines: list[bytes]) -> None:
        # Whole lines in one write: other nodes write there, too.
        if lines:
            self._merged.write(b"".join(self._prefix + line + b"\n" for line in lines))

    def send(self, number: int, everybody: bool = False) -> None:
        """Send a signal to the process, or to all of its group, which it leads."""
        with contextlib.suppress(OSError):
            if everybody:
                os.killpg(self.process.pid, number)
            elif self.status is None:
                os.kill(self.process.pid, number)


class _Crew:
    """The processes of a node, from the start of the first to the end of the last."""

    def __init__(self, work: dict[str, Any]) -> None:
        self._work = work
        self._failed = os.path.join(work["meeting"], FAILED)
        self._several: list[_Process] = []
        self._open = selectors.DefaultSelector()
        self._merged = _Log(os.path.join(work["logs"], "output.log"), work["log_limit"])
        self._is_asked = self._is_ending = False
        self._kill_at: float | None = None
        self._end = 0
        self.hold: socket.socket | None = None
        """What keeps the port; it is let go at the end of this program."""
        self._signals, wake = os.pipe()
        for end in (self._signals, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (*_PASSED_ON, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        self._open.register(self._signals, selectors.EVENT_READ, None)

    def start(self, rank: int | None, command: list[str], env: dict[str, str]) -> None:
        """Start a rank; with None for a rank, another launcher."""
        if self.is_over():
            return
        label = f"rank {rank}" if rank is not None else f"node {self._work['node']}"
        if rank is None and shutil.which(command[0], path=env.get("PATH")) is None:
            hint = _INSTALL[command[0]]
            self._cannot_start(rank, f"there is no {command[0]}: {hint}")
            return
        try:
            process = subprocess.Popen(
                command,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            self._cannot_start(rank, f"{command[0]}: {error.strerror}")
            return
        work = self._work
        made = _Process(rank, label, process, work["logs"], self._merged, work["log_limit"])
        self._several.append(made)
        self._open.register(made.pipe, selectors.EVENT_READ, made)

    def run(self) -> int:
        """Follow them to their ends.

        Returns
        -------
        int
            How this program is to end: a code, or the negative number of a signal.
        """
        while self._lives():
            self.pause(_LOOK_S)
        until = time.monotonic() + _LAST_WORDS_S
        while len(self._open.get_map()) > 1 and time.monotonic() < until:
            self.pause(0.1)
        for one in self._several:
            one.close()
        return self._end

    def pause(self, seconds: float) -> None:
        """Do what there is to do, or wait for it so long."""
        if self._kill_at is not None:
            seconds = max(0.0, min(seconds, self._kill_at - time.monotonic()))
        for key, _ in self._open.select(seconds):
            if key.data is None:
                for number in os.read(self._signals, 4096):
                    self._pass_on(number)
            elif not key.data.copy():
                self._open.unregister(key.fd)
        for one in self._several:
            if one.status is None and one.process.poll() is not None:
                one.status = one.process.returncode
                self._has_ended(one)
        if not self._is_ending and os.path.exists(self._failed):
            self._end_all()
            self._end = self._end or 1
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._kill_at = time.monotonic() + 0.1
            for one in self._several:
                one.send(signal.SIGKILL, everybody=True)

    def is_over(self) -> bool:
        """Whether it is to end, or was told to."""
        return self._is_ending or self._is_asked

    def _lives(self) -> bool:
        return any(one.status is None for one in self._several)

    def _pass_on(self, number: int) -> None:
        if number == signal.SIGCHLD:
            return
        if number == signal.SIGTERM:
            self._is_asked = True
            if not self._several:
                self._end = -number
        for one in self._several:
            one.send(number)

    def _has_ended(self, one: _Process) -> None:
        if not one.status or self._end:
            return
        self._end = one.status
        if not self.is_over():
            code = one.status if one.status > 0 else None
            self._tell(one.rank, {"exit_code": code, "signal": -one.status if not code else None})
            self._end_all()

    def _cannot_start(self, rank: int | None, why: str) -> None:
        self._merged.write(f"[jupyter-training] {why}\n".encode())
        self._tell(rank, {"cause": "launch_failed", "detail": why})
        self._end = 127
        self._end_all()

    def _tell(self, rank: int | None, how: dict[str, Any]) -> None:
        """Say how the first one failed, if nobody has."""
        told = {"rank": rank, "node": self._work["node"], "at": time.time()}
        with contextlib.suppress(OSError):
            _appear(self._failed, {**told, **how})

    def _end_all(self) -> None:
        self._is_ending = True
        self._kill_at = time.monotonic() + GRACE_S
        for one in self._several:
            one.send(signal.SIGTERM)


class _Log:
    """A log, to which perhaps other nodes write, too.

    Parameters
    ----------
    limit
        How much of it is kept (bytes), 0 for all: the first half of that and the newest part. What
        is between is given back to the file system, as a hole. Where that can't be, it ends there.
    """

    def __init__(self, path: str, limit: int) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)
        self._limit, self._next, self._is_full = limit, limit, False

    def write(self, content: bytes) -> None:
        """Write as much as there is space for: a full disk makes a gap, and stops no training."""
        if self._is_full:
            return
        with contextlib.suppress(OSError):
            while content:
                content = content[os.write(self._file, content) :]
            size = os.fstat(self._file).st_size
            if self._limit and size >= self._next:
                self._next = size + self._limit // 16
                self._drop_middle(size)

    def _drop_middle(self, size: int) -> None:
        head = -(-self._limit // 2 // _BLOCK) * _BLOCK
        end = (size - self._limit // 2) // _BLOCK * _BLOCK
        if end <= head or _punch(self._file, head, end - head):
            return
        self._is_full = True
        os.write(self._file, b"\n[jupyter-training: the log has reached its limit and ends here]\n")


def _punch(file: int, offset: int, length: int) -> bool:
    """Give a part of a file back to the file system; whether it could be."""
    try:
        import ctypes  # needs a library that small images do not have

        fallocate = ctypes.CDLL(None).fallocate
    except (ImportError, AttributeError):
        return False
    what = _PUNCH_HOLE | _KEEP_SIZE
    done: int = fallocate(file, what, ctypes.c_longlong(offset), ctypes.c_longlong(length))
    return done == 0


def _leave(end: int) -> None:
    """End as a rank did: with its code, or by its signal."""
    if end >= 0:
        sys.exit(end)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it has had its own
    with contextlib.suppress(OSError, ValueError):
        signal.signal(-end, signal.SIG_DFL)
    os.kill(os.getpid(), -end)
    sys.exit(128 - end)


if __name__ == "__main__":
    main(sys.argv[1:])
