"""JSON, TOML and CSV from anywhere: values, or a ValueError in one line.

Python's parsers recurse, so that a thousand open brackets end them with a RecursionError; a cell of 128 KiB ends CSV's
with an error of its own. Neither is a ValueError.

Example:
    >>> parse_json('{"a": [1, 2]}')
    {'a': [1, 2]}
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

MAX_TEXT_BYTES = 2**28
"""Bytes of a table or settings file: 256 MiB."""


def plural(count: int, noun: str) -> str:
    """A count with its noun: "1 image", "2 images"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(names: Sequence[str]) -> str:
    """Names, one or more, in a sentence.

    Example:
        >>> listed(["JPEG", "AVIF", "WebP"])
        'JPEG, AVIF and WebP'
    """
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def number(value: float) -> float | str | None:
    """A number that JSON can hold: "inf" and "-inf" as text, NaN as null."""
    if math.isnan(value):
        return None
    return float(value) if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def reasons_text(reasons: Mapping[str, int], most: int = 3) -> str:
    """Reasons, the most frequent first, each with how often it was given where there are several.

    Args:
        most: reasons that are shown; the others are counted.

    Example:
        >>> reasons_text({"too small": 2, "flat": 1})
        'too small (2); flat (1)'
    """
    if len(reasons) == 1:
        return next(iter(reasons))
    order = sorted(reasons, key=lambda reason: -reasons[reason])
    rest = sum(reasons[reason] for reason in order[most:])
    shown = [f"{reason} ({reasons[reason]})" for reason in order[:most]]
    return "; ".join([*shown, f"other reasons ({rest})"] if rest else shown)


MARKUP = re.compile(r"[*`<|]|~~|\\(?=[!-/:-@\[-`{-~])|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])|\](?=[(\[])")
"""What GitHub's Markdown does not print as it is: marks of emphasis, code, HTML, links, and the end of a cell."""


def escape_markdown(text: str) -> str:
    """Text that Markdown prints as it is, in a cell, a heading or a sentence; names come from anywhere.

    Example:
        >>> escape_markdown("A|B<b>x</b> of kodim_01.png")
        'A\\\\|B\\\\<b>x\\\\</b> of kodim_01.png'
    """
    return MARKUP.sub(lambda found: "".join("\\" + c for c in found[0]), " ".join(text.splitlines()))


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 with its mark; without that mark, its line ends as one character.

    Raises:
        OSError: it cannot be read.
        ValueError: more than `MAX_TEXT_BYTES` (a device has no end), or bytes that are no text.
    """
    with path.open("rb") as file:
        data = file.read(MAX_TEXT_BYTES + 1)
    if len(data) > MAX_TEXT_BYTES:
        raise ValueError(f"more than {MAX_TEXT_BYTES} bytes given, above the limit for input")
    try:
        wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        return data.decode("utf-16" if wide else "utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:  # as an exception it would hold, and show, the whole file
        raise ValueError(
            f"no text in UTF-8: byte {error.start} is {data[error.start]:#04x}; save it as UTF-8"
        ) from None


def parse_json(text: str) -> Any:
    """JSON values of a text.

    Raises:
        ValueError: it is no JSON, nested deeper than Python's stack allows, or holds a number of thousands of digits.
    """
    return _bounded(json.loads, text)


def plain(value: Any) -> Any:
    """A value as JSON holds it: NumPy's numbers and arrays become Python's, keys text.

    Raises:
        TypeError: JSON has nothing of that type, which is named.

    Example:
        >>> import numpy as np
        >>> plain({"n": np.int64(3), 2: (np.float32(0.5), np.arange(2))})
        {'n': 3, '2': [0.5, [0, 1]]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        return plain(value.tolist())
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise TypeError(type(value).__name__)


def parse_toml(text: str) -> dict[str, Any]:
    """The table that a text holds; raises as `parse_json`."""
    return _bounded(tomllib.loads, text)


def parse_csv(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    """Rows by the names in the first line.

    Raises:
        ValueError: a cell of more than 128 KiB, or a stray carriage return.
    """
    try:
        return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise ValueError(str(error)) from error


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table that a person made: its line, and cells by the names of their columns in lower case."""

    line: int
    cells: dict[str, str]
    decimal_comma: bool = False

    def number(self, name: str, default: float | None = None) -> float:
        """The finite number in a cell, or `default` where it is empty or missing; raises ValueError."""
        text = self.cells.get(name, "")
        if not text and default is not None:
            return default
        if self.decimal_comma and re.fullmatch(r"[+-]?\d+,\d+", text):
            text = text.replace(",", ".")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ValueError(f"line {self.line}: {name} is {text[:40]!r}, a finite number is expected")
        return value


def parse_table(text: str, needed: Iterable[str]) -> list[Row]:
    """Rows of a table as spreadsheets of any language write it: with commas, semicolons (decimal commas) or tabs.

    Blanks around cells and names, and rows without text, are left out.

    Args:
        needed: columns that must be there, with something in each row.

    Raises:
        ValueError: a column or cell is missing or there twice; a row has more cells than the header; as `parse_csv`.

    Example:
        >>> [row.number("mos") for row in parse_table("Image; MOS\\na.png; 3,5\\n", ("image", "mos"))]
        [3.5]
    """
    header = text.lstrip().split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    names: list[str] = []
    rows: list[Row] = []
    try:
        for cells in lines:
            stripped = [cell.strip() for cell in cells]
            if not any(stripped):
                continue
            if not names:
                names = _columns(stripped, needed)
                continue
            rows.append(_row(lines.line_num, names, stripped, needed, decimal_comma=delimiter != ","))
    except csv.Error as error:
        raise ValueError(str(error)) from error
    return rows


def _columns(cells: list[str], needed: Iterable[str]) -> list[str]:
    names = [cell.lower() for cell in cells]
    lacking = [name for name in needed if name not in names]
    if lacking:
        shown = ", ".join(cell[:40] for cell in cells[:8])
        raise ValueError(f"no column {', '.join(lacking)} in its first line, which has: {shown}")
    twice = [name for name in needed if names.count(name) > 1]
    if twice:
        raise ValueError(f"more than one column {', '.join(twice)}")
    return names


def _row(line: int, names: list[str], cells: list[str], needed: Iterable[str], *, decimal_comma: bool) -> Row:
    if any(cells[len(names) :]):
        raise ValueError(f"line {line}: {len(cells)} cells, {len(names)} are expected; quote cells with the delimiter")
    found = dict(zip(names, [*cells, *[""] * len(names)], strict=False))
    lacking = [name for name in needed if not found[name]]
    if lacking:
        raise ValueError(f"line {line}: no {', '.join(lacking)}")
    return Row(line, found, decimal_comma)


def _bounded(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
