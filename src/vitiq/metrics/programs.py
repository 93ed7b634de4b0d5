"""Running a program that measures a pair of files."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from vitiq.errors import UndefinedError

TIMEOUT = 600.0
LAST_WORDS = 400


def output_of(arguments: Sequence[str], folder: Path, timeout: float = TIMEOUT) -> str:
    """What a program prints, run in a folder.

    Raises:
        UndefinedError: it cannot be run, fails, or takes longer than `timeout` seconds (it is stopped then).
    """
    name = Path(arguments[0]).name
    try:
        child = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            start_new_session=True,
        )
    except OSError as error:
        raise UndefinedError(f"{name} cannot be run ({error.strerror})") from error
    with child:
        try:
            printed, messages = child.communicate(timeout=timeout)
        except BaseException as error:
            os.killpg(child.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise UndefinedError(f"{name} took more than {timeout:g} s and was stopped") from error
            raise
    if child.returncode:
        said = " ".join(messages.decode("utf-8", "replace").split())[-LAST_WORDS:]
        raise UndefinedError(f"{name} failed with exit code {child.returncode}: {said or 'no message'}")
    return printed.decode("utf-8", "replace")
