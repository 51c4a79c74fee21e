"""The settings of a server, as they are written on a command line."""

from __future__ import annotations

import pytest
from traitlets import TraitError
from traitlets.config.loader import KVArgParseConfigLoader

from jupyter_training.server.extension import TrainingApp

UUID = "GPU-5a1e0000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("said", "gpus"),
    [
        (["auto"], "auto"),
        (["2"], 2),
        ([UUID], [UUID]),
        ([f"{UUID}=NVIDIA A100", "GPU-b"], [f"{UUID}=NVIDIA A100", "GPU-b"]),
    ],
)
def test_gpus_on_a_command_line(said: list[str], gpus: object) -> None:
    assert set_to(said) == gpus


def test_a_number_of_gpus_is_not_below_0() -> None:
    with pytest.raises(TraitError, match="gpus"):
        set_to(["-1"])


def set_to(said: list[str]) -> object:
    options = [f"--TrainingApp.gpus={one}" for one in said]
    return TrainingApp(
        config=KVArgParseConfigLoader(options, classes=[TrainingApp]).load_config()
    ).gpus
