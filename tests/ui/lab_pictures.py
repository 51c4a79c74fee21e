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
    time.sleep(0.01 if epoch < epochs * 0.45 else pause)
"""


def lab_pictures(place: Path, pictures: Path) -> None:
    """The sidebar and the view of a job, in both themes and both languages."""
    place.mkdir()
    home = Home(place)
    gpus = FakeGpus(place / "gpus", ["NVIDIA A100-SXM4-80GB"] * 4)
    home.variables |= gpus.environment(fake_nvml.build(place))
    server = start_lab(home, gpus="auto", cpu_cores=32, memory_gb=256)
    try:
        job = jobs(server, home, gpus)
        size = {"width": 1180, "height": 760}
        with browser_page(viewport=size, device_scale_factor=2) as page:
            for language, locale in (("en", "default"), ("zh", "zh_CN")):
                configure(home, "@jupyterlab/translation-extension", "plugin", {"locale": locale})
                lab = Lab(page, server)
                lab.open()
                for theme in ("Light", "Dark"):
                    lab.theme(f"JupyterLab {theme}")
                    name = f"lab-{theme.lower()}-{language}"
                    lab.do("training:open", job=job, tab="overview")
                    expect(lab.view.locator(".jp-Training-tail")).to_contain_text("Epoch")
                    expect(lab.row("resnet50")).to_be_visible()
                    page.mouse.move(700, 700)
                    page.wait_for_timeout(1000)  # for the charts to have their size
                    page.screenshot(path=pictures / f"{name}.png")
                    lab.do("training:create")
                    dialog = page.get_by_role("dialog")
                    dialog.locator('[name="name"]').fill("bert-base")
                    dialog.locator('[name="command"]').fill("python train.py --epochs 30")
                    dialog.locator('[name="gpus"]').fill("2")
                    expect(dialog.locator(".jp-Training-forecast b")).to_be_visible()
                    page.screenshot(path=pictures / f"{name}-create.png")
                    page.keyboard.press("Escape")
    finally:
        home.close()


def jobs(server: Server, home: Home, gpus: FakeGpus) -> str:
    """Jobs in each state; the one to look at."""
    (home.path / "work" / "train.py").write_text(TRAINING)

    def submit(name: str, command: str | list[str], **fields: object) -> str:
        job = server.api.submit(command, name=name, **fields)
        return str(job["job_id"])

    script = f"{sys.executable} train.py"
    server.api.ended(submit("digits", f"{script} 30 0.01"))
    wrong = python("raise ValueError('shapes (32, 512) and (768, 10) not aligned')")
    server.api.ended(submit("bert-large", wrong, gpu_count=1, max_retries=0))
    ended = submit("eval-nightly", NAP)
    server.api.status(ended, "running")
    server.api.post(f"api/training-jobs/{ended}/cancel")
    looked_at = submit("resnet50", f"{script} 100 9", gpu_count=2, cpu_cores=8, memory_gb=64)
    server.api.status(looked_at, "running")
    sweep = submit("lr-sweep", f"{script} 50 20", gpu_count=1, cpu_cores=4, memory_gb=32)
    server.api.status(sweep, "running")
    submit("llama-lora", f"{script} 50 20", gpu_count=4, cpu_cores=8, memory_gb=64)
    for node in server.api.get("api/training-resources").json()["nodes"]:
        for place, gpu in enumerate(node["gpus"]):
            if gpu["held_by"]:
                used = (61 + place) * GB
                gpus.card(place, utilization=91 + place, memory_used=used, power=340_000)
    return looked_at
