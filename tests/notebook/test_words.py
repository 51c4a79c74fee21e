"""A monitor in a cell speaks the language of the page that shows it."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_training.notebook import card
from jupyter_training.notebook.display import how_far
from jupyter_training.notebook.plot import Chart, LivePlot
from jupyter_training.notebook.widgets import Presence
from jupyter_training.notebook.words import ENGLISH, Words, words_of

CHINESE = words_of("zh-CN")
TOLD: dict[str, Any] = {
    "name": "digits %2",
    "job_id": "job-1",
    "status": "running",
    "attempt": 2,
    "queue_position": None,
    "cpu_cores": 1,
    "memory_gb": 8,
    "gpu_count": 2,
    "progress": 45,
    "remaining_s": 4320.0,
    "remaining_text": "about 1 h 12 min left",
}


def test_what_is_known_of_a_job_is_said_in_the_words_of_the_sidebar() -> None:
    head = card.head(TOLD, [(0, 93.0)], CHINESE)
    for word in ("运行中", "1 核 · 8 GB · GPU 0 (93 %)", "第 2 次尝试", "digits %2"):
        assert word in head
    assert how_far(TOLD, CHINESE) == "45 %, 约剩 1 小时 12 分钟"
    assert how_far(TOLD) == "45 %, about 1 h 12 min left"
    assert 'aria-label="digits %2 的进度"' in card.bar(TOLD, "45 %", CHINESE)


@pytest.mark.parametrize("language", ["", "en", "fr-FR", "../../x", "zh_CN/../zh_CN"])
def test_what_is_no_language_here_is_english(language: str) -> None:
    assert words_of(language) is ENGLISH


def test_the_page_says_which_language_it_is_in_and_is_told_the_words() -> None:
    heard: list[Words] = []
    looks: list[bool] = []
    presence = Presence(lambda: looks.append(True), heard.append, "job-1")
    assert presence.words["open"] == "Open"
    for _ in range(2):
        presence._hear(presence, {"type": "looks", "language": "zh-CN"}, [])
    assert (heard, len(looks)) == ([CHINESE], 2)
    assert presence.words["open"] == "打开"
    # The page also says what the server says, where it can.
    assert presence.worded("finished") == "finished"
    assert presence.sentences == ["finished"]
    presence._hear(presence, {"type": "worded", "words": {"finished": "已完成", "other": "x"}}, [])
    assert (presence.worded("finished"), presence.worded(None)) == ("已完成", None)
    assert heard == [CHINESE] * 2
    plot = LivePlot(Chart("", ""))
    plot.speak(CHINESE)
    assert plot.root.words["smoothing"] == "平滑"
