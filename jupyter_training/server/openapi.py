"""The OpenAPI document: `openapi.yaml` with the schemas of what the code itself checks."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

import yaml

from jupyter_training._version import __version__
from jupyter_training.jobs.datasets import DataSetSpec
from jupyter_training.jobs.lifecycle import Cause, Status
from jupyter_training.jobs.snapshots import Manifest
from jupyter_training.jobs.spec import JobSpec


def document(base_url: str) -> dict[str, Any]:
    """The description of the REST interface of a server.

    Parameters
    ----------
    base_url
        The path below which the server answers.
    """
    return {**_document(), "servers": [{"url": base_url}]}


@functools.cache
def _document() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("openapi.yaml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    content["info"]["version"] = __version__
    schemas = content["components"]["schemas"]
    for model in (JobSpec, DataSetSpec, Manifest):
        asked = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(asked.pop("$defs", {}))
        schemas[model.__name__] = asked
    schemas["Status"]["enum"] = [status.value for status in Status]
    schemas["Cause"]["enum"] = [cause.value for cause in Cause]
    return content
