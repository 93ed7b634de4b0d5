"""Images of a study: found, read once, named so that no two of them can be taken for each other."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitiq.bitstream.container import is_viq
from vitiq.errors import InputError, VitiqError
from vitiq.evaluation.study import StudyImage, readable
from vitiq.files import same_file
from vitiq.image.folders import holds_results, is_folder, unique_names
from vitiq.image.io import decode_image, find_images, read_image_details
from vitiq.image.limits import read_bounded
from vitiq.types import ImageU8

log = logging.getLogger("vitiq")
log.addHandler(logging.NullHandler())
"""Says once what was passed over; the program shows it on standard error."""


@dataclass(frozen=True, slots=True)
class Found:
    """Files of images with names that are unique, and one line for each thing that is no image."""

    files: list[tuple[Path, str]]
    problems: list[str]


def find_inputs(paths: Sequence[Path], out: Path | None = None, others: Sequence[Path] = ()) -> Found:
    """Images of files and folders, without what a folder of results holds.

    Args:
        others: folders whose images are reconstructions made elsewhere, and no inputs either.
        out: folder that results go to; what lies in it is no input, nor what lies in any other folder of results
            below the inputs. A file that is named outright always is one.

    Raises:
        InputError: `out` is one of the folders of images, or holds a file that is named and no results yet: as a folder
            of results it would hide the images in it from then on.
    """

    def is_out(folder: Path) -> bool:
        try:
            return out is not None and out.exists() and folder.samefile(out)
        except OSError:  # where nothing can be looked at, no results can be written either
            return False

    def would_hide(path: Path) -> bool:
        return is_out(path) if is_folder(path) else not taken and is_out(path.parent)

    taken = out is not None and holds_results(out)
    if out is not None and any(map(would_hide, map(Path, paths))):
        raise InputError(
            f"{out}: is a folder of images too; give another folder for the results, such as {out / 'study'}"
        )
    found = find_images(paths, leave_out=lambda folder: is_out(folder) or any(same_file(folder, one) for one in others))
    for line in found.skipped:
        log.warning("%s", line)
    names = unique_names([readable(image.name) for image in found.images])
    return Found([(image.path, name) for image, name in zip(found.images, names, strict=True)], list(found.problems))


def read_input(file: tuple[Path, str]) -> StudyImage | str:
    """An image of a study, or why it cannot be one."""
    path, name = file
    try:
        pixels, notes = read_image_details(path)
        size = path.stat().st_size
    except (VitiqError, OSError) as error:
        return str(error)
    height, width, _ = pixels.shape
    return StudyImage(name, str(path.absolute()), pixels_digest(pixels), width, height, size, tuple(notes))


def read_inputs(files: Sequence[tuple[Path, str]]) -> list[StudyImage | str]:
    """`read_input` of several files, for a worker."""
    return [read_input(file) for file in files]


def pixels_digest(pixels: ImageU8) -> str:
    """Sha256 of an image's size and pixels."""
    digest = hashlib.sha256(f"{pixels.shape[1]}x{pixels.shape[0]}\n".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def read_any(path: Path) -> ImageU8:
    """The image of `read_noted`."""
    return read_noted(path)[0]


def read_noted(path: Path) -> tuple[ImageU8, tuple[str, ...]]:
    """An image file, or a file of any registered codec, decoded; and notes of what reading it changed.

    Raises:
        InputError: it is neither, or cannot be read.
    """
    return decode_noted(read_bounded(path), str(path))  # read once: a pipe has it once


def decode_noted(data: bytes, name: str) -> tuple[ImageU8, tuple[str, ...]]:
    """`read_noted` of the bytes of a file.

    Args:
        name: of the file, for messages.

    Raises:
        InputError: as `read_noted`.
    """
    try:
        image, notes = decode_image(data, name)
    except InputError as error:
        from vitiq.codecs.detect import codec_of  # noqa: PLC0415 - only where no image was found
        from vitiq.codecs.spec import make_codec  # noqa: PLC0415

        try:
            codec = make_codec(codec_of(data, name))
        except VitiqError as why:
            if is_viq(data):  # of which the codec has more to say than the readers of images
                raise InputError(f"{name}: {why}") from why
            raise error from None
        try:
            return codec.decode_noted(data)
        except VitiqError as broken:
            raise InputError(f"{name}: {broken}") from broken
    return image, tuple(notes)
