"""The log of a training run, and its figure: losses and validation figures over the steps."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from vitiq.files import write_text

WINDOW = 50
"""Steps that the running mean of a loss looks back."""


class CsvLog:
    """A CSV log that a resumed run continues: rows after the checkpoint are dropped first."""

    def __init__(self, path: Path, start: int) -> None:
        self.path = path
        rows: list[dict[str, str]] = []
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                rows = [row for row in csv.DictReader(file) if row["step"].isdigit() and int(row["step"]) <= start]
        self.columns: list[str] = list(rows[0]) if rows else []
        self.rows = rows
        self._rewrite()

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """Append one row; a column seen for the first time rewrites the file with it."""
        row = {"step": str(step)} | {name: f"{value:.6g}" for name, value in values.items()}
        self.rows.append(row)
        new = [name for name in row if name not in self.columns]
        if new:
            self.columns += new
            self._rewrite()
            return
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self.columns).writerow(row)

    def _rewrite(self) -> None:
        if not self.columns:
            return
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns)
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self.path, text.getvalue())


def draw_curves(rows: Sequence[Mapping[str, str]], losses: Sequence[str], figures: Sequence[str]) -> Figure:
    """Two panels over the steps: running means of the losses, and the validation figures as measured.

    Args:
        rows: rows of a `CsvLog`; columns that a row lacks or leaves empty are skipped.
        losses: columns of the left panel, shown on a logarithmic axis.
        figures: columns of the right panel.
    """
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name in losses:
        steps, values = _column(rows, name)
        if len(steps):
            sums = np.cumsum(np.concatenate([[0.0], values]))
            first = np.maximum(0, np.arange(len(values)) - WINDOW + 1)
            last = np.arange(len(values)) + 1
            left.plot(steps, (sums[last] - sums[first]) / (last - first), label=name)
    for name in figures:
        steps, values = _column(rows, name)
        right.plot(steps, values, marker="o", label=name)
    left.set_yscale("log")
    left.set_ylabel(f"loss, mean of {WINDOW} steps")
    right.set_ylabel("held-out images")
    for axes in (left, right):
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    return figure


def _column(rows: Sequence[Mapping[str, str]], name: str) -> tuple[np.ndarray, np.ndarray]:
    pairs = [(int(row["step"]), float(row[name])) for row in rows if row.get(name)]
    array = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return array[:, 0], array[:, 1]
