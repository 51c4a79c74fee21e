"""``api/training-jobs``: submit, list, look, cancel, run again, delete; history."""

from __future__ import annotations

import hashlib
import json
from urllib.parse import urlencode

from jupyter_server.utils import url_path_join

from jupyter_training.engine.views import Seen
from jupyter_training.jobs.lifecycle import ENDED, Status
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import JobType
from jupyter_training.server import representation
from jupyter_training.server.handlers.base import MAX_NUMBER, BadRequest, TrainingHandler, endpoint
from jupyter_training.store.lists import Filter

MAX_WAIT_S = 60

JOB = r"api/training-jobs/(?P<reference>[^/]+)"


class JobsHandler(TrainingHandler):
    """All jobs of a user."""

    @endpoint("read")
    async def get(self) -> None:
        """List them, newest first."""
        limit = self.integer("limit", 100, least=1, most=1000)
        assert limit is not None
        wanted = Filter(
            self.user,
            status=self._statuses(),
            job_type=self._job_type(),
            text=self.get_query_argument("q", None) or None,
            before=self.integer("before", None, least=1, most=MAX_NUMBER),
            with_children=self._with_children(),
            # One more than is shown tells whether there is a next page.
            limit=limit + 1,
        )
        service = await self.service()
        found = await service.listing(wanted)
        _answer_page(self, found, limit, "before")

    @endpoint("write")
    async def post(self) -> None:
        """Submit one."""
        request, service = self.body(), await self.service()
        if self.flag("dry_run"):
            self.answer(representation.forecast(await service.forecast(self.user, request)))
            return
        key = self.request.headers.get("Idempotency-Key")
        if key is not None and not 0 < len(key) <= 256:
            raise BadRequest("Idempotency-Key should have 1 to 256 characters.")
        seen, created = await service.submit(self.user, request, idempotency_key=key)
        location = url_path_join(self.base_url, "api/training-jobs", seen.job.job_id)
        self.set_header("Location", location)
        self.answer(representation.job(seen), 201 if created else 200)

    def _with_children(self) -> bool:
        word = self.get_query_argument("include", None) or None
        if word not in (None, "children"):
            told = FieldError("include", "should be children")
            raise BadRequest(f"include {told.message}, not {word[:40]!r}.", [told])
        return word is not None

    def _statuses(self) -> tuple[Status, ...]:
        words = [
            word
            for value in self.get_query_arguments("status")
            for word in value.split(",")
            if word
        ]
        try:
            return tuple(Status(word) for word in words)
        except ValueError:
            there = ", ".join(Status)
            told = FieldError("status", f"should be one of {there}")
            raise BadRequest(f"There is no such status. It {told.message}.", [told]) from None

    def _job_type(self) -> str | None:
        word = self.get_query_argument("job_type", None)
        if word and word not in list(JobType):
            told = FieldError("job_type", f"should be one of {', '.join(JobType)}")
            raise BadRequest(f"There is no such job type. It {told.message}.", [told])
        return word or None


class JobHandler(TrainingHandler):
    """One job."""

    @endpoint("read")
    async def get(self, reference: str) -> None:
        """Look at it.

        With ``wait`` the answer comes when it has ended. With ``If-None-Match`` too it comes when
        the job is no longer what that tag stands for.
        """
        service, wait_s = await self.service(), self.count("wait", 0, most=MAX_WAIT_S)
        known = self.request.headers.get("If-None-Match")
        if known is None:
            seen = await service.wait_for_end(self.user, reference, wait_s)
        else:
            seen = await service.wait_for_change(
                self.user, reference, wait_s, lambda seen: _entity_tag(seen) != known
            )
        tag = _entity_tag(seen)
        self.set_header("ETag", tag)
        if tag == known:
            self.set_status(304)
            self.finish()
        else:
            self.answer(representation.job(seen))

    @endpoint("write")
    async def delete(self, reference: str) -> None:
        """Delete it, if it has ended, with its files."""
        await (await self.service()).remove(self.user, reference)
        self.set_status(204)
        self.finish()

    def compute_etag(self) -> str | None:
        """None: the tag is set above, and also stands for what is to come."""
        return None


class SpecHandler(TrainingHandler):
    """What a job was asked to be."""

    @endpoint("read")
    async def get(self, reference: str) -> None:
        """A JobSpec that asks for the same."""
        self.answer(await (await self.service()).request(self.user, reference))


class ChildrenHandler(TrainingHandler):
    """The stages of a pipeline, and whatever else a job is made of."""

    @endpoint("read")
    async def get(self, reference: str) -> None:
        """List them, in the order in which they were made."""
        limit = self.integer("limit", 1000, least=1, most=1000)
        after = self.count("after", 0, most=MAX_NUMBER)
        assert limit is not None
        service = await self.service()
        found = await service.children(self.user, reference, after, limit + 1)
        _answer_page(self, found, limit, "after")


class CancelHandler(TrainingHandler):
    """The end of a job that somebody wants to end."""

    @endpoint("write")
    async def post(self, reference: str) -> None:
        """Cancel it; the answer comes when none of its processes is left."""
        seen = await (await self.service()).cancel(self.user, reference)
        # Not ended in time means: asked for, and still under way.
        self.answer(representation.job(seen), 200 if seen.job.status in ENDED else 202)


class RetryHandler(TrainingHandler):
    """Another run of an ended job."""

    @endpoint("write")
    async def post(self, reference: str) -> None:
        """Put it back into the queue."""
        self.answer(representation.job(await (await self.service()).retry(self.user, reference)))


class EventsHandler(TrainingHandler):
    """A job's history."""

    @endpoint("read")
    async def get(self, reference: str) -> None:
        """What happened to it, oldest first."""
        service = await self.service()
        self.answer(representation.events(await service.history(self.user, reference)))


def _answer_page(handler: TrainingHandler, found: list[Seen], limit: int, cursor: str) -> None:
    """Answer with jobs, of which there is one more than is shown if there is another page.

    Parameters
    ----------
    cursor
        The argument of the query that says where a page begins.
    """
    if len(found) > limit:
        found = found[:limit]
        query = [
            (name, value.decode())
            for name, values in handler.request.query_arguments.items()
            for value in values
            if name != cursor
        ]
        query.append((cursor, str(found[-1].job.id)))
        handler.set_header("Link", f'<{handler.request.path}?{urlencode(query)}>; rel="next"')
    handler.answer([representation.job(seen) for seen in found])


def _entity_tag(seen: Seen) -> str:
    """What stands for a job as it is.

    Of expected times what a person is told counts: the exact ones are others at each moment.
    """
    told = representation.job(seen)
    exact = ("remaining_s", "remaining_low_s", "remaining_high_s", "starts_in_s")
    kept = {name: value for name, value in told.items() if name not in exact}
    content = json.dumps(kept, sort_keys=True).encode()
    return f'"{hashlib.sha256(content).hexdigest()[:20]}"'


HANDLERS: list[tuple[str, type[TrainingHandler]]] = [
    (r"api/training-jobs", JobsHandler),
    (JOB, JobHandler),
    (JOB + "/spec", SpecHandler),
    (JOB + "/cancel", CancelHandler),
    (JOB + "/retry", RetryHandler),
    (JOB + "/events", EventsHandler),
    (JOB + "/children", ChildrenHandler),
]
