"""Run jobs on a Slurm cluster: each attempt is a batch job, with our supervisor in its allocation.

Slurm decides when and where. What an attempt is, and how it ended, is in its directory, which the
nodes share: `slurm_node` says what is there. Slurm is asked for all jobs at once; it tells why one
waits, and that one is lost. So it needs no accounting, and a controller that is away, restarted or
forgetful loses and doubles nothing:

* An attempt runs only if its script is the first to take it. What was submitted twice, begun again
  by Slurm or given up by a server ends at once.
* What was submitted and is not written down is found by its comment.
* What Slurm does not know any more, or has lost, is first *revoked*, so that whatever of it still
  runs is killed; only then, or when it has long given no sign of life, has it ended.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from traitlets import Dict, Float, List, Unicode
from traitlets.config import Configurable

from jupyter_training.executors import container_records
from jupyter_training.executors import slurm_records as records
from jupyter_training.executors.base import (
    ClusterAway,
    Ended,
    Found,
    GangLaunch,
    Launch,
)
from jupyter_training.executors.gauges import Gauge
from jupyter_training.executors.local import PACKAGES, environment
from jupyter_training.executors.memory import GB
from jupyter_training.executors.registry import Plugin, Setting
from jupyter_training.executors.slurm_commands import Commands, Refused, TooMany, are_there
from jupyter_training.executors.slurm_jobs import (
    OPTIONS,
    UNSURE,
    Site,
    SlurmJob,
    end_of,
    gres_type,
    lost,
    nodes_of,
    not_begun,
    sbatch_arguments,
    script,
)
from jupyter_training.executors.slurm_node import LAUNCH
from jupyter_training.executors.slurm_queue import Queue, Snapshot
from jupyter_training.executors.slurm_records import SUBMITTED, Records, Step
from jupyter_training.jobs.lifecycle import Cause, Exit
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import JobSpec
from jupyter_training.points import Point, reach
from jupyter_training.scheduling.choice import Offer
from jupyter_training.scheduling.resources import ClusterNode, Placement

_log = logging.getLogger(__name__)

_LOOK_S = 1.0
_AGAIN_S = 3.0
"""How soon it is tried again to submit what could not be (s)."""

_STATE_S = 8.0
"""How long to wait for Slurm's own word on an end that it may have caused (s)."""

_MARGIN_S = 15.0
"""How much longer than its grace period a job may take before Slurm kills it (s)."""

_NOT_STARTED = "it was given up before it was started"


