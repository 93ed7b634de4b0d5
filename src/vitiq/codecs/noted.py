"""Notes of coding and decoding (what reading a format's file changed, …), gathered around what gives bytes or pixels.

A decoder may stand below filters or be called by a plug-in's own `decompress`; the notes pass by what is between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_gathered: ContextVar[list[str] | None] = ContextVar("notes of coding", default=None)


@contextmanager
def gathered() -> Iterator[list[str]]:
    """The notes of what is coded or decoded inside, each once.

    Example:
        >>> with gathered() as notes:
        ...     note(["first of 2 frames"])
        >>> notes
        ['first of 2 frames']
    """
    found: list[str] = []
    before = _gathered.set(found)
    try:
        yield found
    finally:
        _gathered.reset(before)


def note(notes: Iterable[str]) -> None:
    """Add notes to those gathered, if anyone gathers them."""
    found = _gathered.get()
    if found is not None:
        found += [one for one in dict.fromkeys(notes) if one not in found]
