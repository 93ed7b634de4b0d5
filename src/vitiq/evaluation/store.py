"""A folder of results: rows in Parquet parts, files under the key of their encode, studies of what was asked for.

    OUT/study.json                     which study is the last: of several at once, the one that began or ended last
    OUT/studies/<name>.json            images, series, metrics (`vitiq.evaluation.study`)
    OUT/store/v1/encodes|scores/…      rows (`vitiq.evaluation.parts`)
    OUT/bitstreams/ab/abcd….jpg        files; likewise reconstructions, originals, traces, previews and maps
    OUT/records.parquet, records.csv   the study that ended last as one wide table, for people

Rows and files belong to keys, not to studies: studies in one folder share what they have in common, and none replaces
what another made.
"""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from vitiq.errors import InputError
from vitiq.evaluation.parts import Parts, cannot_write
from vitiq.evaluation.record import Record
from vitiq.evaluation.rows import Kept, read_records, read_standing
from vitiq.evaluation.standing import Standing
from vitiq.evaluation.study import Study
from vitiq.files import write_changed, write_quickly
from vitiq.image.folders import RESULTS_MARK, holds_results
from vitiq.text import parse_json

WRITTEN = ("study.json", "records.parquet", "records.csv", "report.html", "report-single.html", "table.md", "table.tex")
"""Files at the top of a folder of results, which a further study replaces."""

KEY = re.compile(r"[0-9a-f]{64}")
"""A key of files: a sha256, of an encode or of an original's pixels."""

SUFFIXES = {"reconstructions": ".png", "originals": ".png", "traces": ".json", "maps": ".npz", "previews": ""}


