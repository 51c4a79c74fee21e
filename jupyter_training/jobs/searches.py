"""What a search for hyperparameters is: its space, its budget, and how it is gone about.

A :class:`Search` is the block ``search`` of a job. It is checked as a whole before anything is
written, and each error names what of it is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from jupyter_training.jobs import parameters
from jupyter_training.jobs.requests import Line
from jupyter_training.jobs.search_terms import Goal, Kind, Pruner, Sampler, of_text

MAX_GRID = 100_000
"""A grid has at most so many points."""


def _or_a_text(schema: dict[str, Any]) -> None:
    """Tell in a schema that a dimension may also be written as a text."""
    whole = {**schema}
    schema.clear()
    schema["anyOf"] = [whole, {"type": "string", "examples": ["loguniform:1e-5:1e-1"]}]


class Dimension(BaseModel):
    """From what one parameter is chosen.

    It may also be given as a text, as ``loguniform:1e-5:1e-1``, ``int:1:8`` or ``choice:16,32``.

    Attributes
    ----------
    type
        One of `Kind`.
    low, high
        Of numbers: from where to where, both included.
    step
        Of `uniform` and `int`: only every so manieth number from `low` on.
    values
        Of `choice`: numbers, texts, true, false, null.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_or_a_text)

    type: Kind
    low: int | float | None = None
    high: int | float | None = None
    step: int | float | None = None
    values: list[Any] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, data: Any) -> Any:
        return of_text(data) if isinstance(data, str) else data

    @field_validator("low", "high", "step", mode="before")
    @classmethod
    def _a_number(cls, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            raise ValueError(f"should be a number, not {value!r}")
        if value is not None and not math.isfinite(value):
            raise ValueError("should be a finite number")
        return value

    @model_validator(mode="after")
    def _makes_sense(self) -> Dimension:
        kind = self.type.value
        numbers = {"low": self.low, "high": self.high, "step": self.step}
        if self.type is Kind.CHOICE:
            if given := [name for name, value in numbers.items() if value is not None]:
                raise ValueError(f"{given[0]} is for numbers; a choice has values")
            if not self.values:
                raise ValueError("a choice needs at least one value")
            for value in self.values:
                if told := parameters.wrong_value(value):
                    raise ValueError(told)
            if len({(type(value), value) for value in self.values}) < len(self.values):
                raise ValueError("a choice should have each value once")
            return self
        if self.values is not None:
            raise ValueError(f"values are for a choice; {kind} has low and high")
        for name in ("low", "high"):
            if numbers[name] is None:
                raise ValueError(f"{kind} needs {name}")
        assert self.low is not None
        assert self.high is not None
        if self.low >= self.high:
            raise ValueError(f"low should be less than high, not {self.low} and {self.high}")
        if self.type.is_logarithmic and self.low <= 0:
            raise ValueError(f"low should be above 0 for {kind}, not {self.low}")
        if self.type.is_whole:
            for name, value in numbers.items():
                if value is not None and not isinstance(value, int):
                    raise ValueError(f"{name} should be a whole number for {kind}, not {value}")
        if self.step is not None:
            if self.type.is_logarithmic:
                raise ValueError(f"{kind} has no step")
            if not 0 < self.step <= self.high - self.low:
                raise ValueError(f"step should be above 0 and fit into the range, not {self.step}")
        return self

    def points(self) -> list[Any] | None:
        """All of its values; None if they are infinitely many."""
        if self.type is Kind.CHOICE:
            return list(self.values or ())
        assert self.low is not None
        assert self.high is not None
        if self.type.is_whole:
            return list(range(int(self.low), int(self.high) + 1, int(self.step or 1)))
        if self.step is None:
            return None
        return [self.low + number * self.step for number in range(int(self.count))]

    @property
    def count(self) -> float:
        """How many values it has; infinity if they are not to be counted."""
        if self.type is Kind.CHOICE:
            return len(self.values or ())
        assert self.low is not None
        assert self.high is not None
        if self.type.is_whole:
            return (self.high - self.low) // (self.step or 1) + 1
        if self.step is None:
            return math.inf
        return math.floor((self.high - self.low) / self.step + 1e-8) + 1

    @property
    def example(self) -> Any:
        """One of its values."""
        return self.values[0] if self.values else self.low


class Search(BaseModel):
    """A search for hyperparameters.

    Attributes
    ----------
    metric
        The name of what is measured: its last value is the value of a trial.
    goal
        What is best.
    sampler
        Who suggests parameters.
    pruner, min_steps
        Who stops trials early, if somebody does, and how far each comes in any case.
    seed
        With the same seed the same is suggested, as far as that depends on nothing else; one is
        drawn if there is none.
    parallel
        How many trials run at a time, at most.
    space
        By the name of each parameter, from what it is chosen.
    budget_hours, gpu_hours
        The search ends when it has gone on for so many hours, or its trials have held GPUs for so
        many GPU-hours: what still runs is stopped.
    trials
        How many trials there are at most. May be left out with a budget, and with a grid, which
        has as many as it has points.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: Annotated[Line, Field(max_length=200)]
    goal: Goal = Goal.MINIMIZE
    sampler: Sampler = Sampler.TPE
    pruner: Pruner = Pruner.NONE
    min_steps: Annotated[int, Field(ge=1, le=10**9, strict=True)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32, strict=True)] | None = None
    parallel: Annotated[int, Field(ge=1, le=1000, strict=True)] = 1
    space: Annotated[dict[str, Dimension], Field(min_length=1, max_length=100)]
    budget_hours: Annotated[float, Field(gt=0, allow_inf_nan=False, le=10**6)] | None = None
    gpu_hours: Annotated[float, Field(gt=0, allow_inf_nan=False, le=10**9)] | None = None
    trials: Annotated[
        Annotated[int, Field(ge=1, le=100_000, strict=True)] | None, Field(validate_default=True)
    ] = None

    @field_validator("pruner", mode="before")
    @classmethod
    def _perhaps_nobody(cls, value: Any) -> Any:
        return Pruner.NONE if value is None else value

    @field_validator("min_steps")
    @classmethod
    def _of_a_pruner(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("pruner") is Pruner.NONE:
            raise ValueError("is for a pruner; without one no trial is stopped early")
        return value

    @field_validator("space")
    @classmethod
    def _names(cls, space: dict[str, Dimension], info: ValidationInfo) -> dict[str, Dimension]:
        if told := parameters.wrong_names(space):
            raise ValueError(told)
        sampler = info.data.get("sampler")
        if sampler is Sampler.GRID:
            endless = [name for name, one in space.items() if math.isinf(one.count)]
            if endless:
                raise ValueError(
                    f"{endless[0]} has infinitely many values, and a grid tries all of them; "
                    "give it a step or use choice"
                )
            if (points := math.prod(one.count for one in space.values())) > MAX_GRID:
                raise ValueError(f"this grid has {points:.0f} points; at most {MAX_GRID} are tried")
        if sampler is Sampler.CMAES and all(one.type is Kind.CHOICE for one in space.values()):
            raise ValueError("cmaes is for numbers, and here are only choices; use tpe or random")
        return space

    @field_validator("trials")
    @classmethod
    def _ends_some_day(cls, value: int | None, info: ValidationInfo) -> int | None:
        needed = ("budget_hours", "gpu_hours", "space", "sampler")
        if value is not None or any(name not in info.data for name in needed):
            return value
        if info.data["sampler"] is Sampler.GRID:
            return None
        if info.data["budget_hours"] is None and info.data["gpu_hours"] is None:
            raise ValueError("is required, or else budget_hours or gpu_hours, or nothing ends it")
        return None

    @property
    def points(self) -> int | None:
        """How many trials a grid has; None for what is no grid."""
        if self.sampler is not Sampler.GRID:
            return None
        return int(math.prod(one.count for one in self.space.values()))

    @property
    def limit(self) -> int | None:
        """How many trials there are at most; None if only a budget ends it."""
        several = [one for one in (self.trials, self.points) if one is not None]
        return min(several, default=None)

    @property
    def example(self) -> Mapping[str, Any]:
        """Parameters that a trial may have."""
        return {name: one.example for name, one in self.space.items()}
