"""Stages that are not run because an earlier run did the same, with real jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Api, python
from tests.server.test_pipelines import children, stage, submit
from tests.server.test_snapshots import snapshot

COUNTS = """
import os, sys
from pathlib import Path
with open(os.environ["RECORD"], "a") as file:
    file.write(sys.argv[1])
out = Path(os.environ["JUPYTER_TRAINING_OUTPUT_DIR"])
(out / "deep").mkdir(exist_ok=True)
(out / "deep" / "told").write_text(sys.argv[1])
"""


class Counted:
    """Two stages that write down each of their runs."""

    def __init__(self, api: Api, tmp_path: Path) -> None:
        self.api, self.record, self.script = api, tmp_path / "record", tmp_path / "fit.py"
        self.script.write_text(COUNTS)

    def run(self, **fields: Any) -> dict[str, dict[str, Any]]:
        """Run them, and return them."""
        prepare = [*python(COUNTS), "p"]
        # Not named in the command, as a file that is counts as an input.
        env_vars = {"RECORD": str(self.record), **fields.pop("env_vars", {})}
        fit = [python("")[0], str(self.script), "f"]
        stages = [stage("prepare", command=prepare), stage("fit", "prepare", command=fit)]
        pipe = submit(self.api, stages, env_vars=env_vars, **{"cache": True, **fields})
        told = self.api.ended(pipe["job_id"])
        assert (told["status"], told["progress"]) == ("completed", 100)
        return children(self.api, pipe["job_id"])

    @property
    def runs(self) -> str:
        return self.record.read_text()


@pytest.fixture
def counted(api: Api, tmp_path: Path) -> Counted:
    return Counted(api, tmp_path)


def test_what_did_not_change_is_not_run_again_and_has_the_same_results(counted: Counted) -> None:
    first = counted.run(cache=False)
    second = counted.run()
    third = counted.run()
    assert counted.runs == "pf"
    for name, stage_ in second.items():
        assert stage_["reused_from"] == first[name]["job_id"]
        assert stage_["reason"] == f"reused from {first[name]['job_id']}"
        assert (stage_["status"], stage_["cause"], stage_["attempt"]) == ("completed", "success", 0)
        assert Path(stage_["output_dir"], "deep", "told").read_text() == name[0]
        assert stage_["output_dir"] != first[name]["output_dir"]
        # What was reused is no source itself, so nothing hangs on a chain.
        assert third[name]["reused_from"] == first[name]["job_id"]
    assert {one["reused_from"] for one in first.values()} == {None}


def test_without_the_cache_everything_is_run(counted: Counted) -> None:
    counted.run()
    counted.run(cache=False)
    assert counted.runs == "pfpf"


def test_changed_code_or_parameters_or_inputs_are_run(counted: Counted) -> None:
    counted.run()
    counted.script.write_text(COUNTS + "\n# changed")
    second = counted.run()
    assert counted.runs == "pff"
    assert second["prepare"]["reused_from"] is not None
    third = counted.run(env_vars={"LR": "1"})
    assert counted.runs == "pffpf"
    # The same code, but it reads what another run has left.
    counted.api.post(f"api/training-jobs/{third['prepare']['job_id']}/retry")
    counted.api.ended(third["prepare"]["job_id"])
    counted.run(env_vars={"LR": "1"})
    assert counted.runs == "pffpfp" + "f"


def test_each_file_of_a_copy_counts_that_is_no_notebook(api: Api, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    files = {"fit.py": b"import model", "model.py": b"LAYERS = 1", "notes.ipynb": b"{}"}

    def run(**changed: bytes) -> bool:
        """Whether it was run itself, with a copy in which some files are others."""
        several = {**files, **{name.replace("_", "."): told for name, told in changed.items()}}
        stages = [stage("fit", command=[python("")[0], "fit.py"])]
        where = {"working_dir": str(work), "snapshot": snapshot(api, work, several)}
        pipe = submit(api, stages, cache=True, **where)
        assert api.ended(pipe["job_id"])["status"] == "completed"
        return children(api, pipe["job_id"])["fit"]["reused_from"] is None

    assert run()
    assert not run(notes_ipynb=b"{ }")
    assert run(model_py=b"LAYERS = 2")
    # What lies in the directory meanwhile is none of the copy's.
    (work / "fit.py").write_text("raise SystemExit(1)")
    assert not run()
    assert run(other_py=b"")


def test_what_is_gone_is_run_again_and_a_copy_stays(counted: Counted) -> None:
    first = counted.run()
    second = counted.run()
    told = counted.api.job(str(first["fit"]["parent_id"]))
    assert counted.api.ask("DELETE", f"api/training-jobs/{told['job_id']}").status_code == 204
    assert Path(second["fit"]["output_dir"], "deep", "told").read_text() == "f"
    counted.run()
    assert counted.runs == "pfpf"


def test_only_what_one_has_run_oneself_is_reused(counted: Counted, api: Api, server: Any) -> None:
    counted.run()
    counted.api = server.api_of("eve")
    found = counted.run()
    assert counted.runs == "pfpf"
    assert {one["reused_from"] for one in found.values()} == {None}
