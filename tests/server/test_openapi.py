"""The OpenAPI document says what the handlers do, and nothing else."""

from __future__ import annotations

import re

from openapi_spec_validator import OpenAPIV31SpecValidator

from jupyter_training.server import openapi
from jupyter_training.server.handlers import HANDLERS
from tests.conftest import Api

_METHODS = ("get", "post", "put", "patch", "delete")


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(openapi.document("/")).validate()


def test_every_handler_is_described_and_nothing_else_is() -> None:
    handled = {
        (_template(pattern), method)
        for pattern, handler in HANDLERS
        for method in _METHODS
        if method in vars(handler)
    }
    described = {
        (path, method)
        for path, methods in openapi.document("/")["paths"].items()
        for method in methods
        if method in _METHODS
    }
    assert handled == described


def test_the_server_serves_it(api: Api) -> None:
    told = api.get("api/training-openapi.json").json()
    assert told["openapi"].startswith("3.1")
    spec = told["components"]["schemas"]["JobSpec"]
    assert spec["required"] == ["name"]
    assert spec["anyOf"] == [{"required": ["command"]}, {"required": ["stages"]}]


def _template(pattern: str) -> str:
    return "/" + re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", pattern)
