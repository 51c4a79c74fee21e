"""Values on their way between a kernel and its jobs, and what runs a job that has some.

A value is a file: a head, a pickle of protocol 5, and the buffers of its arrays behind it, each
where memory can be mapped. So an array is sent from where it is and read where it lies, without a
second copy of it, where its library allows: NumPy does, and so what is made of it, and PyTorch's
tensors on a CPU do here. Only cloudpickle makes these pickles, and functions and classes of a
notebook go with them; to read one is to run what it says, so only what a user's own kernel or job
has written is ever read.

It uses the standard library and, where there is one, cloudpickle, and runs on Python 3.8, because
it runs in whatever environment a job runs in::

    python -m jupyter_training.values script OUT,OUT SCRIPT ARGUMENT…
    python -m jupyter_training.values call
"""

from __future__ import annotations

import io
import json
import mmap
import os
import pickle
import platform
import struct
import sys
import traceback
import types
from typing import Any, Iterable, Iterator, Optional  # noqa: UP035 - has to run on Python 3.8

INPUTS = "JUPYTER_TRAINING_VALUES_DIR"
OUTPUTS = "JUPYTER_TRAINING_OUTPUT_DIR"
PARAMETERS = "JUPYTER_TRAINING_PARAMETERS"

DIRECTORY = ".values"
"""Where in a job's output directory its values are."""

RETURNED, RAISED, CALL = "return", "raise", "call"
"""What a function has returned or raised, and what is called: no names of variables."""

_MAGIC = b"JTVALUE1"
_ALIGNED = 64
_HEAD = struct.Struct("<8sQ")
_SEGMENT = struct.Struct("<QQ")


class UnreadableValue(ValueError):
    """A value that cannot be read here; the text says why."""


def pieces_of(value: Any) -> list[memoryview]:
    """A value as the pieces of its file, in order. Arrays are not copied.

    Raises
    ------
    Exception
        Whatever its pickling raises.
    """
    buffers: list[Any] = []
    stream = io.BytesIO()
    _pickler()(stream, buffer_callback=buffers.append).dump(value)
    about = json.dumps({"python": platform.python_version(), "type": type(value).__name__})
    segments = [memoryview(about.encode()), stream.getbuffer()]
    segments += [buffer.raw() for buffer in buffers]
    position = _HEAD.size + len(segments) * _SEGMENT.size
    head, pieces = [_HEAD.pack(_MAGIC, len(segments))], []
    for segment in segments:
        gap = -position % _ALIGNED
        position += gap
        head.append(_SEGMENT.pack(position, segment.nbytes))
        pieces += [memoryview(bytes(gap)), segment.cast("B") if segment.nbytes else segment]
        position += segment.nbytes
    return [memoryview(b"".join(head)), *pieces]


def save(value: Any, path: str) -> None:
    """Write the file of a value, whole or not at all."""
    draft = path + ".draft"
    with open(draft, "wb") as file:
        for piece in pieces_of(value):
            file.write(piece)
    os.replace(draft, path)


def load(path: str) -> Any:
    """Read the file of a value. Its arrays stay in the file until they are needed.

    Raises
    ------
    UnreadableValue
        If it was made with what is not here, or is none.
    """
    with open(path, "rb") as file:
        try:
            # What is changed in memory is not changed in the file.
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        except ValueError:
            raise UnreadableValue(f"{path} is empty and no value.") from None
    about: dict[str, Any] = {}
    try:
        magic, count = _HEAD.unpack_from(content)
        if magic != _MAGIC:
            raise ValueError("no value")
        table = content[_HEAD.size : _HEAD.size + count * _SEGMENT.size]
        segments = [content[start : start + size] for start, size in _SEGMENT.iter_unpack(table)]
        about = json.loads(bytes(segments[0]))
        return pickle.loads(segments[1], buffers=segments[2:])
    except Exception as error:
        here, there = platform.python_version(), about.get("python", platform.python_version())
        raise UnreadableValue(
            f"{os.path.basename(path)} cannot be read here: {type(error).__name__}: {error}."
            + (f" It was made with Python {there}; this is {here}." if here != there else "")
        ) from error


def why_not(value: Any, name: str) -> Optional[str]:  # noqa: UP045 - has to run on Python 3.8
    """Which part of a value cannot be pickled, and why; None if all of it can."""
    try:
        pieces_of(value)
    except Exception as error:
        for part, inner in _parts(value, name, depth=3):
            told = why_not(inner, part)
            if told is not None:
                return told
        return f"{name} is a {type(value).__name__}: {_reason(error)}"
    return None


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _parts(value: Any, name: str, depth: int) -> Iterator[tuple[str, Any]]:
    if name.count("[") + name.count(".") >= depth:
        return
    if isinstance(value, dict):
        yield from ((f"{name}[{key!r}]", one) for key, one in list(value.items())[:1000])
    elif isinstance(value, (list, tuple)):
        yield from ((f"{name}[{number}]", one) for number, one in enumerate(value[:1000]))
    elif isinstance(value, types.FunctionType):
        cells = zip(value.__code__.co_freevars, value.__closure__ or ())  # noqa: B905 - 3.8
        yield from ((f"{name}.{free}", cell.cell_contents) for free, cell in cells)
        used = (
            (one, value.__globals__[one])
            for one in value.__code__.co_names
            if one in value.__globals__
        )
        yield from ((f"{name}.{one}", inner) for one, inner in used if inner is not value)
    elif hasattr(value, "__dict__") and not isinstance(value, (type, types.ModuleType)):
        yield from ((f"{name}.{key}", one) for key, one in list(vars(value).items())[:1000])


