"""What all handlers share: who asks, what they may do, and how an error is told."""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from jupyter_server.auth import IdentityProvider, User
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado.web import HTTPError, authenticated

from jupyter_training.engine.datasets import NoSuchDataSet, NotYours
from jupyter_training.engine.engine import DatabaseAway
from jupyter_training.engine.finding import NoSuchJob
from jupyter_training.engine.service import Conflict, TrainingService
from jupyter_training.engine.snapshots import NoSuchContent, TooLarge, WrongContent
from jupyter_training.engine.trials import NoSearch
from jupyter_training.jobs.requests import FieldError, InvalidRequest
from jupyter_training.server.identity import TrainingTokenProvider, customer_of
from jupyter_training.server.running import Closing, NotAvailable, Running
from jupyter_training.store.datasets import InUse, NameTaken

RESOURCE = "training-jobs"
"""What an authorizer is asked about."""

MAX_NUMBER = 2**62
"""More than any number of a row, an attempt or a byte."""

_P = ParamSpec("_P")
_H = TypeVar("_H", bound="TrainingHandler")


class BadRequest(ValueError):
    """Something about the request itself is wrong."""

    def __init__(self, message: str, errors: list[FieldError] | None = None) -> None:
        super().__init__(message)
        self.errors = errors or []


def endpoint(
    action: str,
) -> Callable[
    [Callable[Concatenate[_H, _P], Awaitable[None]]],
    Callable[Concatenate[_H, _P], Awaitable[None]],
]:
    """Make a method answer requests: authenticated, authorized, with errors in plain words.

    Parameters
    ----------
    action
        What an authorizer is asked for: ``read`` or ``write``.
    """

    def decorate(
        method: Callable[Concatenate[_H, _P], Awaitable[None]],
    ) -> Callable[Concatenate[_H, _P], Awaitable[None]]:
        @functools.wraps(method)
        async def answer(self: _H, *args: _P.args, **kwargs: _P.kwargs) -> None:
            try:
                with self.running.request(self.client, writes=action == "write"):
                    await method(self, *args, **kwargs)
            except (BadRequest, InvalidRequest) as wrong:
                self.refuse(400, "invalid_request", str(wrong), wrong.errors)
            except NoSuchJob as unknown:
                self.refuse(404, "no_such_job", str(unknown))
            except NoSearch as none:
                self.refuse(404, "no_search", str(none))
            except NoSuchDataSet as unknown:
                self.refuse(404, "no_such_dataset", str(unknown))
            except NoSuchContent as unknown:
                self.refuse(404, "no_such_content", str(unknown))
            except WrongContent as wrong_content:
                self.refuse(400, "wrong_content", str(wrong_content))
            except TooLarge as large:
                self.refuse(413, "too_large", str(large))
            except NotYours as forbidden:
                self.refuse(403, "forbidden", str(forbidden))
            except (Conflict, InUse, NameTaken) as conflict:
                self.refuse(409, "conflict", str(conflict))
            except Closing as closing:
                self.refuse(503, "closing", str(closing))
            except NotAvailable as why:
                self.refuse(503, "not_available", str(why))
            except DatabaseAway as away:
                self.refuse(503, "database_unavailable", str(away))

        # With explicit names: left to itself the decorator remembers those of its first request.
        guarded = authenticated(authorized(action, resource=RESOURCE)(answer))
        return cast("Callable[Concatenate[_H, _P], Awaitable[None]]", guarded)

    return decorate


class TrainingHandler(APIHandler):
    """Base of the REST handlers."""

    @property
    def running(self) -> Running:
        """The engine of this server, and who uses it."""
        return cast("Running", self.settings["jupyter_training"])

    async def service(self) -> TrainingService:
        """The operations; waits until the engine has started."""
        return await self.running.service()

    @property
    def client(self) -> str:
        """What a client that wants to be told from others calls itself."""
        return str(self.request.headers.get("X-Training-Client", ""))

    @property
    def user(self) -> str:
        """Whose jobs this request is about."""
        return customer_of(cast("User", self.current_user), self.identity_provider)

    @property
    def identity_provider(self) -> IdentityProvider:
        """The server's, unless the request has a training token."""
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "token":
            username = self.running.tokens.username(token.strip())
            if username is not None:
                return TrainingTokenProvider(username=username)
        return super().identity_provider

    def body(self) -> object:
        """The JSON of the request.

        Raises
        ------
        BadRequest
            If it is none.
        """
        try:
            return json.loads(self.request.body)
        except (ValueError, RecursionError):
            raise BadRequest("The body of the request is not JSON.") from None

    def integer(self, name: str, default: int | None, *, least: int, most: int) -> int | None:
        """A whole number from the query.

        Raises
        ------
        BadRequest
            If it is none, or out of bounds.
        """
        text = self.get_query_argument(name, None)
        if text is None:
            return default
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            told = FieldError(name, f"should be a whole number from {least} to {most}")
            raise BadRequest(f"{name} {told.message}, not {text[:40]!r}.", [told])
        return value

    def count(self, name: str, default: int, *, most: int) -> int:
        """A number of things, or a place, from the query."""
        value = self.integer(name, default, least=0, most=most)
        assert value is not None
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """A yes or no from the query.

        Raises
        ------
        BadRequest
            If it is neither.
        """
        word = self.get_query_argument(name, "true" if default else "false").lower()
        if word not in ("true", "false"):
            told = FieldError(name, "should be true or false")
            raise BadRequest(f"{name} {told.message}.", [told])
        return word == "true"

    def answer(self, value: Any, status: int = 200) -> None:
        """Answer with JSON."""
        self.set_status(status)
        self.finish(json.dumps(value))

    def refuse(
        self, status: int, reason: str, message: str, errors: list[FieldError] | None = None
    ) -> None:
        """Answer that it cannot be done, and why."""
        told: dict[str, Any] = {"message": message, "reason": reason}
        if errors:
            told["errors"] = [{"field": one.field, "message": one.message} for one in errors]
        self.answer(told, status)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """The shape of all errors, also of those that Jupyter or Tornado raise."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        message = "Something went wrong in the server; its log says more."
        if isinstance(error, HTTPError):
            message = error.log_message or {
                403: "You are not logged in, or the token is not right.",
                405: "This cannot be done here.",
            }.get(status_code, self._reason)
        reason = {403: "forbidden", 404: "not_found", 405: "method_not_allowed"}
        told = {"message": message, "reason": reason.get(status_code, "error")}
        self.finish(json.dumps(told))
