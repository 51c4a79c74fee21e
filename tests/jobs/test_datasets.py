"""What may be a data set: values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_training.jobs.datasets import InvalidDataSet, parse, why_not

OWN = Path("/home/ada/.local/share/jupyter/training")
RUNTIME = Path("/run/user/1000/jupyter")


def test_a_data_set_has_a_name_and_a_path() -> None:
    spec = parse({"name": "imagenet-2012", "path": "data/x", "description": "a\nb"})
    assert (spec.name, spec.path, spec.description) == ("imagenet-2012", "data/x", "a\nb")


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"name": "../x"}, "name", "plain file name"),
        ({"name": "a/b"}, "name", "plain file name"),
        ({"name": ".hidden"}, "name", "plain file name"),
        ({"name": "12"}, "name", "not a number"),
        ({"name": "x" * 129}, "name", "128"),
        ({"name": "数" * 100}, "name", "has 300 bytes, and may have 240"),
        ({"path": ""}, "path", "empty"),
        ({"path": "a\0b"}, "path", "control characters"),
        ({"path": 3}, "path", "string"),
        ({"paht": "x"}, "paht", "did you mean path?"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], field: str, told: str) -> None:
    with pytest.raises(InvalidDataSet) as wrong:
        parse({"name": "x", "path": "/x", **changes})
    (error,) = wrong.value.errors
    assert error.field == field
    assert told in error.message
    assert "This data set cannot be registered" in str(wrong.value)


@pytest.mark.parametrize("data", [None, [], "x", 3])
def test_what_is_no_object_is_no_data_set(data: object) -> None:
    with pytest.raises(InvalidDataSet, match="JSON object"):
        parse(data)


@pytest.mark.parametrize(
    ("path", "allowed", "told"),
    [
        ("/data/x", [], None),
        ("/home/ada/data", [], None),
        ("/home/ada/.local/share/jupyter", [], "contains"),
        ("/home/ada", [], "contains"),
        ("/", [], "contains"),
        (str(OWN), [], "is inside"),
        (f"{OWN}/jobs/job-1/output", [], "is inside"),
        ("/etc", [], "of the system"),
        ("/etc/passwd", [], "of the system"),
        ("/proc/self/environ", [], "of the system"),
        ("/var", [], "of the system"),
        ("/dev/shm", [], "of the system"),
        ("/etcetera", [], None),
        ("/data/x", ["/data", "/scratch"], None),
        ("/data", ["/data"], None),
        ("/dev/shm/x", ["/dev/shm"], None),
        ("/database", ["/data"], "is not in /data,"),
        ("/x", ["/data", "/scratch"], "is not in /data or /scratch,"),
        (f"{OWN}/x", ["/home"], "is inside"),
        (f"{RUNTIME}/server.json", ["/run"], "is inside"),
        ("/run/user", ["/run"], "contains"),
    ],
)
def test_where_a_data_set_may_be(path: str, allowed: list[str], told: str | None) -> None:
    said = why_not(Path(path), [Path(one) for one in allowed], [OWN, RUNTIME])
    if told is None:
        assert said is None
    else:
        assert said is not None
        assert told in said
