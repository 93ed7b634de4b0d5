"""Running a program that measures a pair of files, and asking it what it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vitiq.errors import TaskError, UndefinedError
from vitiq.programs import run_program

TIMEOUT = 600.0
ANSWER_TIMEOUT = 60.0


def output_of(arguments: Sequence[str], folder: Path) -> str:
    """What a program prints, run in a folder.

    Raises:
        UndefinedError: it cannot be run, fails, or takes longer than `TIMEOUT` seconds (it is stopped then).
    """
    name = Path(arguments[0]).name
    try:
        ran = run_program(arguments, folder, TIMEOUT, name)
    except TaskError as error:
        raise UndefinedError(str(error)) from error
    if ran.code:
        raise UndefinedError(f"{name} failed with exit code {ran.code}: {ran.said or 'no message'}")
    return ran.printed


def answer_of(*arguments: str) -> str:
    """What a program says of itself, asked for its version or usage: its output, then its messages.

    Nothing where it cannot be started, such as one for another processor, or does not end in `ANSWER_TIMEOUT` seconds.
    """
    try:
        ran = run_program(arguments, Path(), ANSWER_TIMEOUT)
    except TaskError:
        return ""
    return ran.printed + ran.messages
