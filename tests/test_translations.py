"""The catalogue of the JupyterLab extension has every string that it shows."""

from __future__ import annotations

import json
import re
from pathlib import Path

from jupyterlab_server.translation_utils import get_language_pack

from jupyter_training.notebook.states import CAUSES, STATES
from jupyter_training.notebook.tables import JobTable, StageTable, TrialTable

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "labextension" / "src"
CATALOGUE = ROOT / "jupyter_training/locale/zh_CN/LC_MESSAGES/jupyter_training.json"

_CALL = re.compile(r"trans\.__\(\s*('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")", re.DOTALL)
_WORDS = re.compile(r"\b_?words\(\s*\"([^\"]+)\"")
_ANY_CALL = re.compile(r"trans\.(__|_n|_p|_np|gettext)\(")


def of_sources() -> set[str]:
    """The strings in calls of ``trans.__``."""
    found = set()
    for path in [*SOURCES.rglob("*.ts"), *SOURCES.rglob("*.tsx")]:
        if "__tests__" in path.parts:
            continue
        text = path.read_text()
        literals = _CALL.findall(text)
        # What is not a literal cannot be found by those who translate.
        assert len(literals) == len(_ANY_CALL.findall(text)), path
        found |= {literal[1:-1].replace("\\'", "'") for literal in literals}
    return found


def of_notebooks() -> set[str]:
    """What a monitor in a cell shows: the literals in calls of ``words``, states and tables."""
    found = {state.word for state in STATES.values()} | set(CAUSES.values())
    for table in (JobTable, StageTable, TrialTable):
        found |= {*table.columns, table.empty}
    for path in (ROOT / "jupyter_training" / "notebook").glob("*.py"):
        found |= set(_WORDS.findall(path.read_text(encoding="utf-8")))
    return found


def of_schema() -> set[str]:
    """What the settings editor shows, each with the context in which JupyterLab looks for it."""
    schema = json.loads((ROOT / "labextension" / "schema" / "plugin.json").read_text())
    found = {f"schema\x04{schema[key]}" for key in ("title", "description")}
    found.add(f"settings\x04{schema['jupyter.lab.setting-icon-label']}")
    for setting in schema["properties"].values():
        found |= {f"settings\x04{setting[key]}" for key in ("title", "description")}
        found |= {f"settings\x04{one['title']}" for one in setting.get("oneOf", ())}
    return found


def test_every_string_is_translated_and_no_other_is_kept() -> None:
    catalogue = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    del catalogue[""]
    assert catalogue.keys() == of_sources() | of_schema() | of_notebooks()
    assert not [text for text, translated in catalogue.items() if not translated[0].strip()]


def test_translations_have_the_same_places_for_values() -> None:
    catalogue = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    del catalogue[""]
    for text, (translated,) in catalogue.items():
        places = [sorted(re.findall(r"%\d", one)) for one in (text, translated)]
        assert places[0] == places[1], text


def test_jupyterlab_finds_the_catalogue() -> None:
    packs, trouble = get_language_pack("zh_CN")
    assert not trouble.strip()
    ours = packs["jupyter_training"]
    assert ours["Training jobs"] == ["训练任务"]
    # By this name it is looked up in the browser.
    assert ours[""]["language"] == packs["jupyterlab"][""]["language"]
