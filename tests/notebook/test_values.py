"""Values that go to jobs and come back."""

from __future__ import annotations

import mmap
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_training import train, values
from jupyter_training.notebook.client import TrainingError
from jupyter_training.notebook.exchange import pack
from jupyter_training.notebook.options import fields_of
from tests.conftest import Server
from tests.notebook.conftest import Kernel

SMALL = "--cpus 1 --memory 1 --retries 0"


def there_and_back(value: Any, tmp_path: Path) -> Any:
    values.save(value, str(tmp_path / "value"))
    return values.load(str(tmp_path / "value"))


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.binary()
    | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(anything)
def test_a_value_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, value: object
) -> None:
    assert there_and_back(value, tmp_path_factory.mktemp("values")) == value


def test_arrays_are_neither_copied_on_the_way_nor_when_they_are_read(tmp_path: Path) -> None:
    array = np.arange(4_000_000, dtype=np.float64)
    tracemalloc.start()
    pieces = values.pieces_of({"a": array, "b": array[:10], "empty": np.empty((0, 3))})
    values.save(array, str(tmp_path / "value"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < array.nbytes / 10
    assert any(np.shares_memory(np.frombuffer(piece, np.uint8), array) for piece in pieces if piece)
    back = values.load(str(tmp_path / "value"))
    assert np.array_equal(back, array)
    base = back
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base.obj if isinstance(base, memoryview) else base, mmap.mmap)
    back[0] = 7  # it may be changed, and the file is not
    assert values.load(str(tmp_path / "value"))[0] == 0
    assert back.ctypes.data % 64 == 0


def test_tensors_share_their_memory_too(tmp_path: Path) -> None:
    import torch  # it takes seconds, and nothing else here needs it

    tensor = torch.arange(1_000_000, dtype=torch.float32)
    pieces = values.pieces_of([tensor])
    assert any(
        np.shares_memory(np.frombuffer(piece, np.uint8), tensor.numpy())
        for piece in pieces
        if piece
    )
    weights = torch.nn.Linear(3, 2)
    kept: list[Any] = [tensor, tensor.to(torch.bfloat16), tensor.reshape(1000, 1000).T, weights]
    back = there_and_back(kept, tmp_path)
    for one, other in zip(kept[:3], back[:3], strict=True):
        assert torch.equal(one, other)
        assert one.dtype == other.dtype
    assert torch.equal(back[3].weight, weights.weight)
    assert back[3].weight.requires_grad


def test_what_cannot_be_pickled_is_named_with_the_reason() -> None:
    class Config:
        pass

    config = Config()
    config.__dict__.update(lr=1, locks=[None, threading.Lock()])
    with pytest.raises(TrainingError, match=r"^config cannot be given to a job") as told:
        pack("config", {"deep": config})
    assert "config['deep'].locks[1] is a lock: cannot pickle '_thread.lock' object" in str(
        told.value
    )

    def uses() -> object:
        return config

    with pytest.raises(TrainingError, match=r"fit\.config\.locks\[1\]"):
        pack("fit", uses)


def test_a_file_that_is_no_value_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"x", b"x" * 1000, b"JTVALUE1" + b"\xff" * 100):
        (tmp_path / "v").write_bytes(content)
        with pytest.raises(values.UnreadableValue, match="v"):
            values.load(str(tmp_path / "v"))


