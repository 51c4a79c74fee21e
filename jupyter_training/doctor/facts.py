"""What the doctor has seen, as values: `probes` makes them; what they mean is decided elsewhere.

Amounts are bytes unless a name says otherwise. None stands for what the system does not tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class MachineFacts:
    """The system, and what a server may use of it.

    Attributes
    ----------
    system
        What `sys.platform` says.
    python
        Its version.
    """

    system: str
    release: str
    python: tuple[int, int, int]
    cpu_cores: int
    memory_gb: int


@dataclass(frozen=True)
class PlaceFacts:
    """A directory to write into, and the disk that it is on.

    Attributes
    ----------
    path
        The directory.
    looked_at
        The directory itself, or the innermost one above that exists.
    trouble
        Why nothing can be written there, in the system's words.
    is_full
        Whether that is for lack of space.
    network
        The kind of network file system.
    free, size
        For a user who is not root.
    free_inodes, inodes
        How many more files it can hold, and how many at all; 0 and 0 where there is no limit.
    device
        What tells one disk from another.
    """

    path: str
    looked_at: str
    free: int
    size: int
    free_inodes: int = 0
    inodes: int = 0
    device: int = 0
    trouble: str | None = None
    is_full: bool = False
    network: str | None = None


class DatabaseTrouble(str, Enum):
    """Why a database cannot be used."""

    UNKNOWN = "unknown"
    AWAY = "away"
    MISSING = "missing"
    FORBIDDEN = "forbidden"
    READ_ONLY = "read-only"
    DAMAGED = "damaged"
    LOCKED = "locked"


@dataclass(frozen=True)
class DatabaseFacts:
    """The database.

    Attributes
    ----------
    kind, where, version
        As a person says it: SQLite or PostgreSQL; without a password.
    revision
        Of its schema; None if there is nothing in it yet.
    head
        The newest revision that this package knows.
    behind
        By how many revisions it is older than this package; None if it is newer.
    network
        The kind of network file system that it is on.
    words
        What the database or the system said.
    """

    kind: str
    where: str
    version: str = ""
    revision: str | None = None
    head: str = ""
    behind: int | None = 0
    network: str | None = None
    trouble: DatabaseTrouble | None = None
    words: str = ""


@dataclass(frozen=True)
class TrialFacts:
    """How a small job went.

    Attributes
    ----------
    directory
        Where its files were.
    took_s
        From its start to its end (s).
    trouble
        Why it did not go well.
    """

    directory: str
    took_s: float
    trouble: str | None = None


@dataclass(frozen=True)
class MemoryFacts:
    """What can keep local jobs within their memory.

    Attributes
    ----------
    on_linux
        Elsewhere nothing can.
    version, directory
        The cgroup in which groups for jobs would be made; None if none can be seen.
    is_usable
        Whether a group could be made there.
    is_read_only
        Whether it is mounted so.
    """

    on_linux: bool
    version: int | None = None
    directory: str = ""
    is_usable: bool = False
    is_read_only: bool = False


class DockerTrouble(str, Enum):
    """Why a Docker engine cannot be used."""

    AWAY = "away"
    FORBIDDEN = "forbidden"
    UNUSABLE = "unusable"
    REFUSED = "refused"


@dataclass(frozen=True)
class DockerFacts:
    """The Docker engine.

    Attributes
    ----------
    is_installed
        Whether its programs are on this machine, or its socket is.
    rootless_url
        Where an engine of this user's own would be, if its socket is there.
    network_missing
        Whether there is no such network as is configured.
    """

    url: str
    is_local: bool
    is_installed: bool
    rootless_url: str | None = None
    trouble: DockerTrouble | None = None
    words: str = ""
    version: str = ""
    api: str = ""
    storage: str = ""
    cgroup: str = ""
    runtimes: tuple[str, ...] = ()
    has_hook: bool = False
    has_cdi: bool = False
    is_rootless: bool = False
    limits_memory: bool = True
    network_missing: bool = False


class DriverTrouble(str, Enum):
    """Why the NVIDIA driver cannot be used."""

    NO_LIBRARY = "no library"
    NOT_LOADED = "not loaded"
    FORBIDDEN = "forbidden"
    MISMATCH = "mismatch"
    OTHER = "other"


@dataclass(frozen=True)
class GpuFacts:
    """A card.

    Attributes
    ----------
    trouble
        Why it is drained, as what follows its name.
    in_use
        Who uses it from outside, in the same form.
    """

    uuid: str
    index: int
    model: str
    memory_gb: float | None
    trouble: str | None = None
    in_use: str | None = None


@dataclass(frozen=True)
class DriverFacts:
    """The NVIDIA driver and its cards.

    Attributes
    ----------
    on_bus
        How many NVIDIA cards the system itself sees.
    words
        What is wrong with the driver or a card that was never readable.
    """

    version: str | None = None
    gpus: tuple[GpuFacts, ...] = ()
    on_bus: int = 0
    trouble: DriverTrouble | None = None
    words: str = ""


@dataclass(frozen=True)
class ServerFacts:
    """A server that runs.

    Attributes
    ----------
    version
        Of this package in it; None if it does not answer.
    trouble
        What keeps it from taking jobs, in its own words.
    """

    url: str
    pid: int
    is_embedded: bool
    version: str | None = None
    trouble: str | None = None
