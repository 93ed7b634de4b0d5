"""What made each file of a folder, so that the same command makes only what is missing and another one is refused.

    OUT/.vitiq-made    a line of JSON for each file: its name, its sha256, what it was made from and with, and what is
                       wrong with it

A line is written before its file: a process killed between the two leaves a line without its file, or with the older
file, whose sha256 differs. Several processes append to one journal at once; a line is one write(2).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from vitiq.errors import InputError, unwritable
from vitiq.files import identity_of
from vitiq.image.folders import MADE_MARK
from vitiq.text import parse_json


class State(Enum):
    """How an existing file stands to what a command would make."""

    SAME = "made by the same command"
    OTHER_SETTINGS = "made with other settings"
    CHANGED = "its input has changed since"
    FOREIGN = "not made by vitiq, or changed since"


@dataclass(frozen=True, slots=True)
class Journal:
    """The journal of a folder, for one command.

    Attributes:
        out: the folder.
        settings: sha256 of everything but the input that decides what the command makes.
    """

    out: Path
    settings: str

    @classmethod
    def of(cls, out: Path, settings: Mapping[str, object]) -> Journal:
        """The journal of a folder for a command of these settings, which are JSON values."""
        text = json.dumps(settings, sort_keys=True, default=str)
        return cls(out, hashlib.sha256(text.encode()).hexdigest())

    @property
    def path(self) -> Path:
        """The file that it is in."""
        return self.out / MADE_MARK

    def note(self, target: Path, source: bytes, made: bytes, problem: str | None = None) -> None:
        """Say that `made` is about to become the file `target`, made from `source`, and what is wrong with it.

        Raises:
            InputError: the journal cannot be written.
        """
        # The line break before it ends what a full disk has cut of the line before.
        entry = {"file": self._name(target), "made": _digest(made), "from": _digest(source), "with": self.settings}
        if problem is not None:
            entry["problem"] = problem
        path = self.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                line = f"\n{json.dumps(entry)}\n".encode()
                if os.write(descriptor, line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise InputError(unwritable(path, error)) from error

    def lines(self) -> dict[str, list[dict[str, str]]]:
        """The lines of each file, the newest last; broken ones are left out."""
        found: dict[str, list[dict[str, str]]] = {}
        try:
            text = self.path.read_bytes().decode("utf-8", "replace")
        except OSError:
            return {}
        for line in text.split("\n"):
            try:
                entry = parse_json(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and all(
                isinstance(entry.get(key), str) for key in ("file", "made", "from", "with")
            ):
                found.setdefault(entry["file"], []).append(entry)
        return found

    def made_names(self) -> set[str]:
        """Names of files that a command has made or begun here, below the folder, in Unicode form NFC."""
        return set(self.lines())

    def state(self, target: Path, source: Path, lines: Mapping[str, list[dict[str, str]]]) -> State:
        """How the existing file `target` stands to what would be made from `source`."""
        known = lines.get(self._name(target), [])
        there = _digest_of(target) if known else ""
        made = [entry for entry in known if entry["made"] == there]
        if not made:
            return State.FOREIGN
        if all(entry["with"] != self.settings for entry in made):
            return State.OTHER_SETTINGS
        wanted = _digest_of(source)
        same = any(entry["with"] == self.settings and entry["from"] == wanted for entry in made)
        return State.SAME if same else State.CHANGED

    def made_from(self, target: Path, source: Path, lines: Mapping[str, list[dict[str, str]]]) -> bool:
        """Whether the existing file `target` was made from `source`, whatever the settings."""
        known = lines.get(self._name(target), [])
        found = {(entry["made"], entry["from"]) for entry in known}
        return bool(found) and (_digest_of(target), _digest_of(source)) in found

    def problem_of(self, target: Path, lines: Mapping[str, list[dict[str, str]]]) -> str | None:
        """What was wrong with the file that this command made last under this name."""
        own = [entry for entry in lines.get(self._name(target), []) if entry["with"] == self.settings]
        problem = own[-1].get("problem") if own else None
        return problem if isinstance(problem, str) else None

    def holds(self, target: Path, source: Path) -> bool:
        """Whether `target` is there as this command makes it from `source`.

        Of a file that was planned, this is so where another run of the command has made it since, or where the worker
        that made it was killed before it could say so.
        """
        return identity_of(target) is not None and self.state(target, source, self.lines()) is State.SAME

    def _name(self, target: Path) -> str:
        return unicodedata.normalize("NFC", target.relative_to(self.out).as_posix())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _digest_of(path: Path) -> str:
    """Sha256 of a file; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
