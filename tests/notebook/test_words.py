"""A monitor in a cell speaks the language of the page that shows it."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_training.notebook import card
from jupyter_training.notebook.display import how_far
from jupyter_training.notebook.plot import Chart, LivePlot
from jupyter_training.notebook.tables import JobTable, StageTable, TrialTable
from jupyter_training.notebook.widgets import _SENTENCES, Presence
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
    "remaining_high_s": 5000.0,
    "remaining_text": "about 1 h 12 min left",
}


def test_what_is_known_of_a_job_is_said_in_the_words_of_the_sidebar() -> None:
    head = card.head(TOLD, [(0, 93.0)], CHINESE)
    for word in ("运行中", "1 核 · 8 GB · GPU 0 (93 %)", "第 2 次尝试", "digits %2"):
        assert word in head
    assert how_far(TOLD, CHINESE) == "45 %, 约剩 1 小时 12 分钟"
    assert how_far({**TOLD, "remaining_s": 12.0}, CHINESE) == "45 %, 最多剩 1 小时 23 分钟"
    assert how_far(TOLD) == "45 %, about 1 h 12 min left"
    assert 'aria-label="digits %2 的进度"' in card.bar(TOLD, "45 %", CHINESE)


def test_tables_in_a_cell_are_in_the_language_of_the_page() -> None:
    said = {"waits for 1 GPU": "等待 1 GPU"}
    job = {
        **TOLD,
        "job_type": "single",
        "started_at": "2026-01-01T00:00:00Z",
        "metrics": {},
        "reason": "waits for 1 GPU",
    }
    jobs = [
        job,
        {**job, "search": {"done": 3, "trials": 50}},
        {**job, "children": {"running": 4}},
        {**job, "status": "completed", "reason": "finished"},
    ]
    shown = JobTable(jobs, None, CHINESE, said.__getitem__)._repr_html_()
    for word in (">名称<", ">状态<", "运行中", "约剩 1 小时 12 分钟", "等待 1 GPU", "4 个阶段"):
        assert word in shown
    # A sentence has the whole width, below its row, if it says more than the state does.
    assert ">原因<" not in shown
    assert shown.count("<td colspan='6'") == 3
    stage = {
        **job,
        "child_key": "fit",
        "status": "failed",
        "cause": "user_error",
        "reason": "waits for 1 GPU",
        "completed_at": "2026-01-01T00:02:00Z",
        "depends_on": [],
    }
    shown = StageTable([stage], words=CHINESE, said=said.__getitem__)._repr_html_()
    for word in (">阶段<", ">用时<", "2 分钟", "失败", "脚本错误: 等待 1 GPU"):
        assert word in shown
    trial = {
        **{"number": 7, "is_best": True, "state": "pruned", "value": 0.5, "step": 3, "params": {}},
        **{"progress": 20, "cause": "pruned", "reason": None},
    }
    trials = [trial, {**trial, "state": "complete"}]
    shown = TrialTable(trials, most=1, words=CHINESE)._repr_html_()
    for word in (">步数<", "已剪枝", "最佳", "另有 1 "):
        assert word in shown
    assert "completed" in TrialTable(trials)._repr_html_()
    assert "complete " in repr(TrialTable(trials))


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
    presence.ask()
    assert presence.sentences == ["finished"]
    presence._hear(presence, {"type": "worded", "words": {"finished": "已完成", "other": "x"}}, [])
    assert (presence.worded("finished"), presence.worded(None)) == ("已完成", None)
    assert heard == [CHINESE] * 2
    presence.ask()
    # It is asked once for all that is shown, and never for more than it can say at a time.
    several = [f"sentence {number}" for number in range(_SENTENCES + 10)]
    asked: list[list[str]] = []
    presence.observe(lambda change: asked.append(change["new"]), "sentences")

    def draw() -> None:
        for sentence in several:
            presence.worded(sentence)
        presence.ask()

    draw()
    assert asked == [several[:_SENTENCES]]
    said = {sentence: sentence.upper() for sentence in several}
    presence._hear(presence, {"type": "worded", "words": said}, [])
    draw()
    assert (len(asked), presence.worded(several[0])) == (1, "SENTENCE 0")
    plot = LivePlot(Chart("", ""))
    plot.speak(CHINESE)
    assert plot.root.words["smoothing"] == "平滑"
