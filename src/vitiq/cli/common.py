"""What several commands share: progress bars, JSON output, problems."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from vitiq.cli.progress import ProgressBar
from vitiq.cli.readable import tame
from vitiq.cli.streams import STDIO


class SearchBar(ProgressBar):
    """Iterations of one search, with loss and time left."""

    def __init__(self, label: str, *, quiet: bool) -> None:
        super().__init__("iteration", label=label, quiet=quiet)


def print_json(value: object) -> None:
    """JSON to stdout; never NaN or Infinity, and valid in any encoding."""
    click.echo(to_json_text(value))


def to_json_text(value: object) -> str:
    """JSON that stdout's encoding can show; names of files that are no text stand as lone surrogates, escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False)
    return text


def say(text: str, *, err: bool = False, quiet: bool = False) -> None:
    """A line of an answer: on stdout, or on stderr where stdout holds a file; names in it cannot steer the terminal."""
    if not quiet:
        click.echo(tame(text, line=True), err=err)


def say_notes(source: Path, notes: Iterable[str], *, quiet: bool) -> None:
    """What was done to an image that was read, a line each on stderr."""
    for note in notes:
        say(f"{source}: {note}", err=True, quiet=quiet)


def on_stdout(path: Path) -> bool:
    """True where a file that was written may be standard output itself: what is said must go elsewhere."""
    return path == STDIO or (path.exists() and not path.is_file())


def report_problems(problems: Sequence[str]) -> None:
    """What went wrong beside what was done, a line each on stderr; then the program ends with exit code 1."""
    for problem in problems:
        say(f"vitiq: {problem}", err=True)
    if problems:
        sys.exit(1)
