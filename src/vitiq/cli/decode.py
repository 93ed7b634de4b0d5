"""`vitiq decode`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vitiq.cli import options as common
from vitiq.cli.batch import into_folder, show_batch
from vitiq.cli.common import on_stdout, print_json, say, say_notes
from vitiq.cli.options import PathName
from vitiq.cli.single import rebuild_one
from vitiq.cli.streams import STDIO

if TYPE_CHECKING:
    from vitiq.codecs.files import DecodedFile
    from vitiq.types import ImageU8


@click.command("decode", cls=common.CodecCommand)
@click.argument("files", nargs=-1, required=True, type=PathName(path_type=Path))
@common.image_output
@common.codec_options
@common.device
@click.option(
    "--verify", is_flag=True, help="Also decode with other thread counts and instruction sets, and report differences."
)
@common.force
@common.jobs
@common.as_json
@common.quiet
def command(  # noqa: PLR0917
    files: tuple[Path, ...],
    wanted: common.Output | None,
    options: tuple[str, ...],
    device: str,
    verify: bool,
    force: bool,
    jobs: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Decode FILES of any codec: one file, or several or a folder into the folder -o.

    Folders are processed in parallel; the same command decodes only what is missing, and one with other
    settings is refused. `-` is standard input or output. Existing files are replaced only with --force.

    With --verify the file is decoded again in other processes: on the CPU with one and two threads, with older vector
    instructions and without oneDNN. The exit code is 1 if a pixel differs by more than one level.
    """
    from vitiq.codecs.files import decode_image, has_checksum, read_file  # noqa: PLC0415 - slow to import, as the following
    from vitiq.codecs.folders import decode_files  # noqa: PLC0415

    given = common.options_of(options)
    output = wanted.path if wanted is not None else None
    folder = into_folder(files, wanted)
    if folder is not None:
        if verify:
            raise click.UsageError("--verify takes one file")
        start = partial(decode_files, files, folder, options=given, device=device, overwrite=force, jobs=jobs)
        show_batch(lambda planned: start(planned=planned), "file", as_json=as_json, quiet=quiet)
        return
    if verify and STDIO in {files[0], output}:
        raise click.UsageError("--verify decodes the file again and needs one that is not standard input or output")
    rebuild = partial(decode_image, options=given, device=device)
    image, done = rebuild_one(files[0], output, rebuild, word="decoded", read=read_file, force=force, as_json=as_json)
    say_notes(done.source, done.notes, quiet=quiet)
    if as_json:
        answer = done.as_json()
        if verify:
            answer["verify"] = dict(compared(done, image, given))
            answer["symbols_match"] = has_checksum(done.codec) or None  # decoding has compared them
        print_json(answer)
    else:
        say(str(done), err=on_stdout(done.path))
        if verify:
            report_differences(done, image, given)


def compared(done: DecodedFile, image: ImageU8, options: Mapping[str, object]) -> list[tuple[str, int]]:
    """Largest difference of a pixel under each setting."""
    from vitiq.cli.verify import differences  # noqa: PLC0415

    return [(setting.name, difference) for setting, difference in differences(done.source, image, options)]


def report_differences(done: DecodedFile, image: ImageU8, options: Mapping[str, object]) -> None:
    """A line a setting that the file was decoded under; exit code 1 where one differs too much."""
    from vitiq.cli.verify import ALLOWED  # noqa: PLC0415
    from vitiq.codecs.files import has_checksum  # noqa: PLC0415

    held = "symbols match the file's checksum" if has_checksum(done.codec) else "no symbol checksum in this format"
    click.echo(f"verify: {held}")
    largest = 0
    for name, difference in compared(done, image, options):
        largest = max(largest, difference)
        equal = "pixels identical" if difference == 0 else f"pixels differ by up to {difference} of 255"
        click.echo(f"verify: {name}: {equal}")
    if largest > ALLOWED:
        say(f"vitiq: {done.source}: pixels differ by up to {largest}, at most {ALLOWED} expected", err=True)
        sys.exit(1)