def test_it_needs_nothing_but_a_python(tmp_path: Path) -> None:
    code = "import sys; sys.modules['cloudpickle'] = None; import values; values.save([1], 'v'); "
    done = subprocess.run(
        [sys.executable, "-S", "-c", code + "print(values.load('v'))"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(values.__file__).parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[1]\n"


def test_variables_go_into_a_cell_and_come_back(kernel: Kernel, server: Server) -> None:
    kernel.run(
        "import numpy as np\n"
        "data = np.ones(100_000)\n"
        "class Config:\n    lr = 0.5\n"
        "config = Config()"
    )
    cell = kernel.run(
        f"%%train {SMALL} --name exchange --in data,config --out model,history\n"
        "import sys\n"
        "def predict(x): return x * config.lr\n"
        "model, history = predict, [float(data.sum()), sys.argv[1:], __name__]\n"
    )
    assert "in: data (781." in cell.text
    assert "config (" in cell.text
    kernel.run("from jupyter_training import get_job; job = get_job('exchange')")
    kernel.run("found = job.result()")
    assert kernel.value("sorted(found), found['history']") == (
        ["history", "model"],
        [100_000.0, [], "__main__"],
    )
    assert kernel.value("job.result('model')(4)") == 2.0
    assert "out: model, history" in kernel.run("%train_result exchange").text.replace(
        "history, model", "model, history"
    )
    assert kernel.value("model(2), history[0]") == (1.0, 100_000.0)
    assert "has no nothing" in kernel.run("job.result('nothing')").error


def test_with_wait_a_variable_is_there_when_the_cell_is_done(kernel: Kernel) -> None:
    kernel.run(f"%%train {SMALL} --name waits --out answer --wait\nanswer = 6 * 7")
    assert kernel.value("answer") == 42
    assert kernel.value("__import__('jupyter_training').get_job('waits').result()") == 42


def test_a_script_file_gets_variables_and_its_arguments(kernel: Kernel, server: Server) -> None:
    (server.home.path / "work" / "given.py").write_text(
        "import sys\nif __name__ == '__main__':\n    out = (given, sys.argv[1:])\n"
    )
    kernel.run("given = {'a': 1}")
    kernel.run(f"%train {SMALL} --in given --out out --wait given.py --lr -1e-3 '{{x}} y'")
    assert kernel.value("out") == ({"a": 1}, ["--lr", "-1e-3", "{x} y"])


def test_what_goes_wrong_with_values_is_told(kernel: Kernel, server: Server) -> None:
    assert "no variable nowhere" in kernel.run("%%train --in nowhere\npass").error
    kernel.run("import threading; lock = {'inner': threading.Lock()}")
    told = kernel.run("%%train --in lock\npass").error
    assert "lock cannot be given to a job. lock['inner'] is a lock" in told
    assert "is not the name of a variable" in kernel.run("%%train --in 1a\npass").error
    kernel.run(f"%%train {SMALL} --name forgets --out model\npass")
    kernel.run("from jupyter_training import get_job")
    assert "has no result: it is failed" in kernel.run("get_job('forgets').result()").error
    job = server.api.get("api/training-jobs?q=forgets").json()[0]
    assert server.api.log(job["job_id"]) == ["--out model: the script has ended without a model."]
    kernel.run("one = 1")
    kernel.run(f"%%train {SMALL} --name raises --in one --out model\n1 / (one - 1)")
    job = server.api.get("api/training-jobs?q=raises").json()[0]
    server.api.ended(job["job_id"])
    log = "\n".join(server.api.log(job["job_id"]))
    assert 'cell.py", line 1, in <module>' in log
    assert "values.py" not in log


def test_a_function_becomes_a_job_that_returns_or_raises(kernel: Kernel, server: Server) -> None:
    kernel.run(
        "from jupyter_training import train\n"
        "scale = 10\n"
        "class Unusual(Exception):\n"
        "    def __init__(self, code, more): super().__init__(code, more); self.code = code\n"
        "@train(cpus=1, memory='1GB', retries=0)\n"
        "def fit(lr, *, steps=1):\n"
        "    '''Fit it.'''\n"
        "    if lr < 0: raise Unusual(7, 'below zero')\n"
        "    if lr == 1: return fit(0.5)\n"
        "    return {'loss': lr * scale * steps}\n"
    )
    assert kernel.value("fit(1), fit.__doc__, fit.__name__") == ({"loss": 5.0}, "Fit it.", "fit")
    kernel.run("jobs = [fit.submit(0.1, steps=2), fit.submit(1)]")
    assert kernel.value("[job.result(timeout=300) for job in jobs]") == [
        {"loss": 2.0},
        {"loss": 5.0},
    ]
    assert "def fit(lr, *, steps=1):" in kernel.run("jobs[0].code()").text
    raised = kernel.run(
        "try:\n    fit.submit(-1).result()\n"
        "except Unusual as error:\n    print(error.code, 'below zero' in str(error.__cause__), "
        "'line' in str(error.__cause__))"
    )
    assert raised.text == "7 True True\n"
    assert "missing a required argument: 'lr'" in kernel.run("fit.submit()").error


def test_a_decorated_function_takes_what_the_magics_take() -> None:
    told = {"gpus": 1, "memory": "16GB", "time_limit": "2h", "env": {"A": "b"}, "dataset": "d"}
    assert fields_of(told) == {
        "gpu_count": 1,
        "memory_gb": 16,
        "time_limit_s": 7200,
        "env_vars": {"A": "b"},
        "dataset_ids": ["d"],
    }
    with pytest.raises(TypeError, match="there is no option gpu; did you mean gpus"):
        train(gpu=1)
    assert train(lambda x: x + 1)(1) == 2
