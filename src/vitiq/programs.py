"""Running other people's programs: no shell, no terminal, a time limit, and nothing of them left running."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from vitiq.errors import TaskError

LAST_WORDS = 400
"""Characters of a program's messages that an error repeats."""


class Ran(NamedTuple):
    """A program that has ended.

    Attributes:
        code: its exit code.
        printed: what it wrote to standard output.
        messages: what it wrote to standard error.
    """

    code: int
    printed: str
    messages: str

    @property
    def said(self) -> str:
        """The end of its messages, in one line."""
        return " ".join(self.messages.split())[-LAST_WORDS:]


def run_program(arguments: Sequence[str], folder: Path, timeout: float, name: str = "") -> Ran:
    """Run a program and what it starts, in a folder.

    Args:
        timeout: seconds.
        name: of the program in messages; its first argument if not given.

    Raises:
        TaskError: it cannot be run, or took more than `timeout` seconds; then nothing of it is left running.
    """
    name = name or arguments[0]
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
        raise TaskError(f"{name} cannot be run ({error.strerror})") from error
    with child:
        try:
            printed, messages = child.communicate(timeout=timeout)
        except BaseException as error:
            os.killpg(child.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise TaskError(f"{name} took more than {timeout:g} s and was stopped") from error
            raise
    return Ran(child.returncode, printed.decode("utf-8", "replace"), messages.decode("utf-8", "replace"))
