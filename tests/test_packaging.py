"""What is in the distributions."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from jupyter_training import __version__

ROOT = Path(__file__).parents[1]
LAB = "share/jupyter/labextensions/jupyter-training"


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel and a source distribution, of the extension as it is built here."""
    made = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist", "-d", str(made)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return made


def test_the_wheel_brings_the_built_extension_and_its_catalogue(distributions: Path) -> None:
    (path,) = distributions.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        (data,) = {name.split("/")[0] for name in names if name.split("/")[0].endswith(".data")}
        lab = f"{data}/data/{LAB}"
        package = json.loads(wheel.read(f"{lab}/package.json"))
        assert f"{lab}/static/{package['jupyterlab']['_build']['load'].split('/')[-1]}" in names
        assert f"{lab}/static/style.js" in names
        # What a cell shows is one module without imports, so that it runs wherever a widget does.
        assert "jupyter_training/notebook/static/widget.css" in names
        chart = wheel.read("jupyter_training/notebook/static/widget.js").decode()
        assert len(chart) < 80_000
        assert not re.search(r"\bimport\b|\beval\(|\bnew Function\(", chart)
        assert "jupyter_training/locale/zh_CN/LC_MESSAGES/jupyter_training.json" in names
        assert json.loads(wheel.read(f"{lab}/install.json"))["packageName"] == "jupyter-training"
    assert not [name for name in names if "/node_modules/" in name or name.endswith(".tsbuildinfo")]


def test_the_source_distribution_has_the_sources_and_nothing_that_was_downloaded(
    distributions: Path,
) -> None:
    (path,) = distributions.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    assert {
        "hatch_build.py",
        "labextension/package.json",
        "labextension/yarn.lock",
        "labextension/src/index.ts",
        "jupyter_training/labextension/static/style.js",
        "jupyter_training/notebook/static/widget.js",
    } <= names
    unwanted = (
        "/node_modules/",
        "labextension/lib/",
        "labextension/.yarn/",
        ".tsbuildinfo",
        "cache",
    )
    assert not [name for name in names if any(part in name for part in unwanted)]


def test_the_lock_file_names_no_server() -> None:
    lock = (ROOT / "labextension" / "yarn.lock").read_text()
    assert "http://" not in lock
    assert "https://" not in lock
    assert "__archiveUrl" not in lock


def test_the_extension_has_the_version_of_the_package() -> None:
    version = json.loads((ROOT / "labextension" / "package.json").read_text())["version"]
    assert version.replace("-dev.", ".dev") == __version__


def test_the_chart_of_a_cell_is_built_of_nothing_of_jupyterlab() -> None:
    sources = ROOT / "labextension" / "src"
    left, seen = [sources / "widget" / "index.ts"], set()
    while left:
        path = left.pop()
        seen.add(path)
        for found in re.findall(r"^import (?!type)[^;]*? from '([^']+)'", path.read_text(), re.M):
            if found == "uplot":
                continue
            assert found.startswith("."), f"{path.name} imports {found}"
            other = (path.parent / found).resolve()
            if other.suffix != ".json" and (other := other.with_suffix(".ts")) not in seen:
                left.append(other)
    shared = {path.relative_to(sources).as_posix() for path in seen}
    assert {"charts/plot.ts", "charts/colours.ts", "charts/curves.ts", "model/times.ts"} <= shared
