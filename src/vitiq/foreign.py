"""Code of plug-ins: what it may raise, and what it may not leave behind: another folder, lines among the results."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

from vitiq.signals import nobody_stopped

RAISED = (Exception, SystemExit)
"""What a plug-in may raise: its `sys.exit` is a failure of its own, and must not end the program."""


@dataclass
class _Output:
    """Standard output while code of plug-ins runs, of all threads together.

    Attributes:
        reserved: whether it is for results alone, as in the program.
        depth: calls of plug-ins under way.
        stream, number: what it was before, and a copy of its file.
    """

    reserved: bool = False
    depth: int = 0
    stream: Any = None
    number: int | None = None


_output, _lock = _Output(), threading.Lock()


def is_ours(module: str) -> bool:
    """Whether a module is part of vitiq, by its name."""
    return module.partition(".")[0] == __name__.partition(".")[0]


@contextmanager
def guarded(module: str) -> Iterator[None]:
    """Run code of a module; of a plug-in's come back to the working folder, which relative names lead on from.

    In the program, what it prints goes to standard error, for standard output is bytes of a file, JSON or a table, and
    a KeyboardInterrupt of its own is a failure like any other.

    Args:
        module: whose code runs. vitiq's own changes no folder; another thread of the caller's may meanwhile.
    """
    if is_ours(module):
        yield
        return
    before = _folder()
    _turn_aside()
    try:
        yield
    except KeyboardInterrupt as error:
        if nobody_stopped():
            raise RuntimeError("KeyboardInterrupt was raised, and nobody pressed Ctrl-C") from error
        raise
    finally:
        _turn_back()
        if before is not None and _folder() != before:
            os.chdir(before)


def reserve_output() -> None:
    """Keep standard output for results from now on."""
    _output.reserved = True


def print_on_stderr() -> None:
    """For a worker process, which has no results to print: all that is printed there is no result of the program."""
    if parent_process() is not None:
        with suppress(OSError):
            os.dup2(2, 1)


def _turn_aside() -> None:
    with _lock:
        if _output.reserved and not _output.depth and sys.stdout is not None:
            with suppress(OSError, ValueError):
                sys.stdout.flush()
            _output.stream, sys.stdout = sys.stdout, sys.stderr
            with suppress(OSError, ValueError, AttributeError):
                if _output.stream.fileno() == 1:
                    _output.number = os.dup(1)
                    os.dup2(2, 1)
        _output.depth += 1


def _turn_back() -> None:
    with _lock:
        _output.depth -= 1
        if _output.depth or _output.stream is None:
            return
        sys.stdout, _output.stream = _output.stream, None
        if _output.number is not None:
            os.dup2(_output.number, 1)
            os.close(_output.number)
            _output.number = None


def _folder() -> str | None:
    """The working folder; None where it was removed."""
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return None