class SlurmExecutor:
    """Batch jobs of a Slurm cluster; a `Cluster`.

    Parameters
    ----------
    site
        What is particular to the cluster.
    told
        A directory that the nodes share, in which they tell that something has happened.
    grace_s
        How long a job may take to end after it was asked to (s).
    log_limit
        How much of what a job prints is kept (bytes); 0 for all.
    commands
        The directory of Slurm's commands; empty if they are found by their names.
    poll_s
        How often Slurm is asked for all jobs (s).
    alive_s
        How often a job gives a sign of life; one of which Slurm has lost sight is believed dead
        after four times that (s).
    settle_s
        How long a shared file system may take to show what was written on a node (s).
    """

    def __init__(
        self,
        site: Site,
        told: Path,
        grace_s: float,
        *,
        log_limit: int = 0,
        commands: str = "",
        poll_s: float = 5.0,
        alive_s: float = 10.0,
        settle_s: float = 3.0,
    ) -> None:
        self._site, self._told, self._grace_s, self._log_limit = site, told, grace_s, log_limit
        self._alive_s, self._settle_s = alive_s, settle_s
        self._commands = Commands(site.installation, commands)
        self._queue = Queue(self._ask, told, poll_s)
        self._models: frozenset[str] = frozenset()
        self._starting: dict[str, asyncio.Task[Found]] = {}
        self._unsubmitted: dict[str, _Unsubmitted] = {}
        self._asked: dict[str, float] = {}
        self._looked_at: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Make the directory in which the nodes tell."""
        await asyncio.to_thread(self._told.mkdir, 0o700, True, True)

    async def why_not(self, image: str | None) -> str | None:
        """Why no job with this image can be run; None if one can, or may be later."""
        return None if image is None else "jobs on Slurm run without an image"

    def problems(self, spec: JobSpec) -> Sequence[FieldError]:
        """What is wrong with a job for Slurm; see `Cluster`."""
        wrong = []
        for name, value in spec.executor_options.items():
            if name in OPTIONS and (isinstance(value, bool | float) or str(value).startswith("-")):
                told = f"should be what sbatch takes for --{name}, not {value!r}"
                wrong.append(FieldError(f"executor_options.{name}", told))
        if spec.min_nodes is not None and spec.min_nodes != spec.nodes:
            told = "Slurm starts all nodes of a job or none; leave it out"
            wrong.append(FieldError("min_nodes", told))
        asked = spec.gpu_type
        known = self._models
        if asked and known and gres_type(asked, self._site.gpu_types, known) is None:
            there = ", ".join(sorted(known))
            told = f"no node of the cluster has a GPU of type {asked} (there are: {there})"
            wrong.append(FieldError("gpu_type", told))
        return wrong

    async def inventory(self) -> Sequence[ClusterNode]:
        """The nodes of the cluster; see `Cluster`."""
        found = nodes_of(await self._commands.nodes())
        self._models = frozenset(gpu.model for one in found for gpu in one.node.gpus if gpu.model)
        return found

    async def start(self, launch: Launch) -> Found:
        """Hand an attempt over; see `Cluster`."""
        task = self._starting.get(launch.token)
        if task is None:
            task = self._starting[launch.token] = asyncio.create_task(self._start(launch))
            task.add_done_callback(lambda _: self._starting.pop(launch.token, None))
        return await asyncio.shield(task)

    async def find(self, token: str, directory: Path) -> Found:
        """Find an attempt, or one node of it; see `Executor`."""
        task = self._starting.get(token)
        if task is not None:
            return await asyncio.shield(task)
        if token in self._unsubmitted:
            return Found(token, directory, {"slurm_job": None})
        return await self._find(token, directory)

    async def begin(self, found: Found, tell: Callable[[str], None]) -> Found:
        """Wait until an attempt runs; see `Cluster`."""
        token, directory = found.token, found.directory
        since, said = _clock(), ""
        with self._queue.watching(token) as woken:
            while True:
                woken.clear()
                snapshot = self._queue.latest
                if token in self._unsubmitted:
                    told = await self._submit_again(token, directory, snapshot)
                    since = _clock()
                    if isinstance(told, Found):
                        return told
                    if told and told != said:
                        said = told
                        tell(said)
                    if token in self._unsubmitted:
                        await _event(woken, _AGAIN_S)
                    continue
                it = await asyncio.to_thread(records.read, token, directory)
                job, is_fresh = self._job(snapshot, token, it), snapshot.at > since
                step = records.step(it, job, is_fresh=is_fresh)
                if step is Step.NOT_BEGUN:
                    return await self._not_begun(token, directory, job)
                if it.is_gang and step in (Step.RUNS, Step.LOST):
                    begun = await asyncio.to_thread(self._begun_gang, found, it)
                    if begun is None and step is Step.LOST:
                        ended = await self._lost(token, directory, it, job)
                        begun = None if ended is None else replace(found, ended=ended)
                    if begun is not None:
                        return begun
                elif step is not Step.WAITS:
                    return await self._found(token, directory, it)
                reason = self._reason(job)
                if reason and reason != said:
                    said = reason
                    tell(said)
                await _event(woken, _AGAIN_S if step is Step.LOST else None)

    async def wait(self, found: Found) -> Ended:
        """Wait until no process of an attempt is left; see `Executor`."""
        if found.ended is not None:
            return found.ended
        token, directory = found.token, found.directory
        since, left_s = _clock(), float("inf")
        ended_since: float | None = None
        with self._queue.watching(token) as woken:
            while True:
                woken.clear()
                snapshot = self._queue.latest
                it = await asyncio.to_thread(records.read, token, directory)
                job, is_fresh = self._job(snapshot, token, it), snapshot.at > since
                if job is not None and not job.is_over:
                    left_s = job.left_s
                step = records.step(it, job, is_fresh=is_fresh)
                if step is Step.GIVEN_UP:
                    return _given_up(token, directory).ended or _impossible()
                if step is Step.NOT_BEGUN and it.started is None:
                    done = await self._not_begun(token, directory, job)
                    return done.ended or _impossible()
                if step is Step.LOST:
                    done_ = await self._lost(token, directory, it, job)
                    if done_ is not None:
                        return done_
                elif step is Step.ENDED:
                    assert it.ended is not None
                    ended_since = ended_since or _clock()
                    is_known = is_fresh and (job is None or job.is_over)
                    if not _wants_state(it) or is_known or _clock() - ended_since > _STATE_S:
                        self._asked.pop(token, None)
                        return replace(it.ended, exit=self._exit(it, job, left_s))
                    self._queue.soon()
                await self._hurry(token, it)
                is_over = step in (Step.LOST, Step.ENDED)
                await _event(woken, _LOOK_S if is_over or token in self._asked else None)

    async def gauge(self, found: Found) -> Gauge | None:
        """What tells how much an attempt uses; see `Executor`."""
        directory = found.directory
        it = await asyncio.to_thread(records.read, found.token, directory)
        if not it.is_gang or "." in found.token:
            return records.SignsOfLife([directory])
        return records.SignsOfLife([directory / f"node-{index}" for index in range(it.count)])

    async def stop(self, found: Found) -> None:
        """Ask an attempt to end, or take it out of the queue; see `Executor`."""
        token, directory = found.token, records.home_of(found.token, found.directory)
        whole = token.partition(".")[0]
        if found.ended is not None:
            return
        self._unsubmitted.pop(whole, None)
        self._asked.setdefault(whole, _clock() + self._grace_s + _MARGIN_S)
        await asyncio.to_thread(records.ask_to_end, directory)
        gave_up = await asyncio.to_thread(records.give_up, whole, directory)
        it = await asyncio.to_thread(records.read, whole, directory)
        number = it.slurm_job or found.handle.get("slurm_job")
        if number is not None and (gave_up or it.is_given_up):
            self._in_background(self._commands.cancel(str(number)))
        elif number is not None and it.ended is None:
            self._in_background(self._commands.tell(str(number)))
        self._queue.soon()

    async def close(self) -> None:
        """Let go of everything but the jobs."""
        tasks: list[asyncio.Task[Any]] = [*self._tasks, *self._starting.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._queue.close()

    # Submitting

    async def _start(self, launch: Launch) -> Found:
        token, directory = launch.token, launch.directory
        it = await asyncio.to_thread(records.read, token, directory)
        if it.launch is not None or it.started is not None or it.is_given_up:
            return await self._find(token, directory)
        content = self._content(launch)
        await asyncio.to_thread(records.write, directory, LAUNCH, content)
        arguments = sbatch_arguments(launch, self._site, self._grace_s, self._models)
        text = script(directory, directory / LAUNCH, self._site)
        self._unsubmitted[token] = _Unsubmitted(arguments, text)
        told = await self._submit(token, directory)
        return told if isinstance(told, Found) else Found(token, directory, {"slurm_job": None})

    def _content(self, launch: Launch) -> dict[str, Any]:
        """What the nodes have to know."""
        whole = {
            "token": launch.token,
            "told": str(self._told),
            "alive_s": self._alive_s,
            "cpu_cores": launch.cpu_cores,
            "memory_gb": launch.memory_gb,
            "gpus": len(launch.gpus),
        }
        if not isinstance(launch, GangLaunch):
            return {**whole, **self._request(launch)}
        one = launch.nodes[0]
        return {
            **whole,
            "cpu_cores": one.cpu_cores,
            "memory_gb": one.memory_gb,
            "gpus": len(one.gpus),
            "program": self._site.program,
            "nodes": [self._request(node) for node in launch.nodes],
        }

    def _request(self, launch: Launch) -> dict[str, Any]:
        env = environment(os.environ, replace(launch, gpus=()))
        return {
            "token": launch.token,
            "directory": str(launch.directory),
            "argv": launch.argv,
            "env": {name: it for name, it in env.items() if not name.startswith(_SLURMS_OWN)},
            "cwd": launch.cwd,
            "memory_bytes": launch.memory_gb * GB,
            "time_limit_s": launch.time_limit_s,
            "grace_s": self._grace_s,
            "log_limit": self._log_limit,
        }

    async def _submit(self, token: str, directory: Path) -> Found | str:
        """Submit an attempt; what became of it, or why that is still to be done."""
        job = self._unsubmitted[token]
        reach(Point.SUBMIT_BEGUN)
        try:
            number = await self._commands.submit(job.arguments, job.script)
        except TooMany as many:
            return f"waits to be submitted: {many}"
        except Refused as refused:
            self._unsubmitted.pop(token, None)
            await asyncio.to_thread(records.give_up, token, directory)
            why = Exit(cause=Cause.LAUNCH_FAILED, detail=f"Slurm does not take it: {refused}")
            return await self._refused(token, directory, why, {})
        except ClusterAway as away:
            job.may_be_there_since = _clock()
            return f"waits to be submitted: {away}"
        reach(Point.SUBMITTED)
        found = await self._submitted(token, directory, number)
        if self._unsubmitted.pop(token, None) is None:  # it was to end meanwhile
            self._in_background(self._commands.cancel(number))
        return found

    async def _submitted(self, token: str, directory: Path, number: str) -> Found:
        content = {"token": token, "slurm_job": number}
        await asyncio.to_thread(records.write, directory, SUBMITTED, content)
        reach(Point.SUBMISSION_WRITTEN)
        return Found(token, directory, {"slurm_job": number})

    async def _submit_again(
        self, token: str, directory: Path, snapshot: Snapshot
    ) -> Found | str | None:
        job = self._unsubmitted[token]
        if job.may_be_there_since is not None:
            if snapshot.at <= job.may_be_there_since:
                self._queue.soon()
                trouble = self._queue.trouble
                return f"waits to be submitted: {trouble}" if trouble else None
            if (there := snapshot.job_of(token, None)) is not None:
                await self._submitted(token, directory, there.id)
                self._unsubmitted.pop(token, None)
                return None
            job.may_be_there_since = None
        told = await self._submit(token, directory)
        return told if isinstance(told, str) or told.ended is not None else None

    # Finding

    async def _find(self, token: str, directory: Path) -> Found:
        it = await asyncio.to_thread(records.read, token, directory)
        is_node = "." in token
        if it.is_given_up or it.started is not None or it.slurm_job is not None or is_node:
            return await self._found(token, directory, it)
        if it.launch is not None:
            # Perhaps it was submitted: only Slurm knows.
            job = (await self._fresh()).job_of(token, None)
            if job is not None:
                return await self._submitted(token, directory, job.id)
        if await asyncio.to_thread(records.give_up, token, directory):
            return _given_up(token, directory)
        return await self._found(
            token, directory, await asyncio.to_thread(records.read, token, directory)
        )

    async def _fresh(self) -> Snapshot:
        """What Slurm says from now on; while it is away, that is waited for."""
        since = _clock()
        with self._queue.watching("") as woken:
            while self._queue.latest.at <= since:
                woken.clear()
                self._queue.soon()
                await _event(woken, _AGAIN_S)
        return self._queue.latest

    async def _found(self, token: str, directory: Path, it: Records) -> Found:
        """An attempt as its records are, without a word from Slurm."""
        if it.is_given_up:
            return _given_up(token, directory)
        handle = {"slurm_job": it.slurm_job}
        found = Found(token, directory, handle, it.started_at, placements=_placements(it))
        if it.ended is None:
            return found
        if not _wants_state(it):
            return replace(found, ended=replace(it.ended, exit=self._exit(it, None, 1e9)))
        return replace(found, ended=await self.wait(replace(found, started_at=None)))

    def _begun_gang(self, found: Found, it: Records) -> Found | None:
        """A distributed job of which all nodes run, or have run."""
        several = [
            records.read(f"{found.token}.{index}", found.directory / f"node-{index}")
            for index in range(it.count)
        ]
        if any(one.started is None for one in several):
            return None
        moments = [one.started_at for one in several]
        placements = tuple(place for one in several for place in _placements(one))
        handle = {"slurm_job": it.slurm_job}
        started_at = max((at for at in moments if at is not None), default=_now())
        return Found(found.token, found.directory, handle, started_at, placements=placements)

    # What became of it

    def _job(self, snapshot: Snapshot, token: str, it: Records) -> SlurmJob | None:
        return snapshot.job_of(token, it.slurm_job)

    def _reason(self, job: SlurmJob | None) -> str:
        if self._queue.trouble:
            return self._queue.trouble
        return str(job) if job is not None and job.waits else ""

    def _exit(self, it: Records, job: SlurmJob | None, left_s: float) -> Exit:
        assert it.ended is not None
        return end_of(
            it.ended.exit,
            job,
            asked=it.is_asked,
            revoked=it.is_revoked,
            left_s=left_s,
            grace_s=self._grace_s,
        )

    async def _not_begun(self, token: str, directory: Path, job: SlurmJob | None) -> Found:
        """An attempt that Slurm has let go of; one that nevertheless has begun is found."""
        await asyncio.sleep(self._settle_s)
        home = records.home_of(token, directory)
        if not await asyncio.to_thread(records.give_up, token, directory):
            it = await asyncio.to_thread(records.read, token, directory)
            return await self._found(token, directory, it)
        if job is None:
            return _given_up(token, directory, "Slurm does not know its job any more")
        code = await self._commands.exit_code(job.id)
        why = not_begun(job, code, home, self._site.python)
        return await self._refused(token, directory, why, {"slurm_job": job.id})

    async def _refused(
        self, token: str, directory: Path, why: Exit, handle: dict[str, Any]
    ) -> Found:
        """An attempt that was taken so that it never runs, with the reason for that."""
        ended = Ended(why, _now())
        await asyncio.to_thread(container_records.write_end, directory, None, ended)
        return Found(token, directory, handle, None, ended)

    async def _lost(
        self, token: str, directory: Path, it: Records, job: SlurmJob | None
    ) -> Ended | None:
        """The end of an attempt of which Slurm knows no more; None while it may still run."""
        home = records.home_of(token, directory)
        if job is None or job.waits or job.state in UNSURE or it.is_revoked:
            if not it.is_revoked:
                _log.warning("Job %s is given up: %s", it.slurm_job, lost(job).detail)
                await asyncio.to_thread(records.revoke, home)
                if job is not None and job.waits:
                    self._in_background(self._commands.cancel(job.id))
            if not it.is_silent(time.time(), self._alive_s):
                return None
        else:
            await asyncio.sleep(self._settle_s)
        again = await asyncio.to_thread(records.read, token, directory)
        if again.ended is not None:
            return replace(again.ended, exit=self._exit(again, job, 1e9))
        return Ended(lost(job, revoked=it.is_revoked), _now())

    async def _hurry(self, token: str, it: Records) -> None:
        """Have Slurm kill what has not ended in its grace period."""
        whole = token.partition(".")[0]
        if self._asked.get(whole, float("inf")) < _clock() and it.slurm_job is not None:
            self._asked[whole] = _clock() + _MARGIN_S
            await self._commands.cancel(it.slurm_job)

    async def _ask(self) -> Sequence[SlurmJob]:
        found = await self._commands.queue()
        for job in found:
            if job.waits and not self._queue.is_watched(job.token):
                await self._sweep(job)
        return found

    async def _sweep(self, job: SlurmJob) -> None:
        """Take a job out of the queue that would end at once, as its attempt was given up."""
        if job.id in self._looked_at:
            return
        self._looked_at.add(job.id)
        it = await asyncio.to_thread(records.read, job.token, Path(job.directory))
        if it.is_given_up:
            await self._commands.cancel(job.id)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("A job on Slurm could not be told to end: %s", error)


class _Unsubmitted:
    """What is to be submitted as soon as Slurm takes it."""

    def __init__(self, arguments: Sequence[str], script: str) -> None:
        self.arguments, self.script = arguments, script
        self.may_be_there_since: float | None = None
        """When a submission came to no answer."""


_SLURMS_OWN = ("SLURM", "SBATCH_", "SRUN_", "PMI_", "PMIX_")
"""What the server has of these is not meant for its jobs: it may be a job of Slurm itself."""


def _wants_state(it: Records) -> bool:
    """Whether Slurm may have caused this end."""
    assert it.ended is not None
    exit_ = it.ended.exit
    if it.is_asked or it.is_revoked:
        return it.is_revoked
    return exit_.cause is Cause.NODE_LOST or (exit_.cause is None and exit_.signal is not None)


def _placements(it: Records) -> tuple[Placement, ...]:
    launch = it.launch or {}
    amounts = [launch.get(name) for name in ("cpu_cores", "memory_gb", "gpus")]
    if it.is_gang and it.started is not None and "start_time" not in it.started:
        return ()
    cores, memory, gpus = (one if isinstance(one, int) else 0 for one in amounts)
    found = it.placement(cores, memory, gpus)
    return () if found is None else (found,)


def _given_up(token: str, directory: Path, why: str = _NOT_STARTED) -> Found:
    ended = Ended(Exit(cause=Cause.NODE_LOST, detail=why), _now())
    return Found(token, directory, {}, None, ended)


def _impossible() -> Ended:
    raise AssertionError("an attempt that was given up has ended")


async def _event(event: asyncio.Event, seconds: float | None) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except asyncio.TimeoutError:
        return


def _clock() -> float:
    return asyncio.get_running_loop().time()


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Slurm(Configurable):
    """How jobs run on Slurm: ``c.Slurm.partition = "gpu"``."""

    partition = Unicode(help="The partition of jobs that name none.").tag(config=True)
    account = Unicode(help="The account of jobs that name none.").tag(config=True)
    qos = Unicode(help="The quality of service of jobs that name none.").tag(config=True)
    constraint = Unicode(help="The constraint of jobs that name none.").tag(config=True)
    reservation = Unicode(help="The reservation of jobs that name none.").tag(config=True)

    sbatch_options = List(
        Unicode(), help="""Further arguments of sbatch for each job, such as "--exclusive"."""
    ).tag(config=True)

    gpu_types = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help="""What GPU types are called in the GRES of the cluster, where that is not what people
        write: {"A100 80GB": "a100l"}.""",
    ).tag(config=True)

    python = Unicode(
        help="""The Python that starts jobs on the nodes, 3.10 or later. Default: that of this
        server, which the nodes then have to see at the same path.""",
    ).tag(config=True)

    commands = Unicode(
        help="The directory of Slurm's commands. Default: they are found by their names."
    ).tag(config=True)

    poll_interval = Float(
        5.0,
        min=0.1,
        help="""Seconds between two questions to Slurm, each for all jobs at once. That a job begins
        or ends is mostly known before, by files.""",
    ).tag(config=True)

    sign_interval = Float(
        10.0,
        min=0.1,
        help="""Seconds between two signs of life of a job. One of which Slurm has lost sight is
        believed dead after four times that.""",
    ).tag(config=True)

    settle_time = Float(
        3.0,
        min=0.0,
        help="Seconds that the shared file system may take to show what a node has written.",
    ).tag(config=True)


def _make(setting: Setting) -> SlurmExecutor:
    it = Slurm(parent=setting.app)
    if not are_there(it.commands):
        where = it.commands or "the search path"
        raise ValueError(f"there is no sbatch in {where}; set c.Slurm.commands to where it is")
    names = ("partition", "account", "qos", "constraint", "reservation")
    site = Site(
        setting.installation,
        it.python or sys.executable,
        PACKAGES,
        {name: getattr(it, name) for name in names if getattr(it, name)},
        it.sbatch_options,
        it.gpu_types,
    )
    return SlurmExecutor(
        site,
        setting.data_dir / "slurm",
        setting.grace_s,
        log_limit=setting.log_limit,
        commands=it.commands,
        poll_s=it.poll_interval,
        alive_s=it.sign_interval,
        settle_s=it.settle_time,
    )


PLUGIN = Plugin(_make, Offer(options=OPTIONS))
"""For the registry."""
