"""`encode` and `decode` of several files: where they go, and what is said about them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vitiq.cli.common import print_json, say, say_notes
from vitiq.cli.options import Output
from vitiq.cli.progress import ProgressBar, duration
from vitiq.cli.stop import resumable
from vitiq.cli.streams import STDIO
from vitiq.text import plural

if TYPE_CHECKING:
    from vitiq.codecs.batch import PassedOver, Skipped
    from vitiq.codecs.files import DecodedFile, EncodedFile
    from vitiq.codecs.folders import Failed


def into_folder(inputs: Sequence[Path], wanted: Output | None) -> Path | None:
    """The folder that several files go to, or one where a folder is named; None for one file.

    Raises:
        UsageError: several files and no folder.
    """
    from vitiq.image.folders import is_folder  # noqa: PLC0415

    folders = [path for path in inputs if path != STDIO and is_folder(path)]
    several = len(inputs) > 1 or bool(folders)
    if several and (wanted is None or STDIO in {wanted.path, *inputs}):
        what = f"{folders[0]} is a folder" if folders else f"{len(inputs)} files given"
        raise click.UsageError(f"{what}: give a folder for the output with -o")
    if wanted is None:
        return None
    named = wanted.is_folder or (wanted.path != STDIO and is_folder(wanted.path))
    if named and STDIO in inputs:
        raise click.UsageError(f"{wanted.path} is a folder: give the name of a file for what comes from standard input")
    return wanted.path if several or named else None


def show_batch(
    start: Callable[[Callable[[int], object]], Generator[EncodedFile | DecodedFile | Skipped | PassedOver | Failed]],
    unit: str,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Work through a batch, with a line a file and a summary; exit code 1 where a file failed or is too large.

    Args:
        start: begins the work; calls its argument with the number of files to be made.
    """
    from vitiq.codecs.batch import PassedOver, Skipped  # noqa: PLC0415
    from vitiq.codecs.folders import Failed  # noqa: PLC0415

    begun = time.monotonic()
    made: list[EncodedFile | DecodedFile] = []
    skipped: list[Skipped] = []
    failed: list[str] = []
    too_large: list[str] = []
    with resumable(), ProgressBar(unit, quiet=quiet) as bar, closing(start(bar)) as found:
        for one in found:
            if isinstance(one, Skipped):
                skipped.append(one)
                if one.meanwhile:
                    bar.advance(note=one.source.name)
                if one.problem is not None:
                    too_large += problem_said(one.source, one.path, one.problem)
                continue
            bar.clear()
            if isinstance(one, PassedOver):
                say(one.note, err=True, quiet=quiet)
                continue
            if isinstance(one, Failed):
                failed.append(one.problem)
                say(f"vitiq: {one.problem}", err=True)
                continue
            made.append(one)
            if not as_json:
                say(str(one))
            too_large += said_of(one, quiet=quiet)
            bar.advance(note=one.source.name)
    if as_json:
        answer = {"files": [one.as_json() for one in made], "skipped": [str(one.path) for one in skipped]}
        print_json({**answer, "problems": [*failed, *too_large]})
    else:
        say(summary(made, skipped, failed, unit, time.monotonic() - begun))
    if failed or too_large:
        sys.exit(1)


def said_of(done: EncodedFile | DecodedFile, *, quiet: bool) -> list[str]:
    """Says on stderr what is to be said of a file that was made; the problem among it, that the file is too large."""
    from vitiq.codecs.files import EncodedFile  # noqa: PLC0415

    problem = done.problem if isinstance(done, EncodedFile) else None
    say_notes(done.source, [note for note in done.notes if note != problem], quiet=quiet)
    return [] if problem is None else problem_said(done.source, done.path, problem)


def problem_said(source: Path, path: Path, problem: str) -> list[str]:
    """Says on stderr what is wrong with a file that stands all the same; the line in a list."""
    line = f"{source}: {problem}, written to {path}; give a larger size or another codec"
    say(f"vitiq: {line}", err=True)
    return [line]


def summary(
    made: Sequence[EncodedFile | DecodedFile],
    skipped: Sequence[Skipped],
    failed: Sequence[str],
    unit: str,
    seconds: float,
) -> str:
    """One line about all files; `seconds` passed while workers made them side by side."""
    from vitiq.codecs.files import EncodedFile  # noqa: PLC0415

    parts = [f"{plural(len(made), unit)} done in {duration(seconds)}"]
    encoded = [one for one in made if isinstance(one, EncodedFile)]
    if encoded:
        size = sum(one.bytes for one in encoded)
        pixels = sum(one.width * one.height for one in encoded)
        parts.append(f"{size} bytes, {8 * size / pixels:.4f} bits per pixel")
        missed = sum(not one.reached for one in encoded)
        parts += [f"{missed} above the size asked for"] if missed else []
    parts += [f"{len(skipped)} there already (--force makes them again)"] if skipped else []
    parts += [f"{len(failed)} failed"] if failed else []
    return "; ".join(parts)
