"""What several commands share: codec options, progress bars, JSON output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from vitiq.cli.progress import ProgressBar
from vitiq.cli.readable import tame
from vitiq.cli.streams import STDIO
from vitiq.errors import InputError

F = TypeVar("F", bound=Callable[..., Any])

CODEC_OPTIONS = (
    click.option("--generator", help="inversion, generative: 'embedded' or the path of weights."),
    click.option(
        "--loss",
        type=click.Choice(["mse", "ssim", "vit", "perceptual"]),
        help="inversion, generative: what a search minimises.",
    ),
    click.option("--optimizer", type=click.Choice(["adam", "sgd"]), help="inversion: optimiser (sgd as published)."),
    click.option("--learning-rate", type=float, help="inversion: first learning rate."),
    click.option("--iterations", type=int, help="inversion: iterations of the search."),
    click.option("--refine", type=int, help="generative: iterations of a search of this image's latents."),
    click.option("--restarts", type=int, help="inversion: searches from different starts; the best is kept."),
    click.option("--seed", type=int, help="inversion: seed of everything random."),
    click.option("--preview-every", type=int, help="inversion: iterations between previews."),
    click.option("--start", type=click.Choice(["random", "encoder"]), help="inversion-vector: first latent."),
    click.option("--coder", type=click.Choice(["range", "qsgd"]), help="inversion-vector: how the latent is coded."),
    click.option(
        "--compat", type=click.Choice(["thesis"]), help="inversion-vector: published behaviour, faults included."
    ),
)
NAMES = (
    "generator",
    "loss",
    "optimizer",
    "learning_rate",
    "iterations",
    "refine",
    "restarts",
    "seed",
    "preview_every",
    "start",
    "coder",
    "compat",
)


def codec_options(function: F) -> F:
    """Adds the options of codecs that optimise."""
    for option in reversed(CODEC_OPTIONS):
        function = option(function)
    return function


def given_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """The codec options that the user gave."""
    return {name: values[name] for name in NAMES if values.get(name) is not None}


def read_bytes(path: Path) -> bytes:
    """Bytes of a compressed file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error


class SearchBar(ProgressBar):
    """Iterations of one search, with loss and time left."""

    def __init__(self, label: str, *, quiet: bool) -> None:
        super().__init__("iteration", label=label, quiet=quiet)


class CountBar(ProgressBar):
    """A number of things that becomes known at the first call."""

    def __init__(self, unit: str, *, quiet: bool) -> None:
        super().__init__(unit, quiet=quiet)


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


def on_stdout(path: Path) -> bool:
    """True where a file that was written may be standard output itself: what is said must go elsewhere."""
    return path == STDIO or (path.exists() and not path.is_file())


def report_problems(problems: Sequence[str]) -> None:
    """What went wrong beside what was done, a line each on stderr; then the program ends with exit code 1."""
    for problem in problems:
        say(f"vitiq: {problem}", err=True)
    if problems:
        sys.exit(1)
