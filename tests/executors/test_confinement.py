"""Which images an administrator allows: values."""

from __future__ import annotations

import pytest

from jupyter_training.executors.confinement import Confinement

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("image", "patterns", "allowed"),
    [
        ("anything", [], True),
        ("registry.example.com:5000/a/b:c", ["*"], True),
        ("python", ["python"], True),
        ("python:3.12", ["python"], True),
        ("docker.io/library/python:3.12", ["python"], True),
        ("python", ["docker.io/python"], True),
        ("python", ["python:latest"], True),
        ("python:3.12", ["python:3.*"], True),
        ("python:2.7", ["python:3.*"], False),
        ("pythonista", ["python"], False),
        ("evil/python", ["python"], False),
        ("registry.example.com/library/python", ["python"], False),
        ("pytorch/pytorch:2.1", ["python", "pytorch/*"], True),
        ("registry.example.com/pytorch/pytorch", ["pytorch/*"], False),
        ("registry.example.com/team/a/b:1", ["registry.example.com/team/*"], True),
        ("registry.example.com.evil.com/team/a", ["registry.example.com/team/*"], False),
        ("localhost/a", ["localhost/a"], True),
        (f"python@{DIGEST}", ["python"], True),
        (f"python@{DIGEST}", [f"python@{DIGEST}"], True),
        # The tag beside a digest is only for people: the digest decides.
        (f"python:3.12@{DIGEST}", ["python:3.*"], False),
        ("python:3.12", [f"python@{DIGEST}"], False),
    ],
)
def test_images_are_matched_as_docker_understands_their_names(
    image: str, patterns: list[str], allowed: bool
) -> None:
    told = Confinement("1:1", images=tuple(patterns)).why_not_image(image)
    assert (told is None) is allowed
    if told is not None:
        assert image in told
        assert patterns[0] in told
