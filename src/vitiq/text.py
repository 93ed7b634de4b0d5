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
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

MAX_TEXT_BYTES = 2**28
"""Bytes of a table or settings file: 256 MiB."""


def plural(count: int, noun: str) -> str:
    """A count with its noun: "1 image", "2 images"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, without the mark that editors of Windows put first, its line ends as one character.

    Raises:
        OSError: it cannot be read.
        ValueError: more than `MAX_TEXT_BYTES` (a device has no end), or bytes that are no text.
    """
    with path.open("rb") as file:
        data = file.read(MAX_TEXT_BYTES + 1)
    if len(data) > MAX_TEXT_BYTES:
        raise ValueError(f"more than {MAX_TEXT_BYTES} bytes given, above the limit for input")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:  # as an exception it would hold, and show, the whole file
        raise ValueError(f"no text in UTF-8: byte {error.start} is {data[error.start]:#04x}") from None


def parse_json(text: str) -> Any:
    """JSON values of a text.

    Raises:
        ValueError: it is no JSON, nested deeper than Python's stack allows, or holds a number of thousands of digits.
    """
    return _bounded(json.loads, text)


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


def _bounded(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
