"""What the README tells a newcomer to do, done on a copy of the project in a new environment."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Home
from tests.patience import until
from tests.test_cli import processes_of

ROOT = Path(__file__).parents[1]


def commands() -> list[str]:
    """The shell commands of the README, in their order."""
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return [block.strip() for block in blocks]


@pytest.mark.timeout(1800)
def test_the_first_command_installs_and_trains(home: Home) -> None:
    command = commands()[0]
    assert command == "pip install '.[examples]' && jupyter training run binder/train_digits.py"
    project, environment = home.path / "project", home.path / "environment"
    copy_project(project)
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    path = f"{environment / 'bin'}:{home.env['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=project,
        # To compile all that is installed, of which little is run here, takes the longest.
        env={**home.env, "PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_COMPILE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Epoch 1/30 - loss: " in done.stdout
    assert "completed: train_digits (job-" in done.stdout
    assert "exit code 0" in done.stdout
    accuracy = re.search(r"Held-out accuracy (0\.\d+)", done.stdout)
    assert accuracy is not None
    assert float(accuracy[1]) >= 0.95
    until(lambda: processes_of(home) == [])
    # Installed, and not only in place, a Jupyter server loads the extension by itself.
    listed = subprocess.run(
        [environment / "bin" / "jupyter", "server", "extension", "list"],
        env={**home.env, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"jupyter_training.*enabled", listed.stdout + listed.stderr)
    assert re.search(r"jupyter_training.*OK", listed.stdout + listed.stderr)


def test_the_other_commands_are_what_they_say() -> None:
    told = commands()
    assert told[1] == "jupyter lab binder/quickstart.ipynb"
    assert (ROOT / "binder" / "quickstart.ipynb").exists()
    assert told[-1] == "./tests/run"
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1].endswith('/../tests/run"')


PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


def headings(page: Path) -> set[str]:
    """What a link can point at in a page: its headings, as they are written in an address."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_picture_page_and_heading_is_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not target.startswith("https://"):
            name, _, heading = target.partition("#")
            other = (page.parent / name).resolve() if name else page
            assert other.exists(), target
            assert not heading or heading in headings(other), target


def copy_project(target: Path) -> None:
    """Copy what belongs to the project."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
