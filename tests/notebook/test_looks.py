"""What a notebook shows looks and reads as the sidebar does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from jupyter_training.jobs.lifecycle import Cause, Status
from jupyter_training.notebook import chart
from jupyter_training.notebook.formats import duration, figure
from jupyter_training.notebook.states import (
    CAUSES,
    EVENTS,
    STATES,
    badge,
    cause_word,
    event_word,
    status_of,
)

SIDEBAR = Path(__file__).parents[2] / "labextension" / "src"


def table(path: str) -> Any:
    return json.loads((SIDEBAR / path).read_text("utf-8"))


def test_numbers_and_times_are_written_as_in_the_sidebar() -> None:
    examples = table("__tests__/examples.json")
    assert [figure(value) for value, _ in examples["figures"]] == [
        text for _, text in examples["figures"]
    ]
    assert [duration(value) for value, _ in examples["durations"]] == [
        text for _, text in examples["durations"]
    ]


def test_a_state_has_the_word_and_the_shape_of_the_sidebar() -> None:
    states = table("model/states.json")
    assert set(states) == set(STATES) == {one.value for one in Status}
    for name, told in states.items():
        drawn = ElementTree.fromstring(f"<svg>{STATES[name].shape}</svg>")
        for one in drawn:
            if "--jp-layout-color1" in one.attrib.get("stroke", ""):
                one.attrib["stroke"] = "inside"
        assert STATES[name].word == told["word"]
        assert status_of(told["word"]) == status_of(name) == name
        wanted = [
            (tag, {kebab(key): str(value) for key, value in attributes.items()})
            for tag, attributes in told["shape"]
        ]
        assert [(one.tag, one.attrib) for one in drawn] == wanted


def test_causes_and_events_have_the_words_of_the_sidebar() -> None:
    assert dict(table("__tests__/examples.json")["causes"]) == CAUSES
    assert set(CAUSES) == {one.value for one in Cause}
    assert cause_word("struck_by_lightning") == "struck by lightning"
    assert dict(table("__tests__/examples.json")["events"]) == EVENTS
    assert event_word("moved_house") == "moved house"


def kebab(name: str) -> str:
    return "".join(f"-{one.lower()}" if one.isupper() else one for one in name)


def test_a_state_that_is_new_to_this_version_has_its_own_name() -> None:
    assert "paused&lt;" in badge("paused<")


def test_a_line_has_the_colour_and_the_dashes_of_the_sidebar() -> None:
    wanted = []
    for line in table("charts/lines.json"):
        first, second = line["theme"]
        colour = f"var({first},var({second},{line['colour']}))"
        wanted.append((colour, " ".join(map(str, line["dash"]))))
    assert list(chart._LINES) == wanted
