"""The pictures of JupyterLab, in both themes and both languages."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import expect

from tests import fake_nvml
from tests.conftest import NAP, Home, Server, python
from tests.fake_nvml import GB, FakeGpus
from tests.ui.lab import Lab, browser_page, configure, start_lab

TRAINING = """
import math, sys, time
epochs, pause = int(sys.argv[1]), float(sys.argv[2])
for epoch in range(1, epochs + 1):
    loss = 2.2 * math.exp(-epoch / 14) + 0.31 + 0.04 * math.sin(epoch * 1.7)
    val_loss = loss * 1.08 + 0.03 * math.sin(epoch * 2.3)
    print(f"Epoch {epoch}/{epochs} - loss: {loss:.4f} - val_loss: {val_loss:.4f}", flush=True)
    if epoch % 10 == 0:
        print(f"\\x1b[32mcheckpoint saved: checkpoints/epoch{epoch}.pt (98 MB)\\x1b[0m", flush=True)
    time.sleep(min(0.3, pause) if epoch < epochs * 0.45 else pause)
"""

SWEEP = """
import math, os, sys, time
lr, batch = float(sys.argv[1]), int(sys.argv[2])
loss = 0.2 + 0.08 * abs(math.log10(lr) + 2.6) + batch / 2000
print(f"step 1 val_loss: {loss:.4f}", flush=True)
os.makedirs("sweep", exist_ok=True)
done = len(os.listdir("sweep"))
if done >= 12:
    time.sleep(600)
