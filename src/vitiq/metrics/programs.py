"""Running a program that measures a pair of files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vitiq.errors import TaskError, UndefinedError
from vitiq.programs import run_program

TIMEOUT = 600.0


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
