"""Short real jobs that write down themselves what happens to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_training.jobs.lifecycle import Status
from tests.kills.pipelines import TestStages
from tests.kills.searches import TestSearch

AT_A_TIME = 6
RECEIVER = "told"
"""Who is told of them, if somebody is: a file of that name."""
OCCASIONS = ("completed", "failed", "retrying")
"""Of what."""
LINES = 40
KINDS = (
    "succeeds",
    "fails",
    "succeeds at the second try",
    "is cancelled",
    "leaves a child behind",
    "is a gang",
    "is a gang of which one fails",
    "is a pipeline",
    "is a search",
)
NODES = 2
"""Of a gang; in each is one rank."""

# A lock that the kernel gives back tells whether two attempts ever live at the same time.
SCRIPT = r"""
exec 9>>"$RECORD.lock$RANK"
flock --nonblock 9 || echo "twice $JUPYTER_TRAINING_ATTEMPT" >>"$RECORD"
echo "begin $JUPYTER_TRAINING_ATTEMPT${RANK:+ of rank $RANK}" >>"$RECORD"
[ -z "$WORD" ] || grep -qx "$WORD" word.txt || echo "twice: no snapshot" >>"$RECORD"
line=0
while [ $line -lt "$LINES" ]; do
  line=$((line + 1))
  echo "line $line"
  echo "{\"step\": $line, \"metrics\": {\"line\": $line}}" >>"$JUPYTER_TRAINING_METRICS_FILE"
done
case "$KIND" in
  fails) code=3 ;;
  *one*) [ "$RANK" = 1 ] || exec sleep 600; code=3 ;;
  *second*) code=4; grep -q "end" "$RECORD" && code=0 ;;
  *cancelled) sleep 600 ;;
  *child*) sleep 0.05 & code=0 ;;
  *) sleep 0.0$((NUMBER % 7)); code=0 ;;
esac
echo "end $JUPYTER_TRAINING_ATTEMPT" >>"$RECORD"
exit $code
"""


@dataclass(frozen=True)
class TestJob:
    """The job of a number, and what has to become of it."""

    __test__ = False

    number: int

    @property
    def kind(self) -> str:
        return KINDS[self.number % len(KINDS)]

    @property
    def key(self) -> str:
        """By it a job that is submitted again after a kill is the same job."""
        return f"key-{self.number}"

    @property
    def is_gang(self) -> bool:
        return "gang" in self.kind

    @property
    def stages(self) -> TestStages | None:
        """Of a pipeline, its stages."""
        is_one = self.kind == "is a pipeline"
        return TestStages(self.number // len(KINDS)) if is_one else None

    @property
    def search(self) -> TestSearch | None:
        """Of a search, what it is."""
        is_one = self.kind == "is a search"
        return TestSearch(self.number // len(KINDS)) if is_one else None

    @property
    def does(self) -> str:
        """What it does, or the stage of it that tells how it ends."""
        return self.stages.variant if self.stages is not None else self.kind

    @property
    def is_to_be_cancelled(self) -> bool:
        return self.does == "is cancelled"

    @property
    def word(self) -> str:
        """What stands in the file of its snapshot; empty if it has none."""
        return f"word {self.number}" if self.number % 3 == 0 else ""

    @property
    def status(self) -> Status:
        """How it has to end."""
        if self.is_to_be_cancelled:
            return Status.CANCELLED
        return Status.FAILED if self.does.endswith("fails") else Status.COMPLETED

    @property
    def failures(self) -> int:
        """How many of its attempts end with an exit code of its own."""
        if self.status is Status.FAILED:
            return 2
        return 1 if self.kind == "succeeds at the second try" else 0

    def record(self, place: Path) -> Path:
        """What it writes down."""
        return place / "records" / str(self.number)

    def over(self, place: Path) -> Path:
        """A file that is there when somebody was told of its end."""
        return place / "over" / str(self.number)

    def spec(self, place: Path, snapshot: str | None = None) -> dict[str, Any]:
        if self.stages is not None:
            env = {"LINES": str(LINES), "NUMBER": str(self.number)}
            return {"name": self.key, "stages": self.stages.specs(place, SCRIPT, env)}
        if self.search is not None:
            env = {"LINES": str(LINES), "NUMBER": str(self.number), "WORD": ""}
            return {"name": self.key, **self.search.spec(place, SCRIPT, env)}
        return {
            "name": self.key,
            "command": ["/bin/sh", "-c", SCRIPT],
            "env_vars": {
                "RECORD": str(self.record(place)),
                "KIND": self.kind,
                "LINES": str(LINES),
                "NUMBER": str(self.number),
                "WORD": self.word if snapshot is not None else "",
            },
            "cpu_cores": 1,
            "memory_gb": 1,
            "gpu_count": self.number % 2,
            "max_retries": 1,
            **({"nodes": NODES} if self.is_gang else {}),
            "snapshot": snapshot,
        }
