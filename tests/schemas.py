"""JSON schemas, without the grammar of IRIs that jsonschema would build for seconds first."""

from jupyter_training.server.quick_imports import without_iris

without_iris()

from jsonschema import Draft202012Validator  # noqa: E402

__all__ = ["Draft202012Validator"]