open(f"sweep/{done}", "w").close()
"""

LANGUAGES = {"en": "default", "zh": "zh_CN"}
THEMES = ("Light", "Dark")


def lab_pictures(place: Path, pictures: Path) -> None:
    """The sidebar, the view of a job and the dialog, in both themes and both languages."""
    place.mkdir()
    home = Home(place)
    gpus = FakeGpus(place / "gpus", ["NVIDIA A100-SXM4-80GB"] * 4)
    home.variables |= gpus.environment(fake_nvml.build(place))
    server = start_lab(home, gpus="auto", cpu_cores=32, memory_gb=256)
    try:
        shown = jobs(server, home, gpus)
        size = {"width": 1180, "height": 760}
        with browser_page(viewport=size, device_scale_factor=2) as page:
            lab = Lab(page, server)
            for language, locale in LANGUAGES.items():
                configure(home, "@jupyterlab/translation-extension", "plugin", {"locale": locale})
                lab.open()
                for theme in THEMES:
                    lab.theme(f"JupyterLab {theme}")
                    _views(lab, shown, pictures / f"lab-{theme.lower()}-{language}")
                    _dialogs(lab, pictures / f"lab-{theme.lower()}-{language}")
                    _widths(lab, pictures / f"lab-{theme.lower()}-{language}")
    finally:
        home.close()


def _take(lab: Lab, path: Path) -> None:
    lab.page.mouse.move(700, 720)
    lab.page.wait_for_timeout(1000)  # for the charts to have their size
    lab.page.screenshot(path=path)


def _views(lab: Lab, shown: dict[str, str], stem: Path) -> None:
    """The view of a job, and of those that are made of others."""
    lab.do("training:open", job=shown["resnet50"], tab="overview")
    expect(lab.view.locator(".jp-Training-tail")).to_contain_text("Epoch")
    expect(lab.row("resnet50")).to_be_visible()
    _take(lab, stem.with_name(f"{stem.name}.png"))
    for name, tab in (("digits", "stages"), ("lr-sweep", "trials")):
        lab.do("training:open", job=shown[name], tab=tab)
        expect(lab.view.get_by_role("table").last).to_be_visible()
        _take(lab, stem.with_name(f"{stem.name}-{tab}.png"))
    lab.discard_all()


def _dialogs(lab: Lab, stem: Path) -> None:
    """The dialog, for each type of job."""
    for kind, command in (
        ("single", "python train.py --epochs 30"),
        ("distributed", "python train.py --epochs 30"),
        ("hyperparameter", "python train.py --lr {lr}"),
        ("pipeline", ""),
    ):
        dialog = lab.create()
        dialog.locator(f'[name="type"][value="{kind}"]').check(force=True)
        dialog.locator('[name="name"]').fill("bert-base")
        if command:
            dialog.locator('[name="command"]').fill(command)
        dialog.locator('[name="gpus"]').fill("1")
        expect(dialog.locator(".jp-Training-forecast b")).to_be_visible()
        lab.page.screenshot(path=stem.with_name(f"{stem.name}-create-{kind}.png"))
        lab.page.keyboard.press("Escape")


def _widths(lab: Lab, stem: Path) -> None:
    """The sidebar, as narrow as it may be, and wide."""
    handle = lab.page.locator("#jp-main-split-panel > .lm-SplitPanel-handle:visible").first
    for width in (200, 520, 280):
        box, panel = handle.bounding_box(), lab.panel.bounding_box()
        assert box is not None
        assert panel is not None
        lab.page.mouse.move(box["x"] + 1, 400)
        lab.page.mouse.down()
        lab.page.mouse.move(panel["x"] + width, 400, steps=4)
        lab.page.mouse.up()
        if width != 280:
            lab.page.mouse.move(900, 720)
            lab.panel.screenshot(path=stem.with_name(f"{stem.name}-{width}px.png"))


def jobs(server: Server, home: Home, gpus: FakeGpus) -> dict[str, str]:
    """Jobs in each state; by name, those to look at."""
    (home.path / "work" / "train.py").write_text(TRAINING)

    def submit(name: str, command: str | list[str], **fields: object) -> str:
        job = server.api.submit(command, name=name, **fields)
        return str(job["job_id"])

    script = f"{sys.executable} train.py"
    stages = [
        {"name": "prepare", "command": f"{script} 3 0.01"},
        {"name": "fit", "command": f"{script} 30 0.01", "depends_on": ["prepare"]},
        {"name": "fit-small", "command": f"{script} 30 0.01", "depends_on": ["prepare"]},
        {"name": "report", "command": f"{script} 3 0.01", "depends_on": ["fit", "fit-small"]},
    ]
    small = {"cpu_cores": 1, "memory_gb": 1, "gpu_count": 0}
    digits = server.api.post(
        "api/training-jobs", json={"name": "digits", "stages": stages, **small}
    ).json()["job_id"]
    server.api.ended(digits)
    wrong = python("raise ValueError('shapes (32, 512) and (768, 10) not aligned')")
    server.api.ended(submit("bert-large", wrong, gpu_count=1, max_retries=0))
    ended = submit("eval-nightly", NAP)
    server.api.status(ended, "running")
    server.api.post(f"api/training-jobs/{ended}/cancel")
    looked_at = submit("resnet50", f"{script} 100 6", gpu_count=2, cpu_cores=8, memory_gb=64)
    server.api.status(looked_at, "running")
    sweep = search(server, home)
    submit("llama-lora", f"{script} 50 20", gpu_count=4, cpu_cores=8, memory_gb=64)
    for node in server.api.get("api/training-resources").json()["nodes"]:
        for place, gpu in enumerate(node["gpus"]):
            if gpu["held_by"]:
                used = (61 + place) * GB
                gpus.card(place, utilization=91 + place, memory_used=used, power=340_000)
    return {"resnet50": looked_at, "digits": digits, "lr-sweep": sweep}


def search(server: Server, home: Home) -> str:
    """A search of which some trials are done, and one runs on a GPU; its id."""
    (home.path / "work" / "sweep.py").write_text(SWEEP)
    spec = {
        "name": "lr-sweep",
        "job_type": "hyperparameter",
        "command": [sys.executable, "sweep.py", "{lr}", "{batch}"],
        **{"cpu_cores": 4, "memory_gb": 32, "gpu_count": 1, "max_retries": 0},
        "search": {
            **{"metric": "val_loss", "trials": 50, "seed": 1},
            "space": {
                "lr": {"type": "loguniform", "low": 1e-5, "high": 0.1},
                "batch": {"type": "choice", "values": [16, 32, 64]},
            },
        },
    }
    told = server.api.post("api/training-jobs", json=spec).json()
    server.api.until(told["job_id"], lambda job: job["search"]["done"] >= 12)
    return str(told["job_id"])
