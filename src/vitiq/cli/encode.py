"""`vitiq encode`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vitiq.cli.common import SearchBar, codec_options, given_options, print_json
from vitiq.codecs.defaults import ENCODE


@click.command("encode")
@click.argument("image", type=click.Path(path_type=Path))
@click.option("-c", "--codec", "name", default=ENCODE, show_default=True, help="Codec (vitiq codecs list).")
@click.option("-q", "--quality", type=float, help="Quality; the codec's default if not given.")
@click.option("--at-bytes", type=int, help="Instead of a quality: the best file of at most this many bytes.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write; IMAGE with the codec's suffix.")
@codec_options
@click.option("--json", "as_json", is_flag=True, help="Facts as JSON on stdout.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def command(  # noqa: PLR0917
    image: Path,
    name: str,
    quality: float | None,
    at_bytes: int | None,
    output: Path | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Compress IMAGE to a file."""
    from vitiq.codecs.rate_target import encode_within  # noqa: PLC0415
    from vitiq.codecs.spec import make_codec  # noqa: PLC0415
    from vitiq.errors import BitstreamError, InputError  # noqa: PLC0415
    from vitiq.image.io import read_image_details, write_bytes  # noqa: PLC0415
    from vitiq.types import Bytes, Quality, Rate  # noqa: PLC0415

    if quality is not None and at_bytes is not None:
        raise click.UsageError("give either --quality or --at-bytes")
    codec = make_codec(name, given_options(options))
    pixels, notes = read_image_details(image)
    target = output or image.with_name(image.stem + codec.extension)
    bar = SearchBar(image.name, quiet=quiet or not codec.optimises)
    try:
        rate: Rate | None = None if quality is None else Quality(quality)
        found = encode_within(codec, pixels, rate if at_bytes is None else Bytes(at_bytes), bar)
        data = found.data
    except (InputError, BitstreamError) as error:
        raise type(error)(f"{image}: {error}") from error
    finally:
        bar.close()
    notes += [*found.notes, *codec.inspect(data).notes]
    write_bytes(target, data)
    height, width, _ = pixels.shape
    used = found.quality
    bpp = len(data) * 8 / (width * height)
    if as_json:
        facts = {"file": str(target), "codec": name, "quality": used, "bytes": len(data), "bpp": bpp}
        print_json({**facts, "width": width, "height": height, "notes": notes})
        return
    for note in notes:
        click.echo(f"{image}: {note}", err=True)
    click.echo(f"{target}: {len(data)} bytes, {bpp:.4f} bits per pixel ({name}, quality {used:g})")
