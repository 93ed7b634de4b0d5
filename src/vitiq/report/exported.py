"""Files of a folder that exports are written to: what an earlier export left is replaced or removed, nothing else.

The folder's journal (`vitiq.codecs.journal`) holds the sha256 of each file that was written, and of what study.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vitiq.codecs.journal import Journal
from vitiq.errors import InputError, unwritable
from vitiq.files import write_changed
from vitiq.text import plural

Entries = Mapping[str, list[dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote.

    Attributes:
        files: written, in order.
        removed: files of earlier exports that no longer fit the study.
    """

    files: list[Path]
    removed: list[Path]

    @property
    def note(self) -> str | None:
        """One line about what was removed; None for nothing."""
        if not self.removed:
            return None
        named = ", ".join(path.name for path in self.removed[:5]) + (", …" if len(self.removed) > 5 else "")
        what = plural(len(self.removed), "file")
        return f"{self.removed[0].parent}: {what} of earlier exports removed that no longer fit the study ({named})"


def write_export(folder: Path, kind: str, state: bytes, made: Mapping[str, bytes]) -> Exported:
    """Write the files of an export, and remove what earlier ones wrote of another state of the study, or of this kind.

    Args:
        folder: of exports.
        kind: of this export.
        state: says what the study is: other bytes, another study.
        made: name and content of each file.

    Raises:
        InputError: a file stands there that vitiq did not write, or that was changed since; or one cannot be written.
    """
    journal = Journal.of(folder, {"report": kind})
    known = journal.lines()
    for name, data in made.items():
        there = _digest_of(folder / name)
        if there is not None and there != _sha(data) and _entry(known, name, there) is None:
            raise InputError(
                f"{folder / name}: exists already and is not as `vitiq report` wrote it; rename it, or remove it"
            )
    now = _sha(state)
    for name, data in made.items():
        last = known.get(name, [{}])[-1]
        if (last.get("made"), last.get("from"), last.get("with")) != (_sha(data), now, journal.settings):
            journal.note(folder / name, state, data)
        write_changed(folder / name, data)
    removed = []
    for name in sorted(known.keys() - made.keys()):
        path = folder / name
        entry = _entry(known, name, _digest_of(path))
        if entry is not None and (entry["from"] != now or entry["with"] == journal.settings):
            try:
                path.unlink()
            except OSError as error:
                raise InputError(unwritable(path, error)) from error
            removed.append(path)
    return Exported([folder / name for name in made], removed)


def _entry(known: Entries, name: str, digest: str | None) -> dict[str, str] | None:
    """The last line about a file of this content."""
    return next((entry for entry in reversed(known.get(name, [])) if entry["made"] == digest), None)


def _digest_of(path: Path) -> str | None:
    """Sha256 of a regular file; None where there is none."""
    try:
        return _sha(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(unwritable(path, error)) from error


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
