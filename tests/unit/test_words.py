"""Code, messages, help and documents use the field's words. Truth: the list below, word -> the field's word.

A name is taken apart at underscores and capitals, so `is_painted` and `PaintedRow` are found as `paint` is.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSTEAD = {
    "pictures?": "image",
    "paint(s|ed|er|ers|ing)?": "reconstruct, decoder",
    "judges?|judging": "scoring backbone, score",
    "told": "reported",
    "rooms?": "package, space",
}
"""Everywhere."""

IN_CODE = {
    "facts?": "metadata",
    "tuned on": "optimised against",
    "rungs?": "scale index",
    "tall(y|ies|ied)": "aggregate",
    "deaf": "ignores SIGINT",
    "critics?": "discriminator",
    "bits a pixel": "bits per pixel",
    "for want of": "out of",
    "whole or not at all": "atomically",
}
"""In what ships and in its documents."""

KEPT = {
    ("CHANGELOG.md", "picture"),  # names of 0.1.0 that are gone
    ("CHANGELOG.md", "critic"),
}
NO_PROSE = {".min.js", ".min.css", ".svg"}


def texts(*folders: str) -> list[Path]:
    kinds = {".py", ".pyi", ".md", ".toml", ".j2", ".js", ".css", ".cff", ".sh", ".c"}
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*")) if path.suffix in kinds]
    here = [*ROOT.glob("*.md"), *ROOT.glob("*.cff"), ROOT / "pyproject.toml", ROOT / "Makefile"]
    return [path for path in (*found, *here) if not any(path.name.endswith(end) for end in NO_PROSE)]


def words(line: str) -> str:
    """A line with its names taken apart, in small letters."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", line).lower()


def found(path: Path, banned: dict[str, str]) -> list[str]:
    lines = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        for word, better in banned.items():
            for match in re.finditer(rf"\b(?:{word})\b", words(line)):
                if (path.name, match.group()) not in KEPT:
                    lines.append(f"{path.relative_to(ROOT)}:{number}: {match.group()!r}, better {better}")
    return lines


@pytest.mark.parametrize("folder", ["src/vitiq", "docs", "benchmarks", "examples", "tests", ".ci"])
def test_the_fields_words_everywhere(folder: str) -> None:
    assert [line for path in texts(folder) if path != Path(__file__) for line in found(path, INSTEAD)] == []


@pytest.mark.parametrize("folder", ["src/vitiq", "docs"])
def test_the_fields_words_in_what_ships(folder: str) -> None:
    assert [line for path in texts(folder) for line in found(path, IN_CODE)] == []


def test_names_are_taken_apart() -> None:
    assert words("def isPainted_twice(RoomOfOne):") == "def is painted twice(room of one):"
    assert len(found(ROOT / "CHANGELOG.md", {"discriminators?": ""})) == 1