def _pickler() -> Any:
    try:
        import cloudpickle
    except ImportError:
        return _with_tensors(pickle.Pickler)
    return _with_tensors(cloudpickle.CloudPickler)


def _with_tensors(kind: Any) -> Any:
    """A pickler that leaves the memory of tensors where it is."""

    class Pickler(kind):  # type: ignore[misc]
        def __init__(self, stream: Any, buffer_callback: Any) -> None:
            super().__init__(stream, protocol=5, buffer_callback=buffer_callback)

        def reducer_override(self, value: Any) -> Any:
            torch = sys.modules.get("torch")
            if torch is not None and type(value) is torch.Tensor:
                array = _array_of(value)
                if array is not None:
                    return _tensor, (array,)
            inherited = getattr(super(), "reducer_override", None)
            return NotImplemented if inherited is None else inherited(value)

    return Pickler


def _array_of(tensor: Any) -> Any:
    """The array that shares a tensor's memory; None if there is none that says all about it."""
    if tensor.requires_grad or tensor.device.type != "cpu" or vars(tensor):
        return None
    try:
        array = tensor.numpy()
    except (RuntimeError, TypeError):  # bfloat16, sparse and others
        return None
    return array if array.flags.c_contiguous else None


def _tensor(array: Any) -> Any:
    import torch

    return torch.from_numpy(array)


def itself(value: Any) -> Any:
    """The value: what a wrapper is unpickled as."""
    return value


def names_in(text: str) -> list[str]:
    """The names in a list with commas."""
    return [name for name in (one.strip() for one in text.split(",")) if name]


def main(argv: list[str]) -> int:
    """Run a script or a function with its values.

    Returns
    -------
    int
        The exit code.
    """
    directory = os.path.join(os.environ[OUTPUTS], DIRECTORY)
    os.makedirs(directory, exist_ok=True)
    for name in os.listdir(directory):  # of an earlier attempt
        os.unlink(os.path.join(directory, name))
    kind, rest = argv[0], argv[1:]
    if kind == "call":
        return _call(directory)
    outs, script, arguments = names_in(rest[0]), rest[1], rest[2:]
    return _run(script, arguments, outs, directory)


def _run(script: str, arguments: list[str], outs: list[str], directory: str) -> int:
    with open(script, "rb") as file:
        code = compile(file.read(), script, "exec", dont_inherit=True)
    module = types.ModuleType("__main__")
    module.__file__ = script
    for name in os.listdir(os.environ[INPUTS]) if INPUTS in os.environ else ():
        if name.isidentifier():
            setattr(module, name, load(os.path.join(os.environ[INPUTS], name)))
    sys.modules["__main__"] = module
    sys.argv = [script, *arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    try:
        exec(code, module.__dict__)
    except Exception as error:
        _print(error)
        return 1
    return _save(((name, module.__dict__) for name in outs), directory)


def _save(wanted: Iterable[tuple[str, dict[str, Any]]], directory: str) -> int:
    for name, namespace in wanted:
        if name not in namespace:
            print(f"--out {name}: the script has ended without a {name}.", file=sys.stderr)
            return 1
        try:
            save(namespace[name], os.path.join(directory, name))
        except Exception as error:
            told = why_not(namespace[name], name) or f"{name}: {_reason(error)}"
            print(f"--out {name}: it cannot be taken out of the job. {told}", file=sys.stderr)
            return 1
    return 0


def _call(directory: str) -> int:
    function, arguments, named = load(os.path.join(os.environ[INPUTS], CALL))
    named = {**named, **json.loads(os.environ.get(PARAMETERS, "{}"))}
    try:
        result = function(*arguments, **named)
    except Exception as error:
        text = "".join(traceback.format_exception(type(error), error, _below(error)))
        print(text, file=sys.stderr, end="")
        try:
            save((error, text), os.path.join(directory, RAISED))
        except Exception:
            save((None, text), os.path.join(directory, RAISED))
        return 1
    return _save([(RETURNED, {RETURNED: result})], directory)


def _print(error: Exception) -> None:
    traceback.print_exception(type(error), error, _below(error))


def _below(error: Exception) -> Any:
    """The traceback without what is of this module."""
    below = error.__traceback__
    while below is not None and below.tb_frame.f_code.co_filename == __file__:
        below = below.tb_next
    return below


if __name__ == "__main__":
    # What is pickled from here on belongs to the module by its own name.
    from jupyter_training import values

    sys.exit(values.main(sys.argv[1:]))
