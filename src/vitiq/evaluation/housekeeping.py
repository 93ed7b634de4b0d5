"""What a folder of results holds, and what of it nothing refers to any more."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vitiq.errors import InputError
from vitiq.evaluation.parts import connect
from vitiq.evaluation.rows import fetched
from vitiq.evaluation.store import Store

KEYED = ("bitstreams", "reconstructions", "traces", "maps", "previews")
"""Folders whose files are named by the key of an encode."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A study in a folder.

    Attributes:
        name: of the study.
        preset: what made it.
        images, series, tasks: their numbers.
        done, failed: tasks.
        last: whether it is the last one: that which a report shows.
    """

    name: str
    preset: str
    images: int
    series: int
    tasks: int
    done: int
    failed: int
    last: bool


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What `clean` did.

    Attributes:
        files, bytes: removed files and their bytes.
        half_made: removed files of writers that were killed.
        parts: that were merged.
        links: links to folders, behind which nothing was removed.
    """

    files: int
    bytes: int
    half_made: int
    parts: int
    links: tuple[str, ...] = ()


def list_studies(out: Path) -> list[Listed]:
    """Every study of a folder, the last one at the end.

    Raises:
        InputError: the folder holds none.
    """
    store = Store(out)
    names = store.study_names()
    if not names:
        store.study()
    found = []
    for name in names:
        study = store.study(name)
        stands = store.standing(study)
        counts = (len(study.images), len(study.series), stands.tasks, stands.done, stands.failed)
        found.append(Listed(name, study.preset, *counts, name == names[-1]))
    return found


def clean(out: Path, *, only_last: bool = False) -> Cleaned:
    """Remove what nothing refers to: half-made files, files without a row, and rows merged into one part a table.

    Not beside a study that runs in the same folder: its files have no row yet. Nothing outside the folder is removed:
    links to folders are not followed.

    Args:
        only_last: keep the last study alone; the others go, with all that is theirs only.

    Raises:
        InputError: the folder holds no study, or its rows or studies lie behind a link.
        StoreError: results cannot be written.
    """
    store = Store(out)
    study = store.study()
    _refuse_links(out)
    keys: set[str] | None = None
    if only_last:
        keys = {task.key for task in study.tasks()}
        for name in store.study_names()[:-1]:
            for path in (out / "studies").glob(f"{name}.*"):
                path.unlink()
    parts = store.parts.compact(keys)
    with connect() as connection:
        store.parts.view(connection, "encodes")
        good = "SELECT encode_key, image_sha256 FROM encodes WHERE error IS NULL"
        known = list(fetched(connection, good))
    encodes, originals = {key for key, _ in known}, {image for _, image in known}
    files, size = 0, 0
    links: list[str] = []
    for kind, wanted in (*((kind, encodes) for kind in KEYED), ("originals", originals)):
        for path in _files(out / kind, links):
            if path.name.split(".")[0] not in wanted:
                count, freed = _remove(path)
                files, size = files + count, size + freed
    half_made = 0
    for path in [*store.parts.half_made(), *_half_made(out)]:
        path.unlink(missing_ok=True)
        half_made += 1
    return Cleaned(files, size, half_made, parts, tuple(links))


def merge(out: Path) -> Cleaned:
    """Merge the parts of a store into one a table; may run beside studies.

    Raises:
        InputError: the folder holds no study, or its rows or studies lie behind a link.
        StoreError: results cannot be written.
    """
    store = Store(out)
    store.study()
    _refuse_links(out)
    return Cleaned(0, 0, 0, store.parts.compact())


def _refuse_links(out: Path) -> None:
    """Refuse to remove studies and rows that belong to another folder.

    Raises:
        InputError: a folder of theirs is a link.
    """
    below = [path for depth in ("v*", "v*/*", "v*/*/*") for path in (out / "store").glob(depth)]
    for path in (out / "studies", out / "store", *below):
        if path.is_symlink() and path.is_dir():
            raise InputError(
                f"{path}: a link to {path.resolve()}, a folder of these results expected; nothing was removed, as "
                "others may need what lies there: name the folder that holds it, or replace the link by a copy"
            )


def _files(folder: Path, links: list[str]) -> Iterator[Path]:
    """Files and folders named by keys, two levels down; links to folders on the way go to `links`, not followed."""
    if folder.is_symlink():
        links.append(str(folder))
        return
    for below in sorted(folder.glob("??")):
        if below.is_symlink():
            links.append(str(below))
        elif below.is_dir():
            yield from (path for path in sorted(below.iterdir()) if not path.name.startswith("."))


def _half_made(out: Path) -> Iterator[Path]:
    """Files of writers that were killed, beside those of the parts; `rglob` follows no link below the first folder."""
    for kind in (*KEYED, "originals", "studies"):
        if not (out / kind).is_symlink():
            yield from (path for path in (out / kind).rglob(".*") if path.is_file())
    yield from (path for pattern in (".part-*", ".vitiq-*") for path in out.glob(pattern))


def _remove(path: Path) -> tuple[int, int]:
    """Remove a file, a link or a folder, never what a link leads to; how many files went, and their bytes."""
    if path.is_symlink() or not path.is_dir():
        size = path.lstat().st_size
        path.unlink()
        return 1, size
    files = [file for file in path.rglob("*") if file.is_symlink() or file.is_file()]
    size = sum(file.lstat().st_size for file in files)
    shutil.rmtree(path)
    return len(files), size
