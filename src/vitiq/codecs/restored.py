"""Files and folders of JPEGs through a correction of their artefacts: `vitiq restore`.

Names, what is replaced and what is skipped are as in `files`.

Example:
    >>> from vitiq.codecs.restored import restore_file
    >>> restore_file(Path("photo.jpg"), Path("photo.png")).width  # doctest: +SKIP
    768
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vitiq.codecs.batch import PassedOver, Skipped, plan_restoring
from vitiq.codecs.files import DecodedFile, rebuild_file
from vitiq.codecs.folders import Failed, all_of, each_of
from vitiq.codecs.journal import Journal
from vitiq.image.limits import read_bounded
from vitiq.types import ImageU8
from vitiq.workers import jobs_on


@dataclass(frozen=True, slots=True)
class RestoredFile(DecodedFile):
    """A JPEG that was corrected; `codec` names the correction, `notes` say what was done to the image besides."""


def restore_file(
    source: Path,
    output: Path | None = None,
    *,
    project: bool = True,
    weights: str = "embedded",
    device: str = "cpu",
    overwrite: bool = False,
    journal: Journal | None = None,
) -> RestoredFile:
    """Correct a JPEG file into an image file.

    Args:
        source: JPEG.
        output: image to write (PNG, BMP, PPM or TIFF by its suffix); `source` with .png if not given.
        project: keep each coefficient within half a quantisation step of the file's.
        weights: "embedded", or the path of a weights file of `vitiq train deblock`.
        device: where the networks run.
        overwrite: replace an existing file.
        journal: where to note what the image was made from.

    Raises:
        InputError: the file cannot be read or is no JPEG, or the output exists or cannot be written.
        WeightsError: the weights cannot be read, or are others.
    """
    rebuild = partial(restore_image, project=project, weights=weights, device=device)
    return rebuild_file(
        source, output, rebuild, word="restored", read=read_bounded, overwrite=overwrite, journal=journal
    )


def restore_image(
    data: bytes, source: Path, target: Path, *, project: bool = True, weights: str = "embedded", device: str = "cpu"
) -> tuple[ImageU8, RestoredFile]:
    """The corrected image of the bytes of `source`, and what is to be said about it; writes nothing."""
    from vitiq.filters.deblock.filter import Deblock, restore_jpeg  # noqa: PLC0415 - loads torch

    Deblock(project=project, weights=weights, device=device).load()
    begun = time.perf_counter()
    image, notes = restore_jpeg(data, str(source), project=project, weights=weights, device=device)
    height, width, _ = image.shape
    seconds = time.perf_counter() - begun
    return image, RestoredFile(source, target, Deblock.name, width, height, seconds, tuple(notes))


def restore_files(
    sources: Sequence[Path],
    out: Path,
    *,
    project: bool = True,
    weights: str = "embedded",
    device: str = "cpu",
    overwrite: bool = False,
    jobs: int | None = None,
    planned: Callable[[int], object] | None = None,
) -> Generator[DecodedFile | Skipped | PassedOver | Failed]:
    """Correct JPEGs and folders of them into the folder `out`, in parallel; what is there already is skipped.

    Args:
        sources: JPEGs and folders, whose trees are kept; what is no JPEG in a folder is passed over.
        out: folder.
        project, weights, device, overwrite: as for one file.
        jobs: worker processes at most; None for one a core.
        planned: called once, with the number of files that are to be made.

    Raises:
        InputError: an `out` that is one of the inputs.
        StoreError: the disk is full.
    """
    from vitiq.filters.deblock.filter import Deblock  # noqa: PLC0415 - loads torch

    made_with = Deblock(project=project, weights=weights, device=device).identity()
    journal = Journal.of(out, {"restore": dict(made_with)})
    batch = plan_restoring(sources, journal, overwrite=overwrite)
    correct = partial(
        restore_file, project=project, weights=weights, device=device, overwrite=overwrite, journal=journal
    )
    work = partial(_restore_some, correct=correct, overwrite=overwrite, journal=journal)
    return all_of(batch, work, jobs_on(device, jobs), planned)


def _restore_some(
    items: Sequence[tuple[Path, Path]],
    *,
    correct: Callable[[Path, Path], RestoredFile],
    overwrite: bool,
    journal: Journal,
) -> list[RestoredFile | Skipped | Failed]:
    return each_of(items, correct, journal, overwrite=overwrite)
