"""The order, the fit and the backfill: which waiting jobs start now, and why the others do not.

The queue is ordered by priority, then by the sequence of submission; neither changes while a job
waits. A job that fits, starts. The first one that does not gets a *reservation*: the node and the
time at which it will fit if running jobs end when their time limits say. Later jobs may overtake
it only if they do not delay it (EASY backfill; D. Lifka, "The ANL/IBM SP Scheduling System", 1995):
they end before that time, or they use what it will leave over. A running job without a time limit
has no known end, and nothing is assumed of it. Nothing is assumed either of a GPU that no job may
get at the moment: a job that needs it waits, but nothing is kept free for it.

`plan` is a function from values to values. The caller writes its decisions into the ledger in the
same transaction in which it read the queue.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from jupyter_training.scheduling.resources import Gpu, Node, Placement, Resources, nearest


@dataclass(frozen=True)
class Waiting:
    """A job in the queue.

    Attributes
    ----------
    id
        Submit sequence, and the job's number.
    wants
        What it asks for.
    time_limit_s
        The longest it may run; None for any length.
    """

    id: int
    name: str
    wants: Resources
    priority: int = 0
    time_limit_s: float | None = None


@dataclass(frozen=True)
class Running:
    """What an open attempt holds.

    Attributes
    ----------
    ends_at
        The latest time at which it ends, in the caller's clock (s); infinite if not known.
    """

    job_id: int
    name: str
    holds: Placement
    ends_at: float = inf


@dataclass(frozen=True)
class Start:
    """The decision to start a job now, on these resources."""

    job_id: int
    placement: Placement


@dataclass(frozen=True)
class Wait:
    """The decision to let a job wait, with the sentence that says why.

    Attributes
    ----------
    feasible
        False when no node could hold it even if nothing else ran.
    """

    job_id: int
    reason: str
    feasible: bool = True


@dataclass(frozen=True)
class Plan:
    """What one look at the queue decides, in the queue's order.

    Attributes
    ----------
    full
        Whether nothing is left that any job could start with.
    """

    starts: tuple[Start, ...]
    waits: tuple[Wait, ...]
    full: bool


def _available(node: Node) -> dict[str, Gpu]:
    """The GPUs that jobs may get, whether or not one holds them."""
    return {gpu.uuid: gpu for gpu in node.gpus if not gpu.unavailable}


@dataclass
class _Free:
    """What is left of a node while a plan is made."""

    node: Node
    cpu_cores: int
    memory_gb: int
    gpus: dict[str, Gpu]

    @classmethod
    def of(cls, node: Node, running: Iterable[Running]) -> _Free:
        free = cls(node, node.cpu_cores, node.memory_gb, _available(node))
        for job in running:
            free.take(job.holds)
        return free

    def take(self, placement: Placement) -> None:
        if placement.node != self.node.name:
            return
        self.cpu_cores -= placement.cpu_cores
        self.memory_gb -= placement.memory_gb
        for uuid in placement.gpus:
            self.gpus.pop(uuid, None)

    def give_back(self, placement: Placement) -> None:
        if placement.node != self.node.name:
            return
        self.cpu_cores += placement.cpu_cores
        self.memory_gb += placement.memory_gb
        mine = _available(self.node)
        self.gpus.update({uuid: mine[uuid] for uuid in placement.gpus if uuid in mine})

    @property
    def is_full(self) -> bool:
        """Whether nothing fits any more: every job needs at least a core and a GB."""
        return self.cpu_cores < 1 or self.memory_gb < 1

    def copy(self) -> _Free:
        return _Free(self.node, self.cpu_cores, self.memory_gb, dict(self.gpus))

    def fit(self, wants: Resources) -> Placement | None:
        """A placement here and now, or None."""
        if wants.cpu_cores > self.cpu_cores or wants.memory_gb > self.memory_gb:
            return None
        usable = [gpu.uuid for gpu in self.node.gpus_of(wants.gpu_type) if gpu.uuid in self.gpus]
        if wants.gpu_count > len(usable):
            return None
        return Placement(
            self.node.name, wants.cpu_cores, wants.memory_gb, tuple(usable[: wants.gpu_count])
        )


@dataclass
class _Reservation:
    """The start that a blocked job was promised.

    Attributes
    ----------
    starts_at
        When it fits at the latest; infinite if no end of a running job is known.
    spare
        What it leaves of its node at that time: what others may hold even then.
    """

    starts_at: float
    spare: _Free

    def allows(self, placement: Placement, ends_at: float) -> bool:
        """Whether a job there, until then, would not delay the promised start."""
        if placement.node != self.spare.node.name or ends_at <= self.starts_at < inf:
            return True
        return (
            placement.cpu_cores <= self.spare.cpu_cores
            and placement.memory_gb <= self.spare.memory_gb
            and set(placement.gpus) <= self.spare.gpus.keys()
        )

    def note(self, placement: Placement, ends_at: float) -> None:
        """Count a job that was allowed to overtake."""
        if not ends_at <= self.starts_at < inf:
            self.spare.take(placement)


def in_order(queue: Iterable[Waiting]) -> list[Waiting]:
    """The queue as it is served: priority, then submit sequence."""
    return sorted(queue, key=lambda job: (-job.priority, job.id))


def plan(
    queue: Iterable[Waiting],
    nodes: Sequence[Node],
    running: Sequence[Running],
    now: float,
    *,
    explain: bool = True,
) -> Plan:
    """Decide which jobs start now.

    Parameters
    ----------
    queue
        The jobs that wait, in any order.
    nodes
        The machines, with all they have.
    running
        What is held at the moment, also by attempts that are only about to start.
    now
        The time, in the same clock as `Running.ends_at` (s).
    explain
        Whether to tell of each other job why it waits. Without that, `Plan.waits` is empty.
    """
    held = list(running)
    free = {node.name: _Free.of(node, held) for node in nodes}
    reservation: _Reservation | None = None
    reserved_for = ""
    starts: list[Start] = []
    waits: list[Wait] = []
    for job in in_order(queue):
        if not explain and _all_full(free):
            break
        if not any(node.could_hold(job.wants) for node in nodes):
            if explain:
                waits.append(Wait(job.id, _never(job.wants, nodes), feasible=False))
            continue
        ends_at = now + job.time_limit_s if job.time_limit_s is not None else inf
        placement = _place(job.wants, free.values(), reservation, ends_at)
        if placement is not None:
            free[placement.node].take(placement)
            held.append(Running(job.id, job.name, placement, ends_at))
            if reservation is not None:
                reservation.note(placement, ends_at)
            starts.append(Start(job.id, placement))
            continue
        if explain:
            reason = _busy(job.wants, free.values(), held)
            if reservation is not None and _place(job.wants, free.values(), None, ends_at):
                reason = f"would delay {reserved_for}, which is ahead of it"
            waits.append(Wait(job.id, reason))
        if reservation is None:
            reservation, reserved_for = _reserve(job.wants, free, held), job.name
    return Plan(tuple(starts), tuple(waits), _all_full(free))


def _all_full(free: dict[str, _Free]) -> bool:
    return all(one.is_full for one in free.values())


def _place(
    wants: Resources,
    nodes: Iterable[_Free],
    reservation: _Reservation | None,
    ends_at: float,
) -> Placement | None:
    """The tightest place for a job, so that large requests stay possible elsewhere."""
    found: list[tuple[tuple[int, int, int], Placement]] = []
    for free in nodes:
        usable = free
        if reservation is not None and free.node.name == reservation.spare.node.name:
            # Cards that the blocked job will leave over go first: the others are promised.
            usable = free.copy()
            spare = reservation.spare.gpus
            usable.node = Node(
                free.node.name,
                free.node.cpu_cores,
                free.node.memory_gb,
                tuple(sorted(free.node.gpus, key=lambda gpu: gpu.uuid not in spare)),
            )
        placement = usable.fit(wants)
        if placement is None:
            continue
        if reservation is not None and not reservation.allows(placement, ends_at):
            continue
        left = (
            len(free.gpus) - wants.gpu_count,
            free.cpu_cores - wants.cpu_cores,
            free.memory_gb - wants.memory_gb,
        )
        found.append((left, placement))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _reserve(
    wants: Resources, free: dict[str, _Free], held: Sequence[Running]
) -> _Reservation | None:
    """The earliest start of a job that does not fit now."""
    best: _Reservation | None = None
    for name, now_free in free.items():
        if not now_free.node.could_hold(wants):
            continue
        then = now_free.copy()
        starts_at = -inf
        here = sorted((job for job in held if job.holds.node == name), key=lambda job: job.ends_at)
        index = 0
        while index < len(here) and (starts_at == inf or then.fit(wants) is None):
            # Ends that are not known come all at once: nothing says which comes first.
            starts_at = here[index].ends_at
            then.give_back(here[index].holds)
            index += 1
        placement = then.fit(wants)
        if placement is None:
            # It waits for a GPU that nobody may get, or something holds more than this machine has,
            # for example after it was made smaller.
            continue
        then.take(placement)
        if best is None or starts_at < best.starts_at:
            best = _Reservation(starts_at, then)
    return best


def _never(wants: Resources, nodes: Sequence[Node]) -> str:
    """Why no node could ever hold this."""
    if not nodes:
        return "there is no machine to run it"
    if wants.gpu_count and wants.gpu_type is not None:
        most = max(len(node.gpus_of(wants.gpu_type)) for node in nodes)
        if wants.gpu_count > most:
            return _never_of_type(wants.gpu_count, wants.gpu_type, most, nodes)
    lacks = [
        f"{_count(asked, unit)}, the largest machine has {most}"
        for asked, most, unit in (
            (wants.cpu_cores, max(node.cpu_cores for node in nodes), "CPU core"),
            (wants.memory_gb, max(node.memory_gb for node in nodes), "GB of memory"),
            (wants.gpu_count, max(len(node.gpus) for node in nodes), "GPU"),
        )
        if asked > most
    ]
    if not lacks:
        return f"asks for {wants} in one machine, and no machine has all of that"
    return "can never start here: asks for " + "; ".join(lacks)


def _never_of_type(count: int, gpu_type: str, most: int, nodes: Sequence[Node]) -> str:
    models = sorted({gpu.model for node in nodes for gpu in node.gpus if gpu.model})
    has = f"more than {most} of them" if most else "one" if count == 1 else "any"
    asked = "1 GPU" if count == 1 else f"{count} GPUs"
    there = f"there are: {', '.join(models)}" if models else "there is no GPU of a known model"
    told = f"asks for {asked} of type {gpu_type}, but no machine has {has} ({there})"
    meant = None if most else nearest(gpu_type, models)
    return told if meant is None else f"{told}; did you mean {meant}?"


def _count(number: int, unit: str) -> str:
    """A number with its unit, which is in the plural unless it is a measure."""
    return f"{number} {unit}" + "s" * (number != 1 and not unit.startswith("GB"))


def _busy(wants: Resources, nodes: Iterable[_Free], held: Sequence[Running]) -> str:
    """What it waits for, and who holds it."""
    several = [free for free in nodes if free.node.could_hold(wants)]
    # Speak of the machine where least is missing.
    free = min(
        several,
        key=lambda free: (
            max(0, wants.gpu_count - len(_usable(free, wants))),
            max(0, wants.cpu_cores - free.cpu_cores),
            max(0, wants.memory_gb - free.memory_gb),
        ),
    )
    lacks = [
        f"{_count(asked, unit)} ({max(there, 0)} free{more})"
        for asked, there, unit, more in (
            (wants.gpu_count, len(_usable(free, wants)), "GPU", _drained(free, wants)),
            (wants.cpu_cores, free.cpu_cores, "CPU core", ""),
            (wants.memory_gb, free.memory_gb, "GB of memory", ""),
        )
        if asked > there
    ]
    if not lacks:
        return "would delay a job that is ahead of it"
    names = [job.name for job in held if job.holds.node == free.node.name]
    told = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"waits for {' and '.join(lacks)}" + (f", held by {told}" if told else "")


def _usable(free: _Free, wants: Resources) -> list[Gpu]:
    return [gpu for gpu in free.node.gpus_of(wants.gpu_type) if gpu.uuid in free.gpus]


def _drained(free: _Free, wants: Resources) -> str:
    """Which GPUs would do but are given to nobody, and why."""
    several = [gpu for gpu in free.node.gpus_of(wants.gpu_type) if gpu.unavailable]
    told = [f"; {_short(gpu.uuid)} {gpu.unavailable}" for gpu in several[:2]]
    return "".join(told) + (f"; and {len(several) - 2} more" if len(several) > 2 else "")


def _short(uuid: str) -> str:
    """A UUID as it is told apart from the few others of a machine."""
    return f"{uuid[:12]}…" if len(uuid) == len("GPU-") + 36 else uuid
