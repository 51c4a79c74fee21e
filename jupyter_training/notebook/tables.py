"""Jobs and machines as tables, for a notebook and for a terminal."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from jupyter_training.notebook.display import COLOURS


class Table:
    """Rows of text under a heading.

    Attributes
    ----------
    columns, rows
        The heading and the cells.
    empty
        What is said instead of a table without rows.
    """

    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    empty = ""

    def __repr__(self) -> str:
        if not self.rows:
            return self.empty
        everything = [self.columns, *self.rows]
        widths = [max(len(row[i]) for row in everything) for i in range(len(self.columns))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in everything
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        if not self.rows:
            return html.escape(self.empty)
        head = "".join(f"<th style='text-align:left'>{html.escape(c)}</th>" for c in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td style='text-align:left'>{_cell(c)}</td>" for c in row) + "</tr>"
            for row in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(text: str) -> str:
    if text in COLOURS:
        style = f"background:{COLOURS[text]};color:#fff;border-radius:3px;padding:1px 7px"
        return f'<span style="{style}">{text}</span>'
    return html.escape(text)


class JobTable(Table):
    """Jobs, newest first."""

    columns = ("job", "name", "resources", "status", "progress", "reason")
    empty = "You have no training jobs here yet."

    def __init__(self, jobs: Sequence[dict[str, Any]]) -> None:
        self.rows = [
            (
                job["job_id"],
                job["name"],
                f"{job['cpu_cores']}C / {job['memory_gb']}GB / {job['gpu_count']}GPU",
                job["status"],
                f"{job['progress']} %",
                job["reason"] or "",
            )
            for job in jobs
        ]


class MachineTable(Table):
    """Machines, what is free on them, and who holds the rest."""

    columns = ("machine", "CPU cores free", "memory free", "GPUs free", "held by")
    empty = "There is no machine yet; the scheduler is starting."

    def __init__(self, machines: dict[str, Any]) -> None:
        self.rows = [
            (
                node["name"],
                f"{node['cpu_cores_free']} of {node['cpu_cores']}",
                f"{node['memory_gb_free']} of {node['memory_gb']} GB",
                f"{node['gpu_count_free']} of {node['gpu_count']}",
                ", ".join([*(one["held_by"] for one in node["held"]), *_out_of_use(node)])
                or "nobody",
            )
            for node in machines["nodes"]
        ]


def _out_of_use(node: dict[str, Any]) -> list[str]:
    """The GPUs that nobody gets for now, and why."""
    return [
        f"{gpu['uuid'][:12]} {gpu['unavailable']}" for gpu in node["gpus"] if gpu["unavailable"]
    ]
