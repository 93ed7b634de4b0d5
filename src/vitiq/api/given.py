"""Paths and names that people hand in, checked before any work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from vitiq.errors import InputError


def as_path(given: object, name: str) -> Path:
    """A path of a text or a path.

    Args:
        name: what it is called in messages.

    Raises:
        InputError: anything else.
    """
    if isinstance(given, str | os.PathLike) and isinstance(text := os.fspath(given), str):
        if not text:
            raise InputError(f"{name}: an empty path given")
        return Path(text)
    raise InputError(f"{name}: {type(given).__name__} given, a path expected")


def as_paths(given: object, name: str) -> tuple[Path, ...]:
    """Paths of one or of a list of them; raises as `as_path`."""
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        return tuple(as_path(one, name) for one in given)
    return (as_path(given, name),)


def texts_of(given: object, name: str, expected: str = "names with commas or a list of names") -> list[str]:
    """Texts of one or of a list of them.

    Args:
        name: what they are called in messages.
        expected: what messages ask for.

    Raises:
        InputError: anything else.
    """
    if isinstance(given, str):
        return [given]
    if isinstance(given, list | tuple) and all(isinstance(text, str) for text in given):
        return list(given)
    kind = type(given).__name__
    if isinstance(given, list | tuple):
        kind = f"a {kind} of {', '.join(sorted({type(one).__name__ for one in given}))}"
    raise InputError(f"{name}: {kind} given, {expected} expected")
