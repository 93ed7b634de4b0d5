"""`vitiq restore`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from vitiq.cli import options as common
from vitiq.cli.batch import into_folder, show_batch
from vitiq.cli.common import on_stdout, print_json, say, say_notes
from vitiq.cli.options import PathName
from vitiq.cli.single import rebuild_one


@click.command("restore")
@click.argument("files", nargs=-1, required=True, type=PathName(path_type=Path))
@common.image_output
@click.option(
    "--no-projection",
    "free",
    is_flag=True,
    help="Let coefficients leave the file's quantisation intervals; for files that were a coarser JPEG before.",
)
@click.option(
    "--correction",
    "weights",
    metavar="PATH",
    default="embedded",
    help="Weights file of `vitiq train deblock`; the embedded one if not given.",
)
@common.device
@common.force
@common.jobs
@common.as_json
@common.quiet
def command(  # noqa: PLR0917
    files: tuple[Path, ...],
    wanted: common.Output | None,
    free: bool,
    weights: str,
    device: str,
    force: bool,
    jobs: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Remove compression artefacts from JPEG FILES: one file, or several or a folder into the folder -o.

    Any JPEG works: greyscale or colour, any subsampling, progressive or not; its own quantisation tables are used.
    Folders are processed in parallel; the same command restores only what is missing. `-` is standard input or output.
    Existing files are replaced only with --force.

    Compressed again with the same tables, the result gives the same coefficients, up to rounding to 8 bits.
    """
    from vitiq.codecs.restored import restore_files, restore_image  # noqa: PLC0415 - slow to import
    from vitiq.image.limits import read_bounded  # noqa: PLC0415

    folder = into_folder(files, wanted)
    if folder is not None:
        start = partial(
            restore_files, files, folder, project=not free, weights=weights, device=device, overwrite=force, jobs=jobs
        )
        show_batch(lambda planned: start(planned=planned), "file", as_json=as_json, quiet=quiet)
        return
    output = wanted.path if wanted is not None else None
    rebuild = partial(restore_image, project=not free, weights=weights, device=device)
    _, done = rebuild_one(files[0], output, rebuild, word="restored", read=read_bounded, force=force, as_json=as_json)
    say_notes(done.source, done.notes, quiet=quiet)
    if as_json:
        print_json(done.as_json())
    else:
        say(str(done), err=on_stdout(done.path))
