"""What is free, and who gets a place there: the fit, and the reservation of who has to wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import groupby
from math import inf

from jupyter_training.scheduling.demand import Running, Waiting
from jupyter_training.scheduling.resources import Gpu, Node, Placement, Resources


def _available(node: Node) -> dict[str, Gpu]:
    """The GPUs that jobs may get, whether or not one holds them."""
    return {gpu.uuid: gpu for gpu in node.gpus if not gpu.unavailable}


@dataclass
class Free:
    """What is left of a node while a plan is made."""

    node: Node
    cpu_cores: int
    memory_gb: int
    gpus: dict[str, Gpu]

    def take(self, placement: Placement) -> None:
        """Count what is held here."""
        if placement.node != self.node.name:
            return
        self.cpu_cores -= placement.cpu_cores
        self.memory_gb -= placement.memory_gb
        for uuid in placement.gpus:
            self.gpus.pop(uuid, None)

    def give_back(self, placement: Placement) -> None:
        """Count it no more."""
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

    def copy(self) -> Free:
        """The same, to try something with."""
        return Free(self.node, self.cpu_cores, self.memory_gb, dict(self.gpus))

    def fit(self, wants: Resources, first: AbstractSet[str] = frozenset()) -> Placement | None:
        """A placement here and now, with these GPUs before others, or None."""
        if wants.cpu_cores > self.cpu_cores or wants.memory_gb > self.memory_gb:
            return None
        usable = [gpu for gpu in self.node.gpus_of(wants.gpu_type) if gpu.uuid in self.gpus]
        if wants.gpu_count > len(usable):
            return None
        before = [gpu for gpu in usable if gpu.uuid in first] if first else []
        among = before if len(before) >= wants.gpu_count else usable
        chosen = tuple(gpu.uuid for gpu in _alike(among, wants.gpu_count))
        return Placement(self.node.name, wants.cpu_cores, wants.memory_gb, chosen)


def _alike(gpus: Sequence[Gpu], count: int) -> Sequence[Gpu]:
    """So many of these: of one model if there are as many of one, for the slowest sets the pace.

    Of several such models it is the one with the fewest, so that large requests stay possible.
    """
    several: dict[str, list[Gpu]] = {}
    for gpu in gpus:
        several.setdefault(gpu.model, []).append(gpu)
    enough = (one for one in several.values() if len(one) >= count)
    return min(enough, key=len, default=gpus)[:count]


def left_of(nodes: Iterable[Node], held: Iterable[Running]) -> dict[str, Free]:
    """What these leave of each machine, by its name."""
    free = {
        node.name: Free(node, node.cpu_cores, node.memory_gb, _available(node)) for node in nodes
    }
    for one in held:
        if one.holds.node in free:
            free[one.holds.node].take(one.holds)
    return free


@dataclass
class Reservation:
    """The start that a blocked job was promised.

    Attributes
    ----------
    starts_at
        When it fits at the latest; infinite if no end of a running job is known.
    spare
        What it leaves at that time of each machine that it will use: what others may hold even
        then.
    """

    starts_at: float
    spare: dict[str, Free]

    def copy(self) -> Reservation:
        """The same, to try something with."""
        return Reservation(self.starts_at, {name: one.copy() for name, one in self.spare.items()})

    def allows(self, placement: Placement, ends_at: float) -> bool:
        """Whether a job there, until then, would not delay the promised start."""
        spare = self.spare.get(placement.node)
        if spare is None or ends_at <= self.starts_at < inf:
            return True
        return (
            placement.cpu_cores <= spare.cpu_cores
            and placement.memory_gb <= spare.memory_gb
            and set(placement.gpus) <= spare.gpus.keys()
        )

    def note(self, placement: Placement, ends_at: float) -> None:
        """Count a job that was allowed to overtake."""
        spare = self.spare.get(placement.node)
        if spare is not None and not ends_at <= self.starts_at < inf:
            spare.take(placement)


def room(job: Waiting, nodes: Iterable[Node]) -> int:
    """How many nodes of a job the machines could hold if nothing else ran."""
    return sum(node.could_hold(job.wants) for node in nodes)


def place(
    job: Waiting,
    free: Mapping[str, Free],
    reservation: Reservation | None,
    ends_at: float,
) -> tuple[Placement, ...]:
    """Places for as many nodes of a job as fit; none if that is not enough.

    Its nodes are all alike, so that one after the other in the tightest place is the most there is.
    """
    if job.nodes == 1:
        placement = _place_node(job.wants, free.values(), reservation, ends_at)
        return () if placement is None else (placement,)
    left = {name: one.copy() for name, one in free.items()}
    promised = None if reservation is None else reservation.copy()
    found: list[Placement] = []
    while len(found) < job.nodes:
        placement = _place_node(job.wants, left.values(), promised, ends_at)
        if placement is None:
            break
        left[placement.node].take(placement)
        if promised is not None:
            promised.note(placement, ends_at)
        found.append(placement)
    return tuple(found) if len(found) >= job.least else ()


def _place_node(
    wants: Resources,
    nodes: Iterable[Free],
    reservation: Reservation | None,
    ends_at: float,
) -> Placement | None:
    """The tightest place for a job, so that large requests stay possible elsewhere."""
    found: list[tuple[tuple[int, int, int], Placement]] = []
    for free in nodes:
        spare = None if reservation is None else reservation.spare.get(free.node.name)
        # Cards that the blocked job will leave over go first: the others are promised.
        placement = free.fit(wants, spare.gpus.keys() if spare else frozenset())
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


def reserve(job: Waiting, free: Mapping[str, Free], held: Sequence[Running]) -> Reservation | None:
    """The earliest start of a job that does not fit now.

    None if it waits for a GPU that nobody may get, or something holds more than a machine has, for
    example after it was made smaller.
    """
    then = {name: one.copy() for name, one in free.items()}
    ends = sorted(held, key=lambda one: one.ends_at)
    # Ends that are not known come all at once: nothing says which comes first.
    for starts_at, several in groupby(ends, key=lambda one: one.ends_at):
        for one in several:
            if one.holds.node in then:
                then[one.holds.node].give_back(one.holds)
        placements = place(replace(job, nodes=job.least), then, None, inf)
        if placements:
            for placement in placements:
                then[placement.node].take(placement)
            return Reservation(starts_at, {one.node: then[one.node] for one in placements})
    return None
