"""`vitiq encode`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vitiq.cli import options as common
from vitiq.cli.batch import into_folder, said_of, show_batch
from vitiq.cli.common import SearchBar, on_stdout, print_json, say
from vitiq.cli.options import PathName
from vitiq.cli.streams import STDIO, read_stdin, write_stdout
from vitiq.codecs.defaults import ENCODE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vitiq.codecs.base import Codec
    from vitiq.codecs.files import EncodedFile
    from vitiq.codecs.spec import RateSpec


@dataclass(frozen=True, slots=True)
class Asked:
    """How files are to be encoded and answered."""

    name: str
    options: Mapping[str, object]
    rate: RateSpec | None
    device: str
    force: bool
    as_json: bool
    quiet: bool


@click.command("encode", cls=common.CodecCommand)
@click.argument("images", nargs=-1, required=True, type=PathName(path_type=Path))
@click.option("-c", "--codec", "name", type=common.CODEC, help=f"Codec (vitiq codecs list); {ENCODE} if not given.")
@common.rate
@click.option("--at-bytes", type=click.IntRange(min=1), hidden=True, help="Former name of --bytes.")
@click.option(
    "-o",
    "--output",
    "wanted",
    type=common.OutputPath(),
    help="Output file, or folder for several; by default the image's name with the codec's suffix.",
)
@common.codec_options
@common.device
@common.force
@common.jobs
@common.as_json
@common.quiet
def command(  # noqa: PLR0917
    images: tuple[Path, ...],
    name: str | None,
    quality: float | None,
    max_bytes: int | None,
    bpp: float | None,
    at_bytes: int | None,
    wanted: common.Output | None,
    options: tuple[str, ...],
    device: str,
    force: bool,
    jobs: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compress IMAGES: one image to a file, several or a folder into the folder -o.

    Folders are processed in parallel; the same command encodes only what is missing, and one with other
    settings is refused. `-` is standard input or output. Existing files are replaced only with --force.

    Where no file fits in --bytes or --bpp, the smallest is written and said to be larger; the exit code is then 1.
    """
    from vitiq.codecs.files import check_rate  # noqa: PLC0415
    from vitiq.codecs.folders import encode_files  # noqa: PLC0415
    from vitiq.codecs.spec import make_codec, parse_codec  # noqa: PLC0415

    if max_bytes is not None and at_bytes is not None:
        raise click.UsageError("--at-bytes is the former name of --bytes: use only --bytes")
    rate = common.rate_of(quality, max_bytes or at_bytes, bpp, "at-bytes" if at_bytes is not None else "bytes")
    named = parse_codec(name or ENCODE).rates
    if len(named) + (rate is not None) > 1:
        raise click.UsageError(f"{name} and the other options name several rates, one expected")
    asked = Asked(
        name or ENCODE,
        common.options_of(options),
        named[0] if named else rate,
        device,
        force,
        as_json,
        quiet,
    )
    codec = make_codec(asked.name, asked.options, device)
    check_rate(codec, asked.rate)
    output = wanted.path if wanted is not None else None
    folder = into_folder(images, wanted)
    if folder is None:
        encode_one(images[0], output, codec, asked)
        return
    settings: dict[str, Any] = {"options": asked.options, "rate": asked.rate, "overwrite": force}
    start = partial(encode_files, images, folder, codec=asked.name, device=device, jobs=jobs, **settings)
    show_batch(lambda planned: start(planned=planned), "image", as_json=as_json, quiet=quiet)


def encode_one(source: Path, output: Path | None, codec: Codec, asked: Asked) -> None:
    """One image, which may come from standard input, to one file, which may be standard output."""
    from vitiq.codecs.batch import default_output  # noqa: PLC0415
    from vitiq.codecs.files import encode_file, encode_image  # noqa: PLC0415
    from vitiq.files import check_output, write_bytes  # noqa: PLC0415
    from vitiq.image.io import decode_image, read_image_details  # noqa: PLC0415

    target = output or (STDIO if source == STDIO else default_output(source, codec.extension, codec.name))
    if STDIO not in {source, target}:
        with SearchBar(source.name, quiet=asked.quiet or not codec.optimises) as bar:
            done = encode_file(source, target, codec=codec, rate=asked.rate, overwrite=asked.force, progress=bar)
        answer(done, asked)
        return
    if target == STDIO and asked.as_json:
        raise click.UsageError("--json and -o - both write to standard output; give a file with -o")
    if target != STDIO:
        check_output(target, overwrite=asked.force)
    image, notes = decode_image(read_stdin(), "standard input") if source == STDIO else read_image_details(source)
    with SearchBar(source.name, quiet=asked.quiet or not codec.optimises) as bar:
        data, done = encode_image(image, source, target, codec=codec, rate=asked.rate, progress=bar, notes=notes)
    if target == STDIO:
        write_stdout(data)
    else:
        write_bytes(target, data, overwrite=asked.force)
    answer(done, asked)


def answer(done: EncodedFile, asked: Asked) -> None:
    """What was made, on stdout unless the file itself is there; notes on stderr; exit code 1 where it is too large."""
    problems = said_of(done, quiet=asked.quiet)
    if asked.as_json:
        print_json(done.as_json())
    else:
        say(str(done), err=on_stdout(done.path))
    if problems:
        sys.exit(1)
