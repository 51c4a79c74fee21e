"""Scripts as people write them, run as jobs: what is found of them is what they measured."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Api, Home

SCRIPTS = Path(__file__).parents[1] / "scripts"

# Without a change, and with a line more.
UNCHANGED = ("pytorch_loop", "sklearn_verbose", "lightgbm_train", "keras_fit")
CALLBACKS = ("callback_lightning", "callback_hugging_face", "callback_keras")
EPOCHS = {"pytorch_loop": 8, "sklearn_verbose": 10, "lightgbm_train": 30, "keras_fit": 3}
BATCHES = {"keras_fit": 8}
"""In each epoch, where the script prints what it has so far after each of them."""


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, dict[str, str]]]:
    """All of them, submitted at once, so that two run at a time; by the names of the scripts."""
    home = Home(tmp_path_factory.mktemp("scripts"))
    api = home.start().api
    # A trainer that finds no threads to spare does not take those of the tests.
    env = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    yield (
        api,
        {
            name: api.submit(
                [sys.executable, str(SCRIPTS / f"{name}.py")],
                name=name,
                memory_gb=3,
                env_vars=env,
                max_retries=0,
            )["job_id"]
            for name in (*UNCHANGED, *CALLBACKS)
        },
    )
    home.close()


def finished(api: Api, job_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A job when it has ended, and what the script itself says that it has measured."""
    told = api.until(job_id, lambda told: told["completed_at"] is not None)
    assert told["status"] == "completed", "\n".join(api.log(job_id))
    return told, json.loads(Path(told["output_dir"], "own.json").read_text())


def series(api: Api, job_id: str) -> dict[str, tuple[str, list[list[float]]]]:
    """By name, where it comes from, and every step and value."""
    found: dict[str, tuple[str, list[list[float]]]] = {}
    text = api.http.get(f"api/training-jobs/{job_id}/metrics.csv").text
    for row in csv.DictReader(io.StringIO(text)):
        _, points = found.setdefault(row["metric"], (row["source"], []))
        points.append([float(row["step"]), float(row["value"])])
    return found


@pytest.mark.parametrize("name", UNCHANGED)
def test_what_a_script_prints_is_found(jobs: tuple[Api, dict[str, str]], name: str) -> None:
    api, job_ids = jobs
    told, own = finished(api, job_ids[name])
    found = series(api, job_ids[name])
    assert set(own) <= set(found)
    for metric, values in own.items():
        source, points = found[metric]
        assert source == "printed"
        batches = BATCHES.get(name, 1)
        assert [value for step, value in points if step % batches == 0] == values
        assert told["metrics"][metric] == values[-1]
    assert {len(values) for values in own.values()} == {EPOCHS[name]}
    assert told["progress"] == 100


@pytest.mark.parametrize("name", CALLBACKS)
def test_what_a_callback_reports_is_what_the_trainer_has_measured(
    jobs: tuple[Api, dict[str, str]], name: str
) -> None:
    api, job_ids = jobs
    _, own = finished(api, job_ids[name])
    found = series(api, job_ids[name])
    for metric, points in own.items():
        assert found[metric] == ("reported", points), metric
    reported = {metric for metric, (source, _) in found.items() if source == "reported"}
    assert not [metric for metric in reported if "second" in metric or "runtime" in metric]


@pytest.mark.parametrize(
    ("callback", "package"),
    [
        ("LightningCallback", "lightning"),
        ("HuggingFaceCallback", "transformers"),
        ("KerasCallback", "keras"),
    ],
)
def test_without_the_library_it_is_said_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, callback: str, package: str
) -> None:
    from jupyter_training import integrations

    for module in (package, "lightning.pytorch", "pytorch_lightning", "tensorflow.keras"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(vars(integrations), callback, raising=False)
    with pytest.raises(ImportError, match=f"{callback} needs {package}.*pip install {package}"):
        getattr(integrations, callback)
    with pytest.raises(AttributeError):
        _ = integrations.NoSuchCallback
