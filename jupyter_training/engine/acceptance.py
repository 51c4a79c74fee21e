"""Whether a job can be accepted: what runs it, and all that may be wrong with what it asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from jupyter_training.engine import studies, submission
from jupyter_training.engine.contents import Contents
from jupyter_training.engine.datasets import DataSets
from jupyter_training.engine.engine import Engine
from jupyter_training.engine.receivers import Receivers
from jupyter_training.executors.base import Cluster
from jupyter_training.jobs.notifications import Receiver
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import InvalidJob, JobSpec, JobType
from jupyter_training.scheduling import choice
from jupyter_training.scheduling.choice import Offer, Rule
from jupyter_training.store import jobs, machines


class Acceptance:
    """Looks at what users ask for.

    Parameters
    ----------
    default_executor
        For jobs that name none.
    offers, rules
        What the executors can be asked for, by their names, and which jobs run where: see `choice`.
    """

    def __init__(
        self,
        engine: Engine,
        datasets: DataSets,
        receivers: Receivers,
        contents: Contents,
        *,
        default_executor: str,
        offers: Mapping[str, Offer] | None,
        rules: Sequence[Rule],
    ) -> None:
        self._engine, self._workspace = engine, engine.workspace
        self._datasets, self._receivers, self._contents = datasets, receivers, contents
        self._default_executor, self._rules = default_executor, rules
        self._offers = {name: Offer() for name in engine.executors} if offers is None else offers

    async def check(self, user: str, spec: JobSpec) -> submission.Checked:
        """What runs a job and who is told of it, if all that it asks for is right.

        Raises
        ------
        InvalidJob
            With every wrong field.
        """
        asks = self._rules and spec.executor is None
        nodes = await self._engine.read(machines.known_nodes) if asks else []
        default = self._default_executor
        executor = choice.choose(spec, self._offers, self._rules, default, nodes)
        wrong: list[FieldError] = []
        if spec.search is not None and (lacks := studies.lacks(spec.search)):
            wrong.append(FieldError("search", lacks))
        receivers: list[Receiver] = []
        try:
            receivers = await self._receivers.of_job(spec.notify, partial(self._told_of, user))
        except InvalidJob as invalid:
            wrong += invalid.errors
        if spec.job_type is JobType.PIPELINE:  # its stages are checked, with what they have from it
            if wrong:
                raise InvalidJob(wrong)
            return submission.Checked(executor, receivers)
        wrong += await self._problems(spec, executor)
        wrong += await self._endless(spec, executor)
        try:
            found = await self._datasets.asked_for(spec.dataset_ids)
            await asyncio.to_thread(self._workspace.check_datasets, found)
        except InvalidJob as invalid:
            wrong += invalid.errors
        if spec.snapshot or spec.environment or spec.variables:
            wrong += await self._contents.check(user, spec)
        try:
            await asyncio.to_thread(self._workspace.check, spec)
        except InvalidJob as invalid:
            wrong += invalid.errors
        if wrong:
            raise InvalidJob(wrong)
        return submission.Checked(executor, receivers)

    async def _told_of(self, user: str, job_id: str) -> Sequence[Receiver] | None:
        """Who is told of one of the user's jobs."""
        job = await self._engine.read(lambda c: jobs.find(c, job_id, user))
        return None if job is None else job.receivers

    async def _endless(self, spec: JobSpec, executor: str) -> Sequence[FieldError]:
        """Why nothing would end a search."""
        search = spec.search
        if search is None or search.gpu_hours is None:
            return []
        if search.limit is not None or search.budget_hours is not None:
            return []
        it = submission.Submission(spec, submission.Checked(executor))
        wants = await self._engine.read(
            lambda c: submission.wanted(
                it, machines.known_nodes(c), machines.known_cluster_nodes(c)
            )
        )
        if wants.gpu_count:
            return []
        told = "its trials hold no GPU, so nothing would end it; say trials or budget_hours, too"
        return [FieldError("search.gpu_hours", told)]

    async def _problems(self, spec: JobSpec, name: str) -> Sequence[FieldError]:
        """What keeps an executor from running a job."""
        if wrong := choice.problems(spec, name, self._offers):
            return wrong
        executor = self._engine.executors[name]
        if isinstance(executor, Cluster):
            wrong += executor.problems(spec)
        if (why_not := await executor.why_not(spec.image)) is not None:
            field = "executor" if spec.image is None else "image"
            wrong.append(FieldError(field, why_not))
        return wrong
