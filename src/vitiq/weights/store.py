"""Weights files: those that ship with vitiq, and those that can be fetched, each pinned by sha256.

A compressed file names the weights that it was made with by the first digits of their sha256, and `resolve` finds them:
among those that ship, in the cache, in the folders of $VITIQ_WEIGHTS_PATH, or it says how to fetch them. The manifest
lists every set that a release has shipped, so that what one release wrote every later one decodes.

Nothing is downloaded unless asked (`vitiq models fetch`). Every loader also takes a path, for machines with no network.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from tempfile import gettempdir
from typing import IO

from vitiq.errors import InputError, UnknownNameError, WeightsError, first_line
from vitiq.files import open_output
from vitiq.weights.kept import kept

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One weights file that vitiq knows.

    Attributes:
        name: for `vitiq models fetch`.
        purpose: what it is used for.
        file: file name.
        bytes: size; None where it is not known.
        sha256: hash, or the published first digits of it; None where none is known.
        url: where it is fetched from; None for embedded files.
        licence: of the weights.
        requires: further entries that it is of no use without; fetched along.
        related: sha256 of networks it was taught by, and of their kin: none of them scores it independently.
        release: first release that shipped it; None for weights of others.
    """

    name: str
    purpose: str
    file: str
    bytes: int | None
    sha256: str | None
    url: str | None
    licence: str
    requires: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    release: str | None = None

    @property
    def embedded(self) -> bool:
        """True if it ships with vitiq."""
        return self.url is None

    @property
    def path(self) -> Path:
        """Where it lies, or would lie once fetched."""
        return (FOLDER if self.embedded else cache_folder()) / self.file


def cache_folder() -> Path:
    """$VITIQ_CACHE, else ~/.cache/vitiq; without a home folder, one of the user in the folder of temporary files."""
    given = os.environ.get("VITIQ_CACHE")
    if given:
        return Path(given)
    try:
        return Path.home() / ".cache" / "vitiq"
    except RuntimeError:  # no $HOME, and a user that the system does not list, as in a container
        return Path(gettempdir()) / f"vitiq-{os.getuid()}"


