"""Studies, opened as Optuna's own tools do it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from optuna import Study, load_study
from optuna.storages import RDBStorage


@contextmanager
def opened(url: str, name: str) -> Iterator[Study]:
    """The study of this name in a database."""
    storage = RDBStorage(url)
    try:
        yield load_study(study_name=name, storage=storage)
    finally:
        storage.scoped_session.remove()
        storage.engine.dispose()
