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
from vitiq.codecs.batch import PassedOver, Skipped, plan_decoding, plan_encoding
from vitiq.codecs.files import DecodedFile, EncodedFile, decode_file, encode_file
from vitiq.codecs.journal import Journal
from vitiq.codecs.spec import RateSpec, make_codec
from vitiq.errors import VitiqError
from vitiq.registry import plugin_fault
from vitiq.workers import in_order

R = TypeVar("R")


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
        jobs: worker processes at most; None for one a core.
        planned: called once, with the number of files that are to be made.

    Raises:
        InputError: unknown options, an illegal rate, an `out` that is one of the inputs, or one that holds files made
            with other settings.
    """
    made = make_codec(codec, options)
    kept = rate or RateSpec("quality", made.default_quality)
    journal = Journal.of(out, {"codec": made.name, "identity": dict(made.identity()), "rate": [kept.kind, kept.value]})
    batch = plan_encoding(sources, journal, made.extension, overwrite=overwrite)
    work = partial(_encode_one, codec=codec, options=_frozen(options), rate=rate, overwrite=overwrite, journal=journal)
    if planned is not None:
        planned(len(batch.todo))
    yield from batch.passed_over
    yield from batch.skipped
    yield from (Failed(*problem) for problem in batch.problems)
    yield from in_order(work, batch.todo, jobs=jobs)


def decode_files(
    sources: Sequence[Path],
    out: Path,
    *,
    options: Mapping[str, object] | None = None,
    overwrite: bool = False,
    jobs: int | None = None,
    planned: Callable[[int], object] | None = None,
) -> Generator[DecodedFile | Skipped | PassedOver | Failed]:
    """Decode files and folders of compressed files into the folder `out`; as `encode_files`."""
    journal = Journal.of(out, {"decode": dict(options or {})})
    batch = plan_decoding(sources, journal, overwrite=overwrite)
    work = partial(_decode_one, options=_frozen(options), overwrite=overwrite, journal=journal)
    if planned is not None:
        planned(len(batch.todo))
    yield from batch.passed_over
    yield from batch.skipped
    yield from (Failed(*problem) for problem in batch.problems)
    yield from in_order(work, batch.todo, jobs=jobs)


def _frozen(options: Mapping[str, object] | None) -> tuple[tuple[str, object], ...]:
    return tuple((options or {}).items())


@lru_cache(maxsize=4)
def _codec(name: str, options: tuple[tuple[str, object], ...]) -> Codec:
    """A codec of a worker process, made once."""
    return make_codec(name, dict(options))


def _encode_one(
    item: tuple[Path, Path],
    *,
    codec: str,
    options: tuple[tuple[str, object], ...],
    rate: RateSpec | None,
    overwrite: bool,
    journal: Journal,
) -> EncodedFile | Failed:
    source, target = item
    return _caught(
        source,
        lambda: encode_file(
            source, target, codec=_codec(codec, options), rate=rate, overwrite=overwrite, journal=journal
        ),
    )


def _decode_one(
    item: tuple[Path, Path], *, options: tuple[tuple[str, object], ...], overwrite: bool, journal: Journal
) -> DecodedFile | Failed:
    source, target = item
    return _caught(
        source, lambda: decode_file(source, target, options=dict(options), overwrite=overwrite, journal=journal)
    )


def _caught(source: Path, work: Callable[[], R]) -> R | Failed:
    """What is wrong with one file must not end the work on the others; a full disk or a plug-in's fault is said."""
    try:
        return work()
    except VitiqError as error:
        said = str(error)
    except MemoryError:
        said = "not enough memory for this image"
    except Exception as error:
        fault = plugin_fault(error)
        if fault is None:
            raise
        said = str(fault)
    return Failed(source, said if str(source) in said else f"{source}: {said}")
