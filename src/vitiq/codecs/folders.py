"""Folders of images through a codec, in parallel: what is missing is made, what is there is skipped or refused.

Folders keep their tree; names that differ only in suffix, in case or in Unicode form get files of their own.

Example:
    >>> from vitiq.codecs.folders import encode_files
    >>> for one in encode_files([Path("photos")], Path("coded"), codec="jpeg"):  # doctest: +SKIP
    ...     print(one)
    coded/a.jpg: 51234 bytes, 1.0424 bits per pixel, 0.01 s (jpeg, quality 50)
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar

from vitiq.codecs.base import Codec
from vitiq.codecs.batch import Batch, PassedOver, Skipped, plan_decoding, plan_encoding
from vitiq.codecs.files import DecodedFile, EncodedFile, decode_file, encode_file
from vitiq.codecs.identity import identity_of
from vitiq.codecs.journal import Journal
from vitiq.codecs.spec import RateSpec, make_codec
from vitiq.errors import InputError, StoreError, VitiqError, disk_is_full
from vitiq.registry import plugin_fault
from vitiq.workers import in_order, jobs_on

R = TypeVar("R")
Frozen = tuple[tuple[str, object], ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """A file of a folder that could not be worked on, and why, in one line."""

    source: Path
    problem: str


def encode_files(
    sources: Sequence[Path],
    out: Path,
    *,
    codec: str,
    options: Mapping[str, object] | None = None,
    rate: RateSpec | None = None,
    overwrite: bool = False,
    device: str = "cpu",
    jobs: int | None = None,
    planned: Callable[[int], object] | None = None,
) -> Generator[EncodedFile | Skipped | PassedOver | Failed]:
    """Compress files and folders of images into the folder `out`, in parallel.

    Files that the same codec, options and rate made from the same images are skipped. Other existing files are problems
    unless `overwrite`; where one was made with other settings, nothing is made, so that a folder is never a mixture.

    Args:
        sources: images and folders of images, whose trees are kept.
        out: folder.
        codec: as `make_codec` takes it.
        options, rate, overwrite: as for one file.
        device: for networks.
        jobs: worker processes at most; None for one a core.
        planned: called once, with the number of files that are to be made.

    Raises:
        InputError: unknown options, an illegal rate, an `out` that is one of the inputs, or one that holds files made
            with other settings.
        StoreError: the disk is full; what was made before stays, and the same call makes what is missing.
    """
    made = make_codec(codec, options, device)
    kept = rate or RateSpec("quality", made.default_quality)
    journal = Journal.of(out, {"codec": made.name, "identity": identity_of(made), "rate": [kept.kind, kept.value]})
    batch = plan_encoding(sources, journal, made.extension, overwrite=overwrite)
    work = partial(
        _encode_some,
        codec=codec,
        options=_frozen(options),
        device=device,
        rate=rate,
        overwrite=overwrite,
        journal=journal,
    )
    return all_of(batch, work, jobs_on(device, jobs), planned)


def decode_files(
    sources: Sequence[Path],
    out: Path,
    *,
    options: Mapping[str, object] | None = None,
    overwrite: bool = False,
    device: str = "cpu",
    jobs: int | None = None,
    planned: Callable[[int], object] | None = None,
) -> Generator[DecodedFile | Skipped | PassedOver | Failed]:
    """Decode files and folders of compressed files into the folder `out`; as `encode_files`."""
    journal = Journal.of(out, {"decode": dict(options or {})})
    batch = plan_decoding(sources, journal, overwrite=overwrite)
    work = partial(_decode_some, options=_frozen(options), device=device, overwrite=overwrite, journal=journal)
    return all_of(batch, work, jobs_on(device, jobs), planned)


def all_of(
    batch: Batch,
    work: Callable[[Sequence[tuple[Path, Path]]], Sequence[R | Failed]],
    jobs: int | None,
    planned: Callable[[int], object] | None,
) -> Generator[R | Skipped | PassedOver | Failed]:
    """What is to be said of a batch, then the work on it, in order and in parallel; arguments as for `encode_files`."""
    if planned is not None:
        planned(len(batch.todo))
    yield from batch.passed_over
    yield from batch.skipped
    yield from (Failed(*problem) for problem in batch.problems)
    yield from in_order(work, batch.todo, lost, jobs=jobs)


def _frozen(options: Mapping[str, object] | None) -> Frozen:
    return tuple((options or {}).items())


@lru_cache(maxsize=4)
def _codec(name: str, options: Frozen, device: str) -> Codec:
    """A codec of a worker process, made once."""
    return make_codec(name, dict(options), device)


def _encode_some(
    items: Sequence[tuple[Path, Path]],
    *,
    codec: str,
    options: Frozen,
    device: str,
    rate: RateSpec | None,
    overwrite: bool,
    journal: Journal,
) -> list[EncodedFile | Skipped | Failed]:
    def one(source: Path, target: Path) -> EncodedFile:
        made = _codec(codec, options, device)
        return encode_file(source, target, codec=made, rate=rate, overwrite=overwrite, journal=journal)

    return each_of(items, one, journal, overwrite=overwrite)


def _decode_some(
    items: Sequence[tuple[Path, Path]], *, options: Frozen, device: str, overwrite: bool, journal: Journal
) -> list[DecodedFile | Skipped | Failed]:
    one = partial(decode_file, options=dict(options), overwrite=overwrite, device=device, journal=journal)
    return each_of(items, one, journal, overwrite=overwrite)


def each_of(
    items: Sequence[tuple[Path, Path]], make: Callable[[Path, Path], R], journal: Journal, *, overwrite: bool
) -> list[R | Skipped | Failed]:
    """Each file made, or failed; or skipped, where another run of the same command has made it since the planning."""

    def there(source: Path, target: Path) -> bool:
        return not overwrite and journal.holds(target, source)

    def one(source: Path, target: Path) -> R | Skipped:
        try:
            if not there(source, target):
                return make(source, target)
        except InputError:  # of any kind; what is refused because it stands there by now is in the journal
            if not there(source, target):
                raise
        return Skipped(source, target, meanwhile=True)

    return [caught(source, partial(one, source, target)) for source, target in items]


def lost(item: tuple[Path, Path], said: str) -> Failed:
    """A file that ended its worker process, even alone."""
    return Failed(item[0], f"{item[0]}: {said}")


def caught(source: Path, work: Callable[[], R]) -> R | Failed:
    """What is wrong with one file, or a plug-in's fault, must not end the work on the others; a full disk does.

    Raises:
        StoreError: the disk is full; nothing more could be written.
    """
    try:
        return work()
    except VitiqError as error:
        said = str(error)
        if disk_is_full(error):
            raise StoreError(said) from error
    except MemoryError:
        said = "not enough memory for this image"
    except Exception as error:
        fault = plugin_fault(error)
        if fault is None:
            raise
        said = str(fault)
    return Failed(source, said if str(source) in said else f"{source}: {said}")
