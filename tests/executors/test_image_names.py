"""What images can be called: values."""

from __future__ import annotations

import pytest

from jupyter_training.executors.image_names import why_no_image

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    "name",
    [
        "python",
        "python:3.12-slim",
        "pytorch/pytorch:2.0-cuda11.8",
        "a_b/c__d/e.f-g:V1_.-",
        "Registry.example.com:5000/team/a/b:Tag",
        "localhost/a",
        "[::1]:5000/a",
        f"python@{DIGEST}",
        f"python:3.12@{DIGEST}",
        DIGEST,
        "4bcff63911fc",
    ],
)
def test_what_docker_takes(name: str) -> None:
    assert why_no_image(name) is None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("https://registry.example.com/a:b", "did you mean registry.example.com/a:b?"),
        ("docker://python", "did you mean python?"),
        ("PyTorch/PyTorch:2.0-CUDA", "did you mean pytorch/pytorch:2.0-CUDA?"),
        ("host:5000/Team/A", "did you mean host:5000/team/a?"),
        ("Python", "did you mean python?"),
        ("not a name", "one looks like pytorch/pytorch"),
        ("../containers/abc", "one looks like"),
        ("a/../../containers/b", "one looks like"),
        ("python:", "one looks like"),
        ("/python", "one looks like"),
        ("-v", "one looks like"),
        ("python:3:12", "one looks like"),
        ("python@sha256:1", "one looks like"),
        ("数据/图像", "one looks like"),
    ],
)
def test_what_it_does_not_take_is_told_with_what_was_meant(name: str, told: str) -> None:
    said = why_no_image(name)
    assert said is not None
    assert said.startswith(f"{name!r} is not the name of an image; ")
    assert told in said
