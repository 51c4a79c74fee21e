"""What a person may ask for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_training.jobs.children import parse, stage_specs
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import InvalidJob

GOOD: dict[str, Any] = {"name": "digits", "command": "python train.py"}


def wrong(**fields: Any) -> dict[str, str]:
    """What is said about a job that is good but for these."""
    with pytest.raises(InvalidJob) as caught:
        parse({**GOOD, **fields})
    return {error.field: error.message for error in caught.value.errors}


def test_only_a_name_and_a_command_are_needed() -> None:
    spec = parse(GOOD)
    assert (spec.max_retries, spec.priority, spec.cpu_cores) == (3, 0, None)
    assert spec.words == ("python", "train.py")


def test_every_wrong_field_is_named_at_once() -> None:
    told = wrong(name=" ", cpu_cores=0, memory_gb="a", nonsense=1)
    assert set(told) == {"name", "cpu_cores", "memory_gb", "nonsense"}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "a\nb", "one line"),
        ("name", "x" * 257, "has 257 characters, and may have 256"),
        ("cpu_cores", 1.5, "integer"),
        ("cpu_cores", True, "integer"),
        ("memory_gb", 0, "greater than or equal to 1"),
        ("gpu_count", -1, "greater than or equal to 0"),
        ("command", "", "should name a program"),
        ("command", [], "should name a program"),
        ("command", ["", "a"], "should name a program"),
        ("command", "echo 'a", "no closing quotation"),
        ("command", ["a\0b"], "NUL"),
        ("command", "echo \ud83d", "half a character"),
        ("command", 3, "string or an array of strings"),
        ("env_vars", {"A B": "x"}, "'A B' is not a name"),
        ("env_vars", {"CUDA_VISIBLE_DEVICES": "0"}, "set by jupyter-training itself"),
        ("env_vars", {"JUPYTER_TRAINING_JOB_ID": "0"}, "set by jupyter-training itself"),
        ("env_vars", {"A": 1}, "A"),
        ("env_vars", {"A": "\udcff"}, "half a character"),
        ("parameters", {"a": "b\0"}, "a: should not contain a NUL character"),
        ("max_retries", 101, "100"),
        ("priority", 1001, "1000"),
        ("time_limit_s", 0, "greater than 0"),
        ("time_limit_s", float("nan"), "finite"),
        ("nodes", 0, "greater than or equal to 1"),
        ("job_type", "other", "'single', 'distributed'"),
        ("script", {"name": "../x.py", "text": ""}, "plain file name"),
        ("script", {"name": "数" * 100, "text": ""}, "has 300 bytes"),
    ],
)
def test_limits(field: str, value: Any, words: str) -> None:
    told = wrong(**{field: value})
    assert set(told) == {field}
    assert words in told[field]


def test_what_only_a_distributed_job_can_be_makes_it_one() -> None:
    for fields in ({"nodes": 2}, {"launcher": "mpi"}, {"procs_per_node": 2}):
        assert parse({**GOOD, **fields}).is_gang
    assert not parse({**GOOD, "nodes": 1}).is_gang
    stored = parse({**GOOD, "nodes": 2}).model_dump(mode="json")
    assert parse(stored).model_dump(mode="json") == stored


def test_what_only_a_distributed_job_can_be_is_refused_for_another() -> None:
    told = wrong(job_type="single", nodes=2, launcher="torchrun", procs_per_node=2, min_nodes=1)
    assert set(told) == {"nodes", "launcher", "procs_per_node", "min_nodes"}
    assert told["nodes"] == "is for jobs of the type distributed, and this is single"


def test_the_least_number_of_nodes_is_not_more_than_the_number() -> None:
    assert "should not be more than nodes, which is 2" in wrong(nodes=2, min_nodes=3)["min_nodes"]
    assert "mpi reaches other nodes by ssh" in wrong(nodes=2, launcher="mpi")["launcher"]
    assert "should be 'builtin', 'torchrun'" in wrong(nodes=2, launcher="slurm")["launcher"]


def test_nobody_sets_what_tells_the_ranks_apart() -> None:
    told = wrong(nodes=2, env_vars={"RANK": "0"})
    assert told == {"env_vars": "RANK is set by jupyter-training itself"}
    assert parse({**GOOD, "env_vars": {"RANK": "0"}}).env_vars == {"RANK": "0"}


def test_a_slip_of_the_pen_gets_a_hint() -> None:
    assert wrong(cpu_core=1) == {"cpu_core": "no such field; did you mean cpu_cores?"}


@pytest.mark.parametrize("data", [None, [], "x", 3])
def test_what_is_not_an_object(data: object) -> None:
    with pytest.raises(InvalidJob, match="a job is a JSON object"):
        parse(data)


def test_a_command_is_split_as_a_shell_would_and_nothing_is_expanded() -> None:
    spec = parse({**GOOD, "command": "python 'my train.py' --lr \"-1e-3\" $HOME {x} *"})
    assert spec.words == ("python", "my train.py", "--lr", "-1e-3", "$HOME", "{x}", "*")


def test_a_script_takes_the_place_kept_for_it() -> None:
    script = {"name": "cell.py", "text": "pass"}
    spec = parse({**GOOD, "command": ["python", "{script}", "a{script}"], "script": script})
    assert spec.argv("/x/cell.py") == ["python", "/x/cell.py", "a{script}"]
    assert parse({**GOOD, "command": "python '{script}'", "script": script}).argv("/y") == [
        *("python", "/y")
    ]
    assert "{script}" in str(wrong(command=["python"], script=script))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
    | st.fixed_dictionaries(
        {},
        optional={
            name: st.none() | st.integers() | st.text() | st.lists(st.text())
            for name in ("name", "command", "cpu_cores", "env_vars", "script", "gpu_type", "image")
        },
    )
)
def test_nothing_but_invalid_job_is_raised(data: object) -> None:
    told: list[FieldError] = []
    try:
        spec = parse(data)
        again = parse(spec.model_dump(mode="json"))
    except InvalidJob as invalid:
        told = invalid.errors
    else:
        assert again == spec
    assert all(error.message for error in told)


def test_a_stage_is_a_job_with_what_is_said_of_its_pipeline() -> None:
    spec = parse(
        {
            "name": "pipe",
            "image": "i",
            "cpu_cores": 2,
            "priority": 5,
            "env_vars": {"A": "1", "B": "1"},
            "cache": True,
            "stages": [
                {"name": "x", "command": "true", "env_vars": {"B": "2"}},
                {"name": "y", "command": "true", "image": None, "cpu_cores": 1, "cache": False},
                {"name": "z", "command": "true", "nodes": 2, "depends_on": ["x", "y"]},
            ],
        }
    )
    assert (spec.job_type.value, spec.is_parent, spec.words) == ("pipeline", True, ())
    x, y, z = stage_specs(spec)
    assert (x.name, x.image, x.cpu_cores, x.priority, x.cache) == ("pipe/x", "i", 2, 5, True)
    assert x.env_vars == {"A": "1", "B": "2"}
    assert (y.image, y.cpu_cores, y.cache) == (None, 1, False)
    assert (z.job_type.value, z.nodes) == ("distributed", 2)


def test_what_is_wrong_with_a_stage_names_it() -> None:
    def told(*stages: Any) -> dict[str, str]:
        with pytest.raises(InvalidJob) as caught:
            parse({"name": "pipe", "stages": list(stages)})
        return {error.field: error.message for error in caught.value.errors}

    for no_stages in ("x", None):
        assert told(no_stages)["stages"].startswith("should be an array of objects such as {")
    assert told() == {"stages": "a pipeline needs at least one stage"}
    assert parse({"name": "x", "command": "true", "stages": []}).job_type.value == "single"
    good = {"name": "a", "command": "true"}
    assert told(good, {"name": "b"}) == {"stages.1.command": "stage b: is required"}
    assert told({**good, "priority": 1}) == {
        "stages.0.priority": "stage a: is that of the pipeline"
    }
    assert "plain name" in told({**good, "name": "a/b"})["stages.0.name"]
    inner = {"name": "in", "stages": [{"name": "deep", "command": ""}]}
    assert told(inner)["stages.0.stages.0.command"].startswith("stage in: stage deep: ")
    cycle = [{**good, "depends_on": ["b"]}, {**good, "name": "b", "depends_on": ["a"]}]
    assert told(*cycle) == {
        "stages": "a after b after a is a cycle: none of them could begin",
    }
    deep: dict[str, Any] = good
    for _ in range(4):
        deep = {"name": "a", "stages": [deep]}
    assert any("3 deep" in message for message in told(deep).values())
