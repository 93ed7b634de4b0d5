"""`decode` and `restore` of one file, either end of which may be a stream."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from vitiq.cli.streams import STDIO, read_stdin, write_stdout

if TYPE_CHECKING:
    from vitiq.codecs.files import DecodedFile
    from vitiq.types import ImageU8

D = TypeVar("D", bound="DecodedFile")


def rebuild_one(
    source: Path,
    output: Path | None,
    rebuild: Callable[[bytes, Path, Path], tuple[ImageU8, D]],
    *,
    word: str,
    read: Callable[[Path], bytes],
    force: bool,
    as_json: bool,
) -> tuple[ImageU8, D]:
    """One file, which may come from standard input, to one image, which may be standard output.

    Args:
        source, output: files, or `-`; the input's name with .png if there is no output.
        rebuild: the image, and what is to be said about it, from the file's bytes, its name and the output's.
        word: stands in the image's name where that would be the input's.
        read: the bytes of a file.
        force: replace an existing file.
        as_json: standard output is taken already.

    Raises:
        UsageError: JSON and the image would both go to standard output.
        InputError: the file cannot be read, or the image not be written.
    """
    from vitiq.codecs.batch import default_output  # noqa: PLC0415 - slow to import, as the following
    from vitiq.codecs.files import image_bytes, image_format  # noqa: PLC0415
    from vitiq.files import check_output, write_bytes  # noqa: PLC0415

    target = output or (STDIO if source == STDIO else default_output(source, ".png", word))
    if target == STDIO and as_json:
        raise click.UsageError("--json and -o - both write to standard output; give a file with -o")
    form = image_format(target)
    if target != STDIO:
        check_output(target, [] if source == STDIO else [source], overwrite=force)
    named = Path("standard input") if source == STDIO else source
    image, done = rebuild(read_stdin() if source == STDIO else read(source), named, target)
    data = image_bytes(image, form)
    if target == STDIO:
        write_stdout(data)
    else:
        write_bytes(target, data, overwrite=force, source=named)
    return image, done