class Store:
    """Results in a folder.

    Args:
        out: the folder; made by `begin`.
    """

    def __init__(self, out: Path) -> None:
        self.out = Path(out)
        self.parts = Parts(self.out / "store")

    # Files

    def path(self, kind: str, key: str, suffix: str | None = None) -> Path:
        """Where a file of a key lies: `kind` is bitstreams, reconstructions, originals, traces, maps or previews.

        Raises:
            InputError: keys and suffixes come from files of the folder, and this one would lead to another place.
        """
        name = key + (SUFFIXES[kind] if suffix is None else suffix)
        if not KEY.fullmatch(key) or Path(name).name != name:
            raise InputError(
                f"{self.out}: a result names its file {name!r}, a sha256 of 64 hexadecimal digits and a suffix "
                "expected; its rows or studies are damaged: get the folder again"
            )
        return self.out / kind / key[:2] / name

    def put(self, path: Path, data: bytes) -> None:
        """Write a file of a key atomically; it is on the disk for good before rows are that refer to it.

        Raises:
            StoreError: it cannot be written.
        """
        try:
            write_quickly(path, data)
        except OSError as error:
            raise cannot_write(path, error) from error

    def keep(self, path: Path, data: bytes) -> None:
        """Write a file that is no key's, unless it holds just this.

        Raises:
            StoreError: it cannot be written.
        """
        try:
            write_changed(path, data)
        except InputError as error:
            raise cannot_write(path, error.__cause__ or error) from error

    def original(self, record: Record) -> Path | None:
        """The original's pixels as PNG, where kept."""
        return _there(self.path("originals", record.image_sha256))

    def reconstruction(self, record: Record) -> Path | None:
        """The reconstruction as PNG, where kept."""
        return _there(self.path("reconstructions", record.key))

    def bitstream(self, record: Record) -> Path | None:
        """The compressed file, where kept."""
        return _there(self.path("bitstreams", record.key, str(record.details.get("extension", ""))))

    def trace(self, record: Record) -> Path | None:
        """Loss and previews of a search as JSON."""
        return _there(self.path("traces", record.key))

    def map(self, record: Record) -> Path | None:
        """The semantic error map and the attention (.npz)."""
        return _there(self.path("maps", record.key))

    # Studies

    def check_free(self) -> None:
        """Refuse a folder of somebody else's, before any work, where a study would replace files in it.

        Raises:
            InputError: it is no folder of results, and holds a file of a name that is written.
        """
        if holds_results(self.out) or self.study_names():  # a copy of results may lack the mark, which is hidden
            return
        taken = next((path for path in (self.out / name for name in WRITTEN) if os.path.lexists(path)), None)
        if taken is not None:
            raise InputError(
                f"{taken}: exists already, in a folder that holds no results of vitiq, and would be replaced; "
                f"give another folder with -o, such as {self.out / 'study'}"
            )

    def is_writable(self) -> bool:
        """Whether the folder takes files; one with finished studies need not."""
        return os.access(self.out, os.W_OK | os.X_OK)

    def begin(self, study: Study) -> None:
        """Make the folder, and note that this study is the last, unless it is there and the folder takes no files.

        Raises:
            StoreError: it cannot be written.
        """
        if not self.is_writable() and study.name in self.study_names():
            return
        self.keep(self.out / RESULTS_MARK, b"results of vitiq: never read as inputs\n")
        if not self._holds(study):
            self.save(study)
        self.note_last(study)

    def note_last(self, study: Study) -> None:
        """Have this study be the one that is shown where none is named: it begins, or ends.

        Raises:
            StoreError: it cannot be written.
        """
        if _read(self.out / "study.json").get("study") != study.name:
            self.keep(self.out / "study.json", _json({"study": study.name, "asked": time.time()}))

    def _holds(self, study: Study) -> bool:
        """Whether the folder has this study, be it with the sizes that this one still waits for."""
        try:
            kept = self.study(study.name)
        except InputError:
            return False
        pairs = zip(kept.series, study.series, strict=True)
        return (
            replace(kept, series=tuple(old if new.targets else replace(old, targets=new.targets) for old, new in pairs))
            == study
        )

    def save(self, study: Study) -> None:
        """Keep a study, or what became known of it."""
        self.keep(self._study_path(study.name), _json(study.to_json()))

    def _study_path(self, name: str) -> Path:
        return self.out / "studies" / f"{name}.json"

    def study_names(self) -> list[str]:
        """Names of the studies in the folder, the last one (`note_last`) at the end."""
        files = sorted(self.out.glob("studies/*.json"), key=lambda path: path.stat().st_mtime_ns)
        names = [path.stem for path in files if "." not in path.stem]
        last = _read(self.out / "study.json").get("study")
        return [*(name for name in names if name != last), *([last] if last in names else [])]

    def study(self, name: str | None = None) -> Study:
        """A study, the last one (`note_last`) if none is named.

        Raises:
            InputError: the folder holds none of that name.
        """
        names = self.study_names()
        if not names:
            old = (self.out / "run.json").exists()
            what = "a run of vitiq 0.1, which is made anew with `vitiq run`" if old else "no study"
            raise InputError(f"{self.out}: holds {what}; give the -o folder of a `vitiq run` or `vitiq bench`")
        chosen = name or names[-1]
        if chosen not in names:
            raise InputError(f"{self.out}: holds no study {chosen}; choose from {', '.join(names)}")
        document = _read(self._study_path(chosen))
        try:
            return Study.from_json(document)
        except ValueError as error:
            raise InputError(f"{self._study_path(chosen)}: damaged ({error}); run the study's command again") from error

    def write_json(self, path: Path, value: object) -> None:
        """Write JSON values."""
        self.put(path, _json(value))

    # Rows

    def records(self, study: Study | str | None = None, *, details: bool = True, kept: Kept = dict) -> list[Record]:
        """Records of a study in its order; those that failed are among them, those still to be done are not.

        Args:
            study: None for the last one.
            details: False leaves out the details of scores and encodes, for very many records, but for what tables
                need: what encodes were optimised against, and why a score is not finite.
            kept: what is kept of a score's details, taken as they are read.
        """
        chosen = study if isinstance(study, Study) else self.study(study)
        return read_records(self.parts, chosen, details=details, kept=kept)

    def standing(self, study: Study) -> Standing:
        """How far a study is, without reading its records."""
        return read_standing(self.parts, study)


def inside(path: Path, *folders: Path) -> Path:
    """The path, if it lies in one of the folders once links are followed.

    A folder of results may be somebody else's, whose names and links would have private files shown.

    Raises:
        InputError: it lies elsewhere.
    """
    real = path.resolve()
    if not any(real.is_relative_to(folder.resolve()) for folder in folders):
        raise InputError(
            f"{path}: leads to {real}, which lies outside the folder {folders[0]}, so it is not shown; "
            "move the file there, or remove what names it"
        )
    return path


def _there(path: Path) -> Path | None:
    return path if path.is_file() else None


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()


def _read(path: Path) -> dict[str, Any]:
    """JSON values of a file; {} where there is none that can be read."""
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
