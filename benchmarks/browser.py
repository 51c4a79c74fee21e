"""What the JupyterLab extension costs a browser, next to JupyterLab without it.

*Bundle* is the JavaScript of a release build, compressed by gzip (kB), next to JupyterLab's own.

*First list* is the time from the navigation to the first rows of the sidebar, which is opened as
soon as JupyterLab has restored its layout, with five thousand jobs on the server (ms). The baseline
is the time to that moment in JupyterLab without the extension; both are loaded in turn.

*Frames over 50 ms* are those that came so late that a person sees it, as a share of all (%): while
the sidebar is scrolled through five thousand jobs, and while the log of a job that prints a
thousand lines a second is followed. The baseline is JupyterLab without the extension: while as many
rows of plain text are scrolled, and while nothing is shown of a job that prints just as much.

It needs Chromium and Node, as the tests do. There is no GPU: the browser draws in software.
"""

from __future__ import annotations

import gzip
import shutil
import statistics
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.figures import Figure
from tests.conftest import Home, python
from tests.ui.lab import CHROMIUM, ROOT, Lab, browser_page, start_lab
from tests.ui.test_training import multiply

JOBS = 5000
_LATE_MS = 50
_SECONDS = 10
_SOURCES = ("src", "style", "schema", "package.json", "tsconfig.json", "yarn.lock", ".yarnrc.yml")
_PRINTS = python(
    "import time\n"
    "for number in range(60_000):\n"
    "    print(f'step {number} - loss: {1 / (number + 1):.6f} - lr: 1.0e-04', flush=True)\n"
    "    time.sleep(0.001)"
)
_NOTE_TIMES = """
new MutationObserver(() => {
  if (!window.firstRow && document.querySelector('.jp-Training-jobRow')) {
    window.firstRow = performance.now();
  }
}).observe(document, {childList: true, subtree: true});
const waiting = setInterval(async () => {
  if (window.jupyterapp?.started) {
    clearInterval(waiting);
    await window.jupyterapp.restored;
    window.restoredAt = performance.now();
    const command = 'training:show-panel';
    if (window.jupyterapp.commands.hasCommand(command)) {
      window.jupyterapp.commands.execute(command);
    }
  }
}, 10);
"""
_FRAMES = """([seconds, selector, step]) => new Promise(done => {
  const deltas = [];
  let last = performance.now();
  const end = last + 1000 * seconds;
  const node = selector && document.querySelector(selector);
  const frame = now => {
    deltas.push(now - last);
    last = now;
    if (node) {
      node.scrollTop += step;
    }
    now < end ? requestAnimationFrame(frame) : done(deltas.slice(1));
  };
  requestAnimationFrame(frame);
})"""
_PLAIN_ROWS = """count => {
  const list = document.createElement('div');
  list.className = 'plain-rows';
  list.style.cssText = 'position: fixed; inset: 60px auto 30px 0; width: 250px; overflow: auto';
  list.style.zIndex = 9;
  for (let row = 0; row < count; row++) {
    const line = document.createElement('div');
    line.style.height = '58px';
    line.textContent = `job ${row}`;
    list.append(line);
  }
  document.body.append(list);
}"""


def why_not() -> str | None:
    """Why there are no figures here; None if there can be some."""
    if not (ROOT / "labextension" / "node_modules").is_dir():
        return "labextension/node_modules is missing; tests/run installs it"
    return None if Path(CHROMIUM).exists() else f"there is no {CHROMIUM}"


def of_browser(place: Path, repeat: int) -> list[Figure]:
    """All figures of the extension."""
    built = build(place / "built")
    home = Home(place / "home")
    home.path.mkdir()
    server = start_lab(home, cpu_cores=2, memory_gb=8)
    linked = home.path / "share" / "labextensions" / "jupyter-training"
    try:
        job = server.api.submit(python("print()"), name="one")
        server.api.ended(job["job_id"])
        multiply(home.data_dir / "training.db", job["job_id"], JOBS)
        with browser_page(viewport={"width": 1400, "height": 860}) as page:
            lab = Lab(page, server)
            page.add_init_script(_NOTE_TIMES)
            figures = [_bundle(built), _first_list(lab, linked, built, repeat)]
            return [*figures, *_scrolling(lab, linked, built), *_log(lab, linked, built)]
    finally:
        home.close()


