"""What an attempt is launched with: its directories, its environment, and what a container sees.

A container sees the server's root directory as ``/workspace`` and of all this only what is its own:
below ``/training`` its output, its checkpoints, its script, its data sets, its inputs, its values
and the file for its metrics, and `report` with its callbacks, so that nothing has to be installed
in the image. Not the records: those are its supervisor's, and a job must not be able to write its
own end. Where the installation's own directory is below the root directory, a container sees an
empty one in its place. What is true of snapshots is in `frozen`.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path, PurePath

import jupyter_training
from jupyter_training.engine import checkout, gang_launches, reuse
from jupyter_training.engine.frozen import (
    CONTAINER_OUTPUT,
    CONTAINER_OWN,
    CONTAINER_ROOT,
    SNAPSHOT,
    Frozen,
    files_from,
)
from jupyter_training.engine.snapshots import SnapshotStore
from jupyter_training.engine.workspace import METRICS, Workspace
from jupyter_training.executors.base import Launch
from jupyter_training.executors.containers import ContainerLaunch, Mount
from jupyter_training.jobs import parameters
from jupyter_training.store.records import Attempt

_PACKAGE = Path(jupyter_training.__file__).parent
_LIBRARY = {
    "report.py": "__init__.py",
    "integrations.py": "integrations.py",
    "run_notebook.py": "run_notebook.py",
    "values.py": "values.py",
}
"""What a container finds of this package, and under which names: it runs on any Python."""

CONTAINER_LIBRARY = CONTAINER_OWN / "lib"


@dataclass(frozen=True)
class _Places:
    """Where a job finds what is its own: on this machine, or in its container."""

    cwd: PurePath
    output: PurePath
    checkpoints: PurePath
    metrics: PurePath
    code: PurePath
    values: PurePath
    datasets: PurePath
    inputs: PurePath
    python_path: str | None


def prepare(where: Workspace, attempt: Attempt) -> Launch:
    """Make the directories of an attempt, and say how it is to be launched.

    It may be called again for the same attempt.

    Raises
    ------
    OSError
        If it cannot be done, or a data set is not there any more.
    """
    spec = attempt.spec
    if len(attempt.datasets) != len(spec.dataset_ids):
        raise FileNotFoundError("one of its data sets was removed")
    paths = {dataset.name: where.dataset(dataset) for dataset in attempt.datasets}
    inputs = {one.name: where.results_of(one) for one in attempt.upstreams}
    own = where.attempt(attempt.job_uuid, attempt.number)
    _make_directories(where, attempt, own)
    snapshot = _frozen(where, attempt)
    if attempt.digest is not None:
        origins = {one.name: one.origin for one in attempt.upstreams}
        cwd = where.working_dir(spec.working_dir)
        files = {} if snapshot is None else files_from(snapshot.manifest, cwd)
        told = reuse.fingerprint(attempt.digest, spec, cwd, paths, origins, files)
        reuse.write_fingerprint(own, told)
    places = (
        _in_container(where, attempt, snapshot)
        if spec.image
        else _on_this_machine(where, attempt, snapshot)
    )
    script = None if spec.script is None else str(places.code / spec.script.name)
    launch = Launch(
        token=attempt.token,
        directory=own,
        argv=tuple(spec.argv(script)),
        cwd=str(places.cwd),
        env=_environment(attempt, places, paths, inputs),
        python_path=places.python_path,
        cpu_cores=attempt.placement.cpu_cores,
        memory_gb=attempt.placement.memory_gb,
        gpus=attempt.placement.gpus,
        time_limit_s=spec.time_limit_s,
        job_id=attempt.job_uuid,
        name=spec.name,
        gpu_type=spec.gpu_type,
        priority=spec.priority,
        options=spec.executor_options,
    )
    if spec.image is not None:
        launch = ContainerLaunch(
            **vars(launch),
            image=spec.image,
            mounts=_mounts(where, attempt, places, paths, inputs, snapshot),
            hidden=_hidden(where, snapshot),
        )
    else:
        for name, several in (("datasets", paths), ("inputs", inputs)):
            if several:
                _link(where.job(attempt.job_uuid) / name, several)
    return gang_launches.prepare(attempt, launch, where.log_limit) if spec.is_gang else launch


def _make_directories(where: Workspace, attempt: Attempt, own: Path) -> None:
    job, spec = where.job(attempt.job_uuid), attempt.spec
    for directory in (job, own, job / "checkpoints"):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    where.output_dir_of(attempt).mkdir(parents=True, exist_ok=True)
    if spec.script is not None:
        (job / "code").mkdir(mode=0o700, exist_ok=True)
        _write_whole(job / "code" / spec.script.name, spec.text or "")
    if spec.image is not None:
        (own / METRICS).touch(mode=0o600)


def _on_this_machine(where: Workspace, attempt: Attempt, snapshot: Frozen | None) -> _Places:
    job, spec = where.job(attempt.job_uuid), attempt.spec
    cwd = where.working_dir(spec.working_dir)
    if snapshot is not None:
        cwd = snapshot.root / snapshot.below(cwd)
    return _Places(
        cwd=cwd,
        output=where.output_dir(attempt.job_uuid, spec.working_dir, spec.output_path),
        checkpoints=job / "checkpoints",
        metrics=where.attempt(attempt.job_uuid, attempt.number) / METRICS,
        code=job / "code",
        values=job / "values",
        datasets=job / "datasets",
        inputs=job / "inputs",
        # A stored script runs from its own directory and imports as if it stood in `cwd`.
        python_path=str(cwd) if spec.script is not None else None,
    )


def _in_container(where: Workspace, attempt: Attempt, snapshot: Frozen | None) -> _Places:
    spec = attempt.spec
    cwd = where.container_dir(spec.working_dir)
    if snapshot is not None:
        cwd = snapshot.in_container / snapshot.below(where.working_dir(spec.working_dir))
    return _Places(
        cwd=cwd,
        output=CONTAINER_OUTPUT if spec.output_path is None else cwd / spec.output_path,
        checkpoints=CONTAINER_OWN / "checkpoints",
        metrics=CONTAINER_OWN / METRICS,
        code=CONTAINER_OWN / "code",
        values=CONTAINER_OWN / "values",
        datasets=CONTAINER_OWN / "datasets",
        inputs=CONTAINER_OWN / "inputs",
        python_path=f"{CONTAINER_LIBRARY}:{cwd}" if spec.script else str(CONTAINER_LIBRARY),
    )


def _environment(
    attempt: Attempt, places: _Places, paths: dict[str, Path], inputs: dict[str, Path]
) -> dict[str, str]:
    """What a job is told of what is its own, on top of what it has asked for."""
    spec = attempt.spec
    env = {
        **spec.env_vars,
        "JUPYTER_TRAINING_JOB_ID": attempt.job_uuid,
        "JUPYTER_TRAINING_ATTEMPT": str(attempt.number),
        "JUPYTER_TRAINING_OUTPUT_DIR": str(places.output),
        "JUPYTER_TRAINING_CHECKPOINT_DIR": str(places.checkpoints),
        "JUPYTER_TRAINING_METRICS_FILE": str(places.metrics),
        **parameters.variables(spec.parameters),
    }
    if paths:
        env["JUPYTER_TRAINING_DATASETS"] = str(places.datasets)
    if inputs:
        env["JUPYTER_TRAINING_INPUTS"] = str(places.inputs)
    if spec.variables:
        env["JUPYTER_TRAINING_VALUES_DIR"] = str(places.values)
    return env


def _mounts(
    where: Workspace,
    attempt: Attempt,
    inside: _Places,
    paths: dict[str, Path],
    inputs: dict[str, Path],
    snapshot: Frozen | None,
) -> tuple[Mount, ...]:
    job = where.job(attempt.job_uuid)
    own = where.attempt(attempt.job_uuid, attempt.number)
    writable: list[tuple[Path, PurePath]] = [
        *(
            [(where.root_dir, CONTAINER_ROOT)]
            if snapshot is None
            else snapshot.mounts(where.root_dir)
        ),
        (job / "output", inside.output),
        (job / "checkpoints", inside.checkpoints),
        (own / METRICS, inside.metrics),
    ]
    readable = [(path, inside.datasets / name) for name, path in paths.items()]
    readable += [(path, inside.inputs / name) for name, path in inputs.items()]
    library = CONTAINER_LIBRARY / "jupyter_training"
    readable += [(_PACKAGE / ours, library / theirs) for ours, theirs in _LIBRARY.items()]
    if attempt.spec.script is not None:
        readable.append((job / "code", inside.code))
    if attempt.spec.variables:
        readable.append((job / "values", inside.values))
    return tuple(
        Mount(str(source), str(target), read_only)
        for several, read_only in ((writable, False), (readable, True))
        for source, target in several
    )


def _hidden(where: Workspace, snapshot: Frozen | None) -> tuple[str, ...]:
    """Where a container sees an empty directory in place of one that is ours."""
    # A container would not follow a link on the way as this machine does.
    root = where.root_dir.resolve()
    own = (one.resolve() for one in where.own() if one.is_dir())
    paths = [one.relative_to(root) for one in own if one != root and one.is_relative_to(root)]
    if snapshot is not None:
        return tuple(map(str, snapshot.hidden(paths)))
    return tuple(str(CONTAINER_ROOT / path) for path in paths)


def fill(where: Workspace, attempt: Attempt) -> None:
    """Write out the snapshot and the values of an attempt, which may be long work.

    Raises
    ------
    OSError
        If it cannot be done; the text is for a person.
    """
    store, spec, job = _store(where, attempt), attempt.spec, where.job(attempt.job_uuid)
    if spec.variables:
        checkout.copy_values(store, spec.variables, job / "values")
    snapshot = _frozen(where, attempt)
    if snapshot is None:
        return
    if attempt.number > 1:  # nobody looks at that one any more
        earlier = where.attempt(attempt.job_uuid, attempt.number - 1) / SNAPSHOT
        shutil.rmtree(earlier, ignore_errors=True)
    checkout.check_out(store, snapshot.manifest, snapshot.base, snapshot.original)
    if spec.image is None and spec.output_path is not None:
        cwd = snapshot.root / snapshot.below(where.working_dir(spec.working_dir))
        output = where.output_dir_of(attempt)
        checkout.link_output(snapshot.base, cwd, spec.output_path, output)


def _frozen(where: Workspace, attempt: Attempt) -> Frozen | None:
    digest = attempt.spec.snapshot
    if digest is None:
        return None
    manifest = checkout.manifest_of(_store(where, attempt), digest)
    base = where.attempt(attempt.job_uuid, attempt.number) / SNAPSHOT
    return Frozen.from_manifest(
        manifest, base, where.root_dir, container=attempt.spec.image is not None
    )


def _store(where: Workspace, attempt: Attempt) -> SnapshotStore:
    return SnapshotStore(where.data_dir, attempt.owner)


def _write_whole(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _link(directory: Path, paths: dict[str, Path]) -> None:
    """Let these be found under their names, and nothing else that was linked before."""
    directory.mkdir(mode=0o700, exist_ok=True)
    for one in directory.iterdir():
        if one.is_symlink():
            one.unlink()
        elif one.is_dir():
            shutil.rmtree(one)
    for name, path in paths.items():
        (directory / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (directory / name).symlink_to(path)
