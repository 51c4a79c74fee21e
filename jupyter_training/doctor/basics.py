"""What every job needs, judged: from what was seen to a verdict, a sentence and a repair. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_training._version import __version__
from jupyter_training.doctor.checks import Check, Verdict, absent, ok, problem
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

LEAST_FREE = GB
"""With less than this free (bytes) a disk is about to be full: a checkpoint may be larger."""

_LEAST_INODES = 1000
_OLDEST_PYTHON = (3, 10)

PLATFORM, CONFIGURATION, DATABASE = "platform", "configuration", "database"
DATA_DIR, SPACE, TRIAL = "data directory", "disk space", "local jobs"
MEMORY, SERVERS = "memory limits", "servers"


def not_seen(name: str, answer: NoAnswer, repair: str, *, blocks_jobs: bool = False) -> Check:
    """A part of which nothing could be found out."""
    found = f"Nothing could be found out: this {answer.words}."
    if not answer.is_silent:
        repair = "Please report this as a bug, with the sentence above."
    return problem(name, found, repair, blocks_jobs=blocks_jobs)


def platform(facts: MachineFacts, settings: Settings | None) -> Check:
    """The system, and whether what is configured of it is there."""
    python = ".".join(map(str, facts.python))
    system = {"linux": "Linux", "darwin": "macOS"}.get(facts.system, facts.system)
    where = f"{system} {facts.release}, Python {python}, jupyter-training {__version__}"
    if facts.python < _OLDEST_PYTHON:
        oldest = ".".join(map(str, _OLDEST_PYTHON))
        return problem(
            *(PLATFORM, f"{where}: this Python is too old."),
            f"Use Python {oldest} or newer.",
            blocks_jobs=True,
        )
    if facts.system not in ("linux", "darwin"):
        return problem(
            *(PLATFORM, f"{where}: jobs run on Linux, and local ones on macOS, but not here."),
            "Run the server on Linux; on Windows that can be WSL 2.",
            blocks_jobs=True,
        )
    wants = (None, None) if settings is None else (settings.cpu_cores, settings.memory_gb)
    for setting, wanted, there, unit in (
        ("cpu_cores", wants[0], facts.cpu_cores, "CPU cores"),
        ("memory_gb", wants[1], facts.memory_gb, "GB of memory"),
    ):
        if wanted is not None and wanted > there:
            return problem(
                PLATFORM,
                f"{where}: jobs may reserve {wanted} {unit}, but this machine has {there}.",
                f"Set c.TrainingApp.{setting} to {there} or less, or leave it out.",
            )
    cores, memory = wants[0] or facts.cpu_cores, wants[1] or facts.memory_gb
    gives = f"{cores} CPU core{'s' * (cores != 1)} and {memory} GB of memory for jobs"
    limits = "; local jobs only, and memory is not enforced" if facts.system == "darwin" else ""
    return ok(PLATFORM, f"{where}: {gives}{limits}.")


def configuration(settings: Settings | Unreadable) -> Check:
    """Whether a server gets the configuration that was written."""
    if isinstance(settings, Unreadable):
        return problem(
            *(CONFIGURATION, f"No server can use it: {settings.words}"),
            "Correct that setting; `jupyter training serve --help-all` tells what each may be.",
            blocks_jobs=True,
        )
    if settings.ignored:
        return problem(
            *(CONFIGURATION, f"A server leaves a file out: {'; '.join(settings.ignored)}."),
            "Correct that file; until then nothing that is written in it counts.",
        )
    if not settings.is_enabled:
        return problem(
            CONFIGURATION,
            "Jupyter servers do not load jupyter-training; only `jupyter training` in a terminal "
            "and kernels without such a server do, with one of their own.",
            "jupyter server extension enable jupyter_training",
        )
    files = ", ".join(settings.files)
    return ok(CONFIGURATION, f"From {files}." if files else "There is none: all is as by default.")


def data_dir(facts: PlaceFacts) -> Check:
    """Whether files of jobs can be written."""
    if facts.trouble is not None and facts.is_full:
        return problem(
            *(DATA_DIR, f"{facts.path} cannot be written: its disk is full ({facts.trouble})."),
            f"Make room on it (du -xsh {facts.looked_at}), or set c.TrainingApp.data_dir to a "
            "directory on another disk.",
            blocks_jobs=True,
        )
    if facts.trouble is not None:
        what = "written" if facts.looked_at == facts.path else f"made in {facts.looked_at}"
        return problem(
            *(DATA_DIR, f"{facts.path} cannot be {what}: {facts.trouble}."),
            "Set c.TrainingApp.data_dir to a directory that you may write, or let an administrator "
            "make this one and give it to you.",
            blocks_jobs=True,
        )
    where = f", on a network file system ({facts.network})" if facts.network else ""
    if facts.looked_at != facts.path:
        return ok(DATA_DIR, f"{facts.path} is not there yet and can be made{where}.")
    return ok(DATA_DIR, f"{facts.path} can be written{where}.")


def space(places: Sequence[PlaceFacts]) -> Check:
    """Whether there is room for what is written; each disk is told of once."""
    disks = list({facts.device: facts for facts in places}.values())
    for facts in disks:
        if facts.free < LEAST_FREE:
            return problem(
                SPACE,
                f"The disk of {facts.path} is full but for {_size(facts.free)} of "
                f"{_size(facts.size)}.",
                "Make room on it: delete jobs that you need no more, or set c.TrainingApp.data_dir "
                "to a directory on a larger disk. Less than 1 GB does not do for a checkpoint.",
                blocks_jobs=True,
            )
        if facts.inodes and facts.free_inodes < _LEAST_INODES:
            return problem(
                SPACE,
                f"The disk of {facts.path} has room, but can hold only {facts.free_inodes} more "
                f"files (inodes) of {facts.inodes}.",
                "Delete many small files on it (du --inodes -xs tells where they are), or set "
                "c.TrainingApp.data_dir to a directory on another disk.",
                blocks_jobs=True,
            )
    told = [
        f"{_size(facts.free)} of {_size(facts.size)}"
        + (f" and {facts.free_inodes} files (inodes)" if facts.inodes else "")
        + f" free for {facts.path}"
        for facts in disks
    ]
    return ok(SPACE, f"{'; '.join(told)}.")


_DATABASE_REPAIRS = {
    DatabaseTrouble.UNKNOWN: (
        "Set c.TrainingApp.database_url to sqlite:////path/to/file or "
        "postgresql+psycopg://user@host/name, or leave it out."
    ),
    DatabaseTrouble.AWAY: (
        "Start PostgreSQL there, for example with: sudo systemctl start postgresql. If it runs "
        "elsewhere, correct host and port in c.TrainingApp.database_url."
    ),
    DatabaseTrouble.MISSING: (
        "Make it, for example with: createdb NAME; or correct c.TrainingApp.database_url."
    ),
    DatabaseTrouble.FORBIDDEN: (
        "Correct the user in c.TrainingApp.database_url and the password in ~/.pgpass, or let the "
        "user in: ALTER DATABASE … OWNER TO …, and pg_hba.conf."
    ),
    DatabaseTrouble.READ_ONLY: (
        "Let the server's user write it, or set c.TrainingApp.database_url to another database."
    ),
    DatabaseTrouble.DAMAGED: (
        "Stop all servers, and put a backup in its place, or move it away to begin with an empty "
        "one."
    ),
    DatabaseTrouble.LOCKED: (
        "Somebody holds it: end the program that has it open (fuser -v tells which), and look "
        "again."
    ),
}

_DATABASE_WORDS = {
    DatabaseTrouble.UNKNOWN: "it cannot be used",
    DatabaseTrouble.AWAY: "it cannot be reached",
    DatabaseTrouble.MISSING: "it does not exist",
    DatabaseTrouble.FORBIDDEN: "it does not let this user in",
    DatabaseTrouble.READ_ONLY: "it cannot be written",
    DatabaseTrouble.DAMAGED: "it is damaged, or no database",
    DatabaseTrouble.LOCKED: "it is locked",
}


def database(facts: DatabaseFacts) -> Check:
    """Whether the database can be used, and by this version."""
    name = f"{facts.kind} {facts.version}".strip()
    name = f"{name}, {facts.where}: " if facts.where else "With this setting "
    if facts.trouble is not None:
        repair = _DATABASE_REPAIRS[facts.trouble]
        if facts.kind == "SQLite" and facts.trouble is DatabaseTrouble.AWAY:
            repair = "Look at the file and its directory; a server has to be able to read them."
        return problem(
            *(DATABASE, f"{name}{_DATABASE_WORDS[facts.trouble]} ({facts.words.rstrip('.')})."),
            repair,
            blocks_jobs=True,
        )
    if facts.behind is None:
        return problem(
            DATABASE,
            f"{name}its revision {facts.revision} is newer than this package, which knows no later "
            f"one than {facts.head}.",
            "pip install --upgrade jupyter-training; or set c.TrainingApp.database_url to another "
            "database.",
            blocks_jobs=True,
        )
    if facts.network is not None:
        return problem(
            DATABASE,
            f"{name}it is on a network file system ({facts.network}), where SQLite can be damaged.",
            "Set c.TrainingApp.data_dir to a directory on a disk of this machine, or "
            "c.TrainingApp.database_url to a PostgreSQL database.",
        )
    if facts.revision is None:
        return ok(DATABASE, f"{name}nothing is in it yet; the next server makes its tables.")
    if facts.behind:
        steps = f"{facts.behind} revision{'s' * (facts.behind != 1)}"
        return ok(
            DATABASE,
            f"{name}revision {facts.revision}, {steps} older than this package; the next server "
            f"upgrades it to {facts.head}.",
        )
    return ok(DATABASE, f"{name}revision {facts.revision}, as this package needs it.")


def trial(facts: TrialFacts) -> Check:
    """Whether a job runs at all."""
    if facts.trouble is not None:
        return problem(
            TRIAL,
            f"A small job that was tried in {facts.directory} went wrong: {facts.trouble}.",
            "Look whether this user may start processes (ulimit -u) and whether that file system "
            "takes hard links; another c.TrainingApp.data_dir may do.",
            blocks_jobs=True,
        )
    return ok(TRIAL, f"A small job ran from start to end in {facts.took_s:.1f} s.")


def memory(facts: MemoryFacts) -> Check:
    """Whether the kernel can keep jobs within their memory, or they are watched."""
    if not facts.on_linux:
        return absent(
            MEMORY,
            "Memory is reserved but not enforced: that takes Linux.",
        )
    if facts.is_usable:
        return ok(
            MEMORY,
            f"Hard, by cgroups of version {facts.version} in {facts.directory}.",
        )
    watched = "so local jobs are watched instead, and stopped a moment after they go over"
    if facts.version is None:
        return absent(
            MEMORY,
            f"No memory cgroup can be seen here, {watched}.",
            "In a container, mount /sys/fs/cgroup. Jobs with an image have hard limits anyway.",
        )
    if facts.is_read_only:
        return absent(
            MEMORY,
            f"The cgroup {facts.directory} is mounted read-only, as in most containers, {watched}.",
            "Start the container with /sys/fs/cgroup writable. Jobs with an image have hard limits "
            "anyway.",
        )
    repair = f"sudo chown $USER {facts.directory}"
    if facts.version == 2:
        repair = (
            "Start the server so: systemd-run --user --pty -p Delegate=memory "
            "-p DelegateSubgroup=server jupyter lab (systemd 254 or newer)."
        )
    return absent(MEMORY, f"The cgroup {facts.directory} is not ours to write, {watched}.", repair)


def servers(found: Sequence[ServerFacts]) -> Check:
    """The servers that run, for information; one that takes no jobs is a problem."""
    if not found:
        return ok(SERVERS, "None runs; the first command that needs one starts it.")
    told = "; ".join(
        f"{one.url} ({one.version or 'version not known'}, pid {one.pid}"
        f"{', ends by itself' if one.is_embedded else ''})"
        for one in found
    )
    for one in found:
        if one.trouble is not None:
            return problem(
                *(SERVERS, f"{told}; {one.url} takes no jobs: {one.trouble.rstrip('.')}."),
                f"Repair what it says, or start it again (pid {one.pid}).",
            )
    old = [one for one in found if one.version != __version__]
    if old:
        return problem(
            *(SERVERS, f"{told}; this package is {__version__}."),
            f"Start it again: pid {', '.join(str(one.pid) for one in old)}. Its jobs go on.",
        )
    return ok(SERVERS, f"{told}.")


def not_looked_at(name: str) -> Check:
    """A part that cannot be looked at before the configuration is repaired."""
    return Check(name, Verdict.ABSENT, "Not looked at: which one it is, the configuration says.")


def _size(amount: int) -> str:
    if amount < GB:
        return f"{amount / 1024**2:.0f} MB"
    return f"{amount / GB:.0f} GB" if amount >= 10 * GB else f"{amount / GB:.1f} GB"
