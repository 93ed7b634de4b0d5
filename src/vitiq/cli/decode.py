"""`vitiq decode`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vitiq.cli.common import read_bytes

if TYPE_CHECKING:
    from vitiq.types import ImageU8


@click.command("decode")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="PNG to write; FILE with the suffix .png.")
@click.option("--generator", help="Generator weights, where the file was made with others than the embedded ones.")
@click.option(
    "--verify", is_flag=True, help="Decode again under other threads and instructions, and say what was equal."
)
def command(file: Path, output: Path | None, generator: str | None, verify: bool) -> None:
    """Rebuild the image from FILE, whatever codec wrote it.

    With --verify it is decoded in further processes, with one and two threads, with older vector instructions and
    without oneDNN; the exit code is 1 where a pixel differs by more than one level.
    """
    from vitiq.codecs.detect import codec_of  # noqa: PLC0415
    from vitiq.codecs.spec import make_codec  # noqa: PLC0415
    from vitiq.errors import BitstreamError  # noqa: PLC0415
    from vitiq.image.io import write_png  # noqa: PLC0415

    data = read_bytes(file)
    try:
        codec = make_codec(codec_of(data), {} if generator is None else {"generator": generator})
        image = codec.decode(data)
    except BitstreamError as error:
        raise BitstreamError(f"{file}: {error}") from error
    target = output or file.with_suffix(".png")
    write_png(target, image)
    height, width, _ = image.shape
    click.echo(f"{target}: {width}×{height} pixels")
    if verify:
        tell_differences(file, image, generator, checksum=codec.extension == ".viq")


def tell_differences(file: Path, image: ImageU8, generator: str | None, *, checksum: bool) -> None:
    """A line a setting that the file was decoded under; exit code 1 where one differs too much."""
    from vitiq.cli.verify import ALLOWED, differences  # noqa: PLC0415

    held = "symbols match the file's checksum" if checksum else "no symbol checksum in this format"
    click.echo(f"verify: {held}")
    largest = 0
    for setting, difference in differences(file, image, generator):
        largest = max(largest, difference)
        equal = "pixels identical" if difference == 0 else f"pixels differ by up to {difference} of 255"
        click.echo(f"verify: {setting.name}: {equal}")
    if largest > ALLOWED:
        click.echo(f"vitiq: {file}: pixels differ by up to {largest}, at most {ALLOWED} expected", err=True)
        sys.exit(1)