def sha256_file(path: Path) -> str:
    """Hash of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=1)
def list_models() -> tuple[ModelInfo, ...]:
    """Every known weights file, embedded ones first."""
    entries = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
    lists = ("requires", "related")
    return tuple(ModelInfo(**{**entry, **{key: tuple(entry.get(key, ())) for key in lists}}) for entry in entries)


def model_info(name: str) -> ModelInfo:
    """One entry.

    Raises:
        UnknownNameError: no such model.
    """
    for info in list_models():
        if info.name == name:
            return info
    raise UnknownNameError(f"unknown model {name!r}: choose from {', '.join(i.name for i in list_models())}")


def named_file(name: str) -> Path | None:
    """The file of an entry; None for a name that is none.

    Raises:
        WeightsError: it is not fetched yet.
    """
    info = next((info for info in list_models() if info.name == name), None)
    if info is not None and not info.path.is_file():
        raise WeightsError(
            f"{name}: its weights are not on this machine yet; get them with `vitiq models fetch {name}`"
        )
    return None if info is None else info.path


def embedded_path(file: str) -> Path:
    """Path of a weights file that ships with vitiq.

    Raises:
        WeightsError: it is not there.
    """
    path = FOLDER / file
    if not path.is_file():
        raise WeightsError(f"{path}: an embedded weights file is missing; reinstall vitiq")
    return path


DIGITS = 8
"""Hexadecimal digits of a hash that name a weights file, at least."""

SEARCH_PATH = "VITIQ_WEIGHTS_PATH"
"""Environment variable: folders with weights files, separated as PATH is."""


def resolve(sha256: str) -> Path:
    """The weights file of a hash: one that ships, one in the cache, or one in a folder of $VITIQ_WEIGHTS_PATH.

    Args:
        sha256: the hash in hexadecimal, or its first digits, 8 or more.

    Raises:
        InputError: no such digits.
        WeightsError: no such file here; the message says how to get it.
    """
    wanted = sha256.lower()
    if not re.fullmatch(rf"[0-9a-f]{{{DIGITS},64}}", wanted):
        raise InputError(f"hash {sha256!r} given, {DIGITS} to 64 hexadecimal digits of a sha256 expected")
    known = [info for info in list_models() if info.sha256 and _agree(info.sha256, wanted)]
    for path in (*(info.path for info in known), *_files_at_hand()):
        if path.is_file() and _hash_of(path).startswith(wanted):
            return path
    if known:
        how = f"they are {known[0].name}: run `vitiq models fetch {known[0].name}`"
    else:
        how = f"no release shipped them: put the file into a folder and name the folder in ${SEARCH_PATH}"
    raise WeightsError(f"weights with sha256 {wanted} are not found; {how}")


def _agree(one: str, other: str) -> bool:
    """True where one hash begins with the other; published ones are often cut short."""
    return one.startswith(other) or other.startswith(one)


def _files_at_hand() -> Iterator[Path]:
    """Files of the folders that a user names, then of the cache."""
    named = [Path(folder) for folder in os.environ.get(SEARCH_PATH, "").split(os.pathsep) if folder]
    for folder in (*named, cache_folder()):
        if folder.is_dir():
            yield from sorted(path for path in folder.rglob("*") if _may_hold_weights(path) and path.is_file())


def _may_hold_weights(path: Path) -> bool:
    """By its name; published checkpoints often have none of the usual endings, or none at all."""
    return path.name.endswith(SUFFIXES) or not path.suffix


SUFFIXES = (".safetensors", ".pth", ".pth.tar", ".pt", ".bin", ".npz", ".ckpt")


_hash_of = kept(256)(sha256_file)
"""The hash of a file, computed once as long as it does not change."""


def fetch(name: str, *, sha256: str | None = None, source: Path | None = None) -> Path:
    """Download a model into the cache folder, checked against its pinned hash; returns its path.

    Args:
        sha256: hash to trust where the manifest pins none.
        source: a file that was downloaded elsewhere, taken instead of the network; what it requires lies beside it.

    Raises:
        UnknownNameError: no such model.
        WeightsError: no network, no such file, a wrong hash, or no hash to check against.
    """
    info = model_info(name)
    if info.url is None:
        return embedded_path(info.file)
    for other, beside in _required(info, source):
        fetch(other, source=beside)
    expected = info.sha256 or sha256
    path = info.path
    if _is_here(info, expected):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open_output(path) as file, _open(info.url, source) as response:
            found = _copy(response, file)
            if expected is None:
                raise WeightsError(
                    f"{name}: no published sha256 is known; the file fetched has {found}: if that is what you expect, "
                    f"run again with --sha256 {found}"
                )
            if not found.startswith(expected):
                raise WeightsError(f"{name}: the file fetched has sha256 {found}, {expected} expected; it was not kept")
    except (urllib.error.URLError, HTTPException, OSError) as error:
        if source is not None:
            said = (isinstance(error, OSError) and error.strerror) or first_line(error)  # else it names the file again
            raise WeightsError(f"{source}: cannot be copied to {path} ({said}); check the path") from error
        raise WeightsError(
            f"{name}: cannot be fetched ({error}); on a machine with a network download {info.url}, copy it here and "
            f"take it with `vitiq models fetch {name} --from PATH`"
        ) from error
    return path


def _is_here(info: ModelInfo, expected: str | None) -> bool:
    """Whether a weights file is in the cache, with the hash that is expected."""
    return info.path.is_file() and expected is not None and sha256_file(info.path).startswith(expected)


def _required(info: ModelInfo, source: Path | None) -> list[tuple[str, Path | None]]:
    """What a weights file is of no use without and is not here yet, each with its file beside `source`.

    Raises:
        WeightsError: `source` is a folder or is not there, or what is required is not beside it.
    """
    others = [own for own in map(model_info, info.requires) if not _is_here(own, own.sha256)]
    if source is None or (not others and _is_here(info, info.sha256)):
        return [(own.name, None) for own in others]
    wanted = f"expected the file {Path(info.file).name} of {info.name}"
    if source.is_dir():
        raise WeightsError(f"{source}: is a folder; {wanted}, by its whole path")
    if not source.exists():
        raise WeightsError(f"{source}: no such file; {wanted}, check the path")
    files: list[tuple[str, Path | None]] = []
    for own in others:
        beside = source.with_name(Path(own.file).name)
        if not beside.exists():
            raise WeightsError(
                f"{source}: {info.name} needs {beside.name} ({own.url}) in the same folder, and it is not there; "
                f"copy it there, or take it first with `vitiq models fetch {own.name} --from PATH`"
            )
        files.append((own.name, beside))
    return files


def _copy(source: IO[bytes], target: IO[bytes]) -> str:
    """Copy a file; its sha256."""
    digest = hashlib.sha256()
    while block := source.read(1 << 20):
        digest.update(block)
        target.write(block)
    return digest.hexdigest()


def _open(url: str, source: Path | None) -> IO[bytes]:
    opened: IO[bytes] = urllib.request.urlopen(url, timeout=60) if source is None else source.open("rb")
    return opened
