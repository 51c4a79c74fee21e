"""Executors by name: our own, those of other packages, and what cannot be one."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_training.executors import registry
from jupyter_training.executors.registry import NoSuchExecutor, Setting
from tests.executors.another_package import install

SETTING = Setting("test", Path("/data"), Path("/work"), 1, 0, None)


def test_our_own_are_found_and_made_in_their_order() -> None:
    assert {"docker", "local"} <= set(registry.names())
    executors, offers = registry.make(["local", "local"], SETTING)
    assert list(executors) == list(offers) == ["local"]


def test_another_package_adds_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, desk="cluster_of_another_package:PLUGIN")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "desk" in registry.names()
    executors, offers = registry.make(["desk", "local"], SETTING)
    assert type(executors["desk"]).__name__ == "Desk"
    assert offers["desk"].options == {"drawer": "which drawer"}


def test_nobody_replaces_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, local="cluster_of_another_package:PLUGIN")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert type(registry.find("local").make(SETTING)).__name__ == "LocalExecutor"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("no_such_module:PLUGIN", "No module named"),
        ("cluster_of_another_package:DESK", "is no Plugin"),
    ],
)
def test_what_cannot_be_used_is_told(
    value: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, odd=value)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(NoSuchExecutor, match=f"the executor odd cannot be used: .*{told}"):
        registry.find("odd")
    with pytest.raises(NoSuchExecutor, match=r"there is no executor 'moon'; there are: .*local"):
        registry.find("moon")
