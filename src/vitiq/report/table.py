"""What every table is made of: its cells, the names of its columns, rows by the question a metric asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vitiq.report.choice import by_question
from vitiq.report.model import Column, Model


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text.

    Attributes:
        name: file-safe name.
        title: caption.
        header: column names.
        rows: cells.
        note: what a reader must know.
        bold: cells (row, column) that are the best of their column.
        rules: rows above which a rule stands.
        data: the same for machines, a mapping a row: numbers as numbers, NaN or None where there is none.
    """

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    bold: frozenset[tuple[int, int]] = frozenset()
    rules: frozenset[int] = frozenset()
    data: tuple[Mapping[str, object], ...] = ()


def column_head(column: Column) -> str:
    """A metric as the head of a column: its short name, unit and direction."""
    info = column.info
    return " ".join(part for part in (f"{info.short}, {info.unit}" if info.unit else info.short, info.arrow) if part)


def encode_head(model: Model) -> str:
    """The head of the column of encode times: medians, as the first file of a run may wait for a network to load."""
    return "encode, median" if len(model.images) > 1 else "encode"


def rows_by_question(
    model: Model, values: Mapping[str, Sequence[str]]
) -> tuple[tuple[tuple[str, ...], ...], frozenset[int]]:
    """Rows of metrics under a rule a question, and where the rules stand, counted with one row before them."""
    rows: list[tuple[str, ...]] = []
    rules = set()
    for _, columns in by_question(model.columns):
        rules.add(len(rows) + 1)
        rows += [
            (column_head(column), *values[column_head(column)]) for column in columns if column_head(column) in values
        ]
    return tuple(rows), frozenset(rules)


def missing_notes(model: Model) -> list[str]:
    """Files that could not be made, the first ones by name."""
    if not model.missing:
        return []
    more = f", and {len(model.missing) - NAMED} more" if len(model.missing) > NAMED else ""
    return [f"Not in the means: {'; '.join(model.missing[:NAMED])}{more}."]


NAMED = 6
"""Files that could not be made, named in a note."""
