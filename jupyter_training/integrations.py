"""Callbacks that report what the common trainers measure, in one line.

::

    from jupyter_training.integrations import LightningCallback
    trainer = lightning.Trainer(callbacks=[LightningCallback()])

    from jupyter_training.integrations import HuggingFaceCallback
    trainer = transformers.Trainer(..., callbacks=[HuggingFaceCallback()])

    from jupyter_training.integrations import KerasCallback
    model.fit(..., callbacks=[KerasCallback()])

Metrics keep the names that the trainer gives them. In a distributed training only the first process
reports. Outside of a job the callbacks do nothing.

As `report`, this runs on Python 3.8 with the standard library. A trainer's library is imported when
its callback is asked for, because each of these is a class of that library.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any, Callable, Container, Dict, Optional  # noqa: UP035

from jupyter_training import report

__all__ = ["HuggingFaceCallback", "KerasCallback", "LightningCallback"]

if TYPE_CHECKING:
    HuggingFaceCallback: Any
    KerasCallback: Any
    LightningCallback: Any


def __getattr__(name: str) -> Any:
    if name not in _CLASSES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = _CLASSES[name]()
    made.__module__, made.__qualname__ = __name__, name
    globals()[name] = made  # where pickle finds it
    return made


def __dir__() -> Any:
    return sorted([*globals(), *__all__])


def _lightning() -> Any:
    base = _found("LightningCallback", "lightning", "lightning.pytorch", "pytorch_lightning")

    class LightningCallback(base.Callback):  # type: ignore[misc,name-defined]
        """Reports what a module logs, by ``self.log``, to Lightning's Trainer.

        What is logged at each step is reported as often as the Trainer's ``log_every_n_steps``
        says; what is logged for an epoch, and what a validation found, when that is over.
        """

        def __init__(self) -> None:
            super().__init__()
            self._of_steps: Dict[str, int] = {}  # noqa: UP006
            self._of_epochs: Dict[str, int] = {}  # noqa: UP006

        def on_train_batch_end(
            self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int
        ) -> None:
            """Report what was logged at this step."""
            step, every = trainer.global_step, getattr(trainer, "log_every_n_steps", 0)
            if not (trainer.is_global_zero and every and step % every == 0):
                return
            # What an epoch has found stays among these until the next one is over.
            metrics = _without(trainer.logged_metrics, self._of_epochs)
            self._of_steps.update(dict.fromkeys(metrics, step))
            _report(step, metrics, _lightning_progress(trainer, batch_idx + 1))

        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            """Report what was logged for this epoch, with the validation in it."""
            if not trainer.is_global_zero:
                return
            step, steps = trainer.global_step, self._of_steps
            told = {name for name, reported in steps.items() if reported == step}
            metrics = _without(trainer.callback_metrics, told)
            self._of_epochs.update((name, step) for name in metrics if name not in steps)
            _report(step, metrics, _lightning_progress(trainer, None))

    return LightningCallback


def _without(metrics: Any, names: Container[str]) -> Dict[str, Any]:  # noqa: UP006
    return {name: value for name, value in metrics.items() if name not in names}


def _lightning_progress(
    trainer: Any,
    batches: Optional[int],  # noqa: UP045
) -> Optional[float]:  # noqa: UP045
    """From 0 to 1, by steps or by epochs, whichever comes to its end first.

    Parameters
    ----------
    batches
        How many of this epoch are over; None for all of them.
    """
    shares = []
    if (trainer.max_steps or -1) > 0:
        shares.append(trainer.global_step / trainer.max_steps)
    if (trainer.max_epochs or -1) > 0:
        of = trainer.num_training_batches
        within = 1.0 if batches is None else min(batches / of, 1.0) if of else 0.0
        shares.append((trainer.current_epoch + within) / trainer.max_epochs)
    return min(max(shares), 1.0) if shares else None


def _hugging_face() -> Any:
    base = _found("HuggingFaceCallback", "transformers", "transformers")

    class HuggingFaceCallback(base.TrainerCallback):  # type: ignore[misc,name-defined]
        """Reports what the Trainer of Hugging Face logs: each ``logging_steps`` and evaluation.

        Times and speeds are left out, as they are no metrics of the model.
        """

        def on_log(
            self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any
        ) -> None:
            """Report what is logged."""
            if state.is_world_process_zero and logs:
                steps = state.max_steps
                progress = min(state.global_step / steps, 1.0) if steps and steps > 0 else None
                metrics = {
                    name: value
                    for name, value in logs.items()
                    if not name.endswith(("_runtime", "_per_second", "total_flos"))
                }
                _report(state.global_step, metrics, progress)

    return HuggingFaceCallback


def _keras() -> Any:
    base = _found("KerasCallback", "keras", "keras", "tensorflow.keras")

    class KerasCallback(base.callbacks.Callback):  # type: ignore[misc,name-defined]
        """Reports the metrics of each epoch of ``model.fit``.

        Parameters
        ----------
        every
            Also report at each so manieth batch; None for epochs only.
        """

        def __init__(self, every: Optional[int] = None) -> None:  # noqa: UP045
            super().__init__()
            self._every, self._batches, self._epoch = every, 0, 0

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            """Remember which one it is."""
            self._epoch = epoch

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            """Report the averages so far of this epoch."""
            self._batches += 1
            if self._every and self._batches % self._every == 0:
                steps = (self.params or {}).get("steps")
                share = min((batch + 1) / steps, 1.0) if steps else 0.0
                names = {"batch_" + name: value for name, value in (logs or {}).items()}
                _report(self._batches, names, self._progress(share))

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            """Report its metrics, with those of the validation."""
            _report(epoch + 1, logs or {}, self._progress(1.0))

        def _progress(self, share: float) -> Optional[float]:  # noqa: UP045
            epochs = (self.params or {}).get("epochs")
            return (self._epoch + share) / epochs if epochs else None

    return KerasCallback


_CLASSES: Dict[str, Callable[[], Any]] = {  # noqa: UP006
    "HuggingFaceCallback": _hugging_face,
    "KerasCallback": _keras,
    "LightningCallback": _lightning,
}


def _report(step: int, metrics: Any, progress: Optional[float]) -> None:  # noqa: UP045
    """Report metrics whatever they are called, also ``step``."""
    try:
        named = {str(name): value for name, value in metrics.items() if name not in _OWN}
    except Exception:
        return
    report(step=step, progress=progress, **named)


_OWN = ("step", "progress", "epoch")


def _found(what: str, package: str, *modules: str) -> Any:
    """The first of some modules that is there; one that is loaded already is the one in use.

    Raises
    ------
    ImportError
        If none is.
    """
    failed: Optional[ImportError] = None  # noqa: UP045
    for module in sorted(modules, key=lambda one: one not in sys.modules):
        try:
            return importlib.import_module(module)
        except ImportError as error:
            failed = failed or error
    raise ImportError(
        f"{what} needs {package}, which cannot be imported here: {failed}. "
        f"Install it where the job runs: pip install {package}"
    ) from failed
