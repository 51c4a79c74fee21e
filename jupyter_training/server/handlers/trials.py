"""``api/training-jobs/…/trials``: what a search for hyperparameters has found."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from jupyter_training.engine.trials import Found
from jupyter_training.server import representation
from jupyter_training.server.handlers.base import TrainingHandler, endpoint
from jupyter_training.server.handlers.jobs import JOB, MAX_WAIT_S


class TrialsHandler(TrainingHandler):
    """The trials of one search."""

    @endpoint("read")
    async def get(self, reference: str) -> None:
        """All of them, with the best one, the course of the search, and what matters.

        With ``wait`` and ``If-None-Match`` the answer comes when there is something new.
        """
        service, wait_s = await self.service(), self.count("wait", 0, most=MAX_WAIT_S)
        known = self.request.headers.get("If-None-Match")
        importance = self.flag("importance", True)
        if known is None or not wait_s:
            found = await service.trials.of_search(self.user, reference, importance=importance)
        else:
            found = await service.trials.wait_for_change(
                self.user,
                reference,
                wait_s,
                lambda now: _tag(representation.trials(now)) != known,
                importance=importance,
            )
        self._answer(found, known)

    def _answer(self, found: Found, known: str | None) -> None:
        told = representation.trials(found)
        tag = _tag(told)
        self.set_header("ETag", tag)
        if tag == known:
            self.set_status(304)
            self.finish()
        else:
            self.answer(told)

    def compute_etag(self) -> str | None:
        """None: the tag is set above, and also stands for what is to come."""
        return None


def _tag(told: dict[str, Any]) -> str:
    """What stands for what was found; that time goes by is nothing new."""
    kept = {name: value for name, value in told.items() if not name.startswith("used_")}
    return f'"{hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:20]}"'


HANDLERS: list[tuple[str, type[TrainingHandler]]] = [(JOB + "/trials", TrialsHandler)]
