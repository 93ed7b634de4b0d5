"""The versions that a fresh clone installs are all pinned, and nothing else is.

Truth: what the installed packages state that they need, from vitiq's extra `dev` on.
"""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
INSTALLERS = {"pip", "setuptools"}
PINS = {
    canonicalize_name(name): version
    for name, version in re.findall(
        r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE
    )
}


def needed(lines: list[str]) -> set[str]:
    """Names that requirements name, and what those that are installed need in turn, on this Python."""
    found: set[str] = set()
    todo = [Requirement(line) for line in lines]
    while todo:
        one = todo.pop()
        name = canonicalize_name(one.name)
        if name in found:
            continue
        found.add(name)
        try:
            stated = [Requirement(line) for line in requires(name) or []]
        except PackageNotFoundError:
            continue
        extras = ["", *one.extras]
        todo += [r for r in stated if r.marker is None or any(r.marker.evaluate({"extra": e}) for e in extras)]
    return found - INSTALLERS


def test_all_that_a_clone_installs_is_pinned() -> None:
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    assert sorted(needed(wanted) - set(PINS)) == []


def test_nothing_is_pinned_that_no_extra_brings() -> None:
    extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    assert sorted(set(PINS) - needed([*PROJECT["dependencies"], *extras])) == []


def test_every_line_is_a_pin() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert len(PINS) == sum(bool(line.strip()) and not line.startswith("#") for line in text.splitlines())
    assert "torch" in PINS