def build(place: Path) -> Path:
    """Make a release build beside the one that is worked with."""
    sources = place / "labextension"
    sources.mkdir(parents=True)
    (place / "jupyter_training").mkdir()
    for name in _SOURCES:
        origin = ROOT / "labextension" / name
        (shutil.copytree if origin.is_dir() else shutil.copy)(origin, sources / name)
    (sources / "node_modules").symlink_to(ROOT / "labextension" / "node_modules")
    for command in (["node_modules/.bin/tsc"], [_program("jupyter-builder"), "build", "."]):
        subprocess.run(command, cwd=sources, check=True, stdout=subprocess.DEVNULL)
    return place / "jupyter_training" / "labextension"


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _bundle(built: Path) -> Figure:
    """How large the JavaScript is (kB, compressed)."""
    ours, bare = (
        _compressed(built / "static"),
        _compressed(Path(str(files("jupyterlab"))) / "static"),
    )
    return Figure(
        "bundle, kB", ours, bare, ours / bare, "of JupyterLab", "at most 400", ours <= 400
    )


def _compressed(directory: Path) -> float:
    return sum(len(gzip.compress(one.read_bytes())) for one in directory.glob("*.js")) / 1000


def _first_list(lab: Lab, linked: Path, built: Path, repeat: int) -> Figure:
    """When the sidebar has its first rows after the page was asked for (ms)."""
    ours, bare = [], []
    for number in range(repeat + 1):
        shown = _time(lab, linked, built, "firstRow"), _time(lab, linked, None, "restoredAt")
        if number:  # the first ones fill the cache of the browser
            ours.append(shown[0])
            bare.append(shown[1])
    middle = statistics.median(ours), statistics.median(bare)
    more = middle[0] - middle[1]
    return Figure("first list, ms", *middle, more, "ms more", "at most 1000", more <= 1000)


def _time(lab: Lab, linked: Path, built: Path | None, what: str) -> float:
    """Load JupyterLab, and return when something was there (ms)."""
    _link(linked, built)
    lab.page.goto(f"{lab.server.url}lab?token=the-servers-own&reset")
    lab.page.wait_for_function(f"() => window.{what}")
    return float(lab.page.evaluate(f"() => window.{what}"))


def _scrolling(lab: Lab, linked: Path, built: Path) -> list[Figure]:
    """Frames while five thousand jobs are scrolled through."""
    _load(lab, linked, built)
    lab.panel.locator(".jp-Training-jobRow").first.wait_for()
    ours = _frames(lab.page, ".jp-Training-scroller", step=120)
    _load(lab, linked, None)
    lab.page.evaluate(_PLAIN_ROWS, JOBS)
    return _late("scrolling", ours, _frames(lab.page, ".plain-rows", step=120))


def _log(lab: Lab, linked: Path, built: Path) -> list[Figure]:
    """Frames while the log of a job is followed that prints a thousand lines a second."""
    several = []
    for shown in (built, None):
        _load(lab, linked, shown)
        job = lab.server.api.submit(_PRINTS, name="printer")
        lab.server.api.status(job["job_id"], "running")
        if shown:
            lab.do("training:open", job=job["job_id"], tab="log")
            lab.view.get_by_role("log").get_by_text("loss").first.wait_for()
        several.append(_frames(lab.page))
        lab.server.api.post(f"api/training-jobs/{job['job_id']}/cancel")
        lab.server.api.ended(job["job_id"])
    return _late("following a log", *several)


def _load(lab: Lab, linked: Path, built: Path | None) -> None:
    """Load JupyterLab with the extension or without it, and let it come to rest."""
    _time(lab, linked, built, "restoredAt")
    lab.page.wait_for_load_state("networkidle")


def _link(linked: Path, built: Path | None) -> None:
    """Have this build of the extension, or none."""
    linked.unlink(missing_ok=True)
    if built is not None:
        linked.symlink_to(built)


def _frames(page: Page, selector: str = "", step: int = 0) -> list[float]:
    """The times between frames (ms), while something is scrolled at each of them."""
    deltas: list[float] = page.evaluate(_FRAMES, [_SECONDS, selector, step])
    return deltas


def _late(what: str, ours: list[float], bare: list[float]) -> list[Figure]:
    """How many frames came late, and how late the worst ones did."""
    shares = _share(ours), _share(bare)
    worst = _worst(ours), _worst(bare)
    more = shares[0] - shares[1]
    return [
        Figure(f"{what}, % late", *shares, more, "points more", "at most 5", more <= 5),
        Figure(f"{what}, 99 %, ms", *worst, worst[0] - worst[1], "ms more", "", None),
    ]


def _share(deltas: list[float]) -> float:
    return 100 * sum(one > _LATE_MS for one in deltas) / len(deltas)


def _worst(deltas: list[float]) -> float:
    return statistics.quantiles(deltas, n=100)[98]
