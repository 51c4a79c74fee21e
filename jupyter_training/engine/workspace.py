"""The directories of jobs, and what a job finds in its environment.

::

    <data_dir>/jobs/<job_id>/
        code/          the script that came with the job
        checkpoints/   survives retries
        output/        results, unless the job names another place
        attempt-1/     the log, the metrics and the records of its first run

A container sees the server's root directory as ``/workspace`` and of all this only what is its own:
below ``/training`` its output, its checkpoints, its script and the file for its metrics, and
`report`, so that nothing has to be installed in the image. Not the records: those are its
supervisor's, and a job must not be able to write its own end.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import jupyter_training
from jupyter_training.executors.base import Launch
from jupyter_training.executors.containers import ContainerLaunch, Mount
from jupyter_training.jobs.spec import FieldError, InvalidJob, JobSpec
from jupyter_training.store.records import Attempt

METRICS = "metrics.jsonl"

_REPORT = Path(jupyter_training.__file__).with_name("report.py")

CONTAINER_ROOT, CONTAINER_OWN = PurePosixPath("/workspace"), PurePosixPath("/training")
"""Where a container finds the server's root directory, and what is the job's own."""


@dataclass(frozen=True)
class Workspace:
    """Where the files of jobs are.

    Attributes
    ----------
    data_dir
        The installation's own directory.
    root_dir
        What a relative `working_dir` is relative to: the server's root directory.
    """

    data_dir: Path
    root_dir: Path

    def job(self, job_id: str) -> Path:
        """The directory of a job."""
        return self.data_dir / "jobs" / job_id

    def attempt(self, job_id: str, number: int) -> Path:
        """The directory of one run of a job."""
        return self.job(job_id) / f"attempt-{number}"

    def working_dir(self, asked: str | None) -> Path:
        """Where a job runs that asked for this."""
        return self.root_dir / Path(asked or "").expanduser()

    def container_dir(self, asked: str | None) -> PurePosixPath:
        """Where a container runs that asked for this.

        What is below the server's root directory is found in the container too; any other absolute
        path is the container's own.
        """
        path = PurePosixPath(asked or "")
        if path.is_relative_to(self.root_dir):
            path = path.relative_to(self.root_dir)
        return CONTAINER_ROOT / path

    def output_dir(
        self, job_id: str, working_dir: str | None, asked: str | None, image: str | None = None
    ) -> Path:
        """Where the results of a job are; a container sees those with the job at its own path."""
        if asked is None or image is not None:
            return self.job(job_id) / "output"
        return self.working_dir(working_dir) / Path(asked).expanduser()

    def check(self, spec: JobSpec) -> None:
        """Make sure that a job can run where it wants to.

        Raises
        ------
        InvalidJob
            If there is no such directory.
        """
        directory = self.working_dir(spec.working_dir)
        if spec.image is not None:
            inside = self.container_dir(spec.working_dir)
            if not inside.is_relative_to(CONTAINER_ROOT):
                return  # of the image, which may not even be here yet
            directory = self.root_dir / inside.relative_to(CONTAINER_ROOT)
        if not directory.is_dir():
            told = f"there is no directory {directory}"
            raise InvalidJob([FieldError("working_dir", told)])
        if not os.access(directory, os.X_OK):
            raise InvalidJob([FieldError("working_dir", f"{directory} may not be entered")])

    def prepare(self, attempt: Attempt) -> Launch:
        """Make the directories of an attempt, and say how it is to be launched.

        It may be called again for the same attempt.
        """
        job, spec = self.job(attempt.job_uuid), attempt.spec
        own = self.attempt(attempt.job_uuid, attempt.number)
        cwd = self.working_dir(spec.working_dir)
        output = self.output_dir(attempt.job_uuid, spec.working_dir, spec.output_path, spec.image)
        checkpoints = job / "checkpoints"
        for directory in (job, own, checkpoints):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        output.mkdir(parents=True, exist_ok=True)
        script = None
        if spec.script is not None:
            code = job / "code"
            code.mkdir(mode=0o700, exist_ok=True)
            script = code / spec.script.name
            _write_whole(script, spec.script.text)
        if spec.image is not None:
            (own / METRICS).touch(mode=0o600)
            return self._container(attempt, spec.image, script)
        script_path = None if script is None else str(script)
        return Launch(
            token=attempt.token,
            directory=own,
            argv=tuple(spec.argv(script_path)),
            cwd=str(cwd),
            env={
                **spec.env_vars,
                "JUPYTER_TRAINING_JOB_ID": attempt.job_uuid,
                "JUPYTER_TRAINING_ATTEMPT": str(attempt.number),
                "JUPYTER_TRAINING_OUTPUT_DIR": str(output),
                "JUPYTER_TRAINING_CHECKPOINT_DIR": str(checkpoints),
                "JUPYTER_TRAINING_METRICS_FILE": str(own / METRICS),
            },
            # A stored script runs from its own directory and imports as if it stood in `cwd`.
            python_path=str(cwd) if spec.script is not None else None,
            cpu_cores=attempt.placement.cpu_cores,
            memory_gb=attempt.placement.memory_gb,
            gpus=attempt.placement.gpus,
            time_limit_s=spec.time_limit_s,
        )

    def _container(self, attempt: Attempt, image: str, script: Path | None) -> ContainerLaunch:
        job, spec = self.job(attempt.job_uuid), attempt.spec
        own = self.attempt(attempt.job_uuid, attempt.number)
        cwd = self.container_dir(spec.working_dir)
        output = CONTAINER_OWN / "output"
        if spec.output_path is not None:
            output = cwd / spec.output_path
        library = CONTAINER_OWN / "lib"
        seen = [
            (self.root_dir, CONTAINER_ROOT, False),
            (job / "output", output, False),
            (job / "checkpoints", CONTAINER_OWN / "checkpoints", False),
            (own / METRICS, CONTAINER_OWN / METRICS, False),
            (
                Path(jupyter_training.__file__).with_name("report.py"),
                library / "jupyter_training/__init__.py",
                True,
            ),
        ]
        inside = None
        if script is not None:
            inside = str(CONTAINER_OWN / "code" / script.name)
            seen.append((script.parent, CONTAINER_OWN / "code", True))
        return ContainerLaunch(
            token=attempt.token,
            directory=own,
            argv=tuple(spec.argv(inside)),
            cwd=str(cwd),
            env={
                **spec.env_vars,
                "JUPYTER_TRAINING_JOB_ID": attempt.job_uuid,
                "JUPYTER_TRAINING_ATTEMPT": str(attempt.number),
                "JUPYTER_TRAINING_OUTPUT_DIR": str(output),
                "JUPYTER_TRAINING_CHECKPOINT_DIR": str(CONTAINER_OWN / "checkpoints"),
                "JUPYTER_TRAINING_METRICS_FILE": str(CONTAINER_OWN / METRICS),
            },
            python_path=f"{library}:{cwd}" if script is not None else str(library),
            cpu_cores=attempt.placement.cpu_cores,
            memory_gb=attempt.placement.memory_gb,
            gpus=attempt.placement.gpus,
            time_limit_s=spec.time_limit_s,
            image=image,
            mounts=tuple(Mount(str(source), str(target), only) for source, target, only in seen),
        )

    def remove(self, job_id: str) -> None:
        """Delete the files of a job; results at a place of its own choice stay."""
        shutil.rmtree(self.job(job_id), ignore_errors=True)


def _write_whole(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
