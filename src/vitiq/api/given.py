"""Paths, names and images that people hand in, checked before any work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from vitiq.bitstream.container import is_viq
from vitiq.errors import InputError, VitiqError
from vitiq.image.arrays import Taken, to_image, to_images
from vitiq.image.formats import HEAD_BYTES, detect
from vitiq.image.io import read_image_details
from vitiq.image.limits import read_bounded
from vitiq.types import ImageU8


def as_path(given: object, name: str) -> Path:
    """A path of a text or a path.

    Args:
        name: what it is called in messages.

    Raises:
        InputError: anything else.
    """
    if isinstance(given, str | os.PathLike) and isinstance(text := os.fspath(given), str):
        if not text:
            raise InputError(f"{name}: an empty path given")
        return Path(text)
    raise InputError(f"{name}: {type(given).__name__} given, a path expected")


def as_paths(given: object, name: str) -> tuple[Path, ...]:
    """Paths of one or of a list of them; raises as `as_path`."""
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        return tuple(as_path(one, name) for one in given)
    return (as_path(given, name),)


def texts_of(given: object, name: str, expected: str = "names with commas or a list of names") -> list[str]:
    """Texts of one or of a list of them.

    Args:
        name: what they are called in messages.
        expected: what messages ask for.

    Raises:
        InputError: anything else.
    """
    if isinstance(given, str):
        return [given]
    if isinstance(given, list | tuple) and all(isinstance(text, str) for text in given):
        return list(given)
    several = given if isinstance(given, list | tuple) else [given]
    if objects := [one for one in several if hasattr(one, "signature") or hasattr(one, "compress")]:
        if isinstance(key := getattr(objects[0], "key", None), str):  # what vitiq.metric gave
            raise InputError(f"{name}: {objects[0]!r} itself given, {expected} expected; {key!r} names it")
        raise InputError(
            f"{name}: {type(objects[0]).__name__} itself given, {expected} expected: worker processes find it by its "
            "name; register it by an entry point (docs/howto/codecs-of-your-own.md, A package of your own)"
        )
    kind = type(given).__name__
    if isinstance(given, list | tuple):
        kind = f"a {kind} of {', '.join(sorted({type(one).__name__ for one in given}))}"
    raise InputError(f"{name}: {kind} given, {expected} expected")


def check_no_class(given: object, kind: type, name: str) -> None:
    """Refuse a class where one of its objects is meant.

    Args:
        kind: base class of what is expected.
        name: what it is called in messages.

    Raises:
        InputError: a subclass of `kind`.
    """
    if isinstance(given, type) and issubclass(given, kind):
        raise InputError(
            f"{name}: the class {given.__name__} given, an object of it expected; write {given.__name__}()"
        )


def images_of(given: object, name: str) -> Taken:
    """Images to score: as `to_images`, where a path may be that of a compressed file of any codec.

    Raises:
        InputError: none of the forms, no image, or a file that cannot be read.
    """
    return to_images(given, name, _read)


def _read(path: Path) -> tuple[ImageU8, Sequence[str]]:
    from vitiq.evaluation.inputs import read_noted  # noqa: PLC0415 - codecs

    return read_noted(path)


def image_of(given: object) -> tuple[ImageU8, list[str]]:
    """One image to load or to compress, as `to_image`; of a compressed file it is said who decodes it.

    Raises:
        InputError: none of the forms, several images, or a file that is no image.
    """
    return to_image(given, read=_read_image)


def _read_image(path: Path) -> tuple[ImageU8, Sequence[str]]:
    try:
        return read_image_details(path)
    except InputError as error:
        codec = _coded(path)
        if codec is None:
            raise
        raise InputError(
            f"{path}: a compressed file of the codec {codec} given, an image expected; vitiq.decode({str(path)!r}) "
            "gives the image in it"
        ) from error


def _coded(path: Path) -> str | None:
    """The codec of a file that is in no format of images; None for other files.

    Raises:
        InputError: a .viq file that is damaged, or whose codec is not known.
    """
    from vitiq.codecs.detect import codec_of  # noqa: PLC0415 - codecs

    try:
        data = read_bounded(path)
    except InputError:
        return None
    try:
        return None if detect(data[:HEAD_BYTES]) else codec_of(data)
    except VitiqError as error:
        if is_viq(data):
            raise InputError(f"{path}: {error}") from error
        return None
