"""Standard input and output of the program: any encoding, closed readers, full disks, and `-` for both."""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import click

from vitiq.cli.progress import is_terminal, printable
from vitiq.cli.readable import reconfigure, shortened, tame
from vitiq.errors import InputError
from vitiq.image.limits import MAX_FILE_BYTES

STDIO = Path("-")
"""Stands for standard input or output on the command line; a file of this name is `./-`."""
STDIN = Path("/dev/stdin")
"""Standard input as a file, for what takes paths."""


class ReaderGone(Exception):  # noqa: N818 - no error
    """Whoever read standard output has closed it, as `head` does."""


def prepare() -> None:
    """Characters that a stream's encoding lacks are written as what is like them, or as escapes; so are odd names."""
    for number in range(3):
        _keep_open(number)
    for stream in (sys.stdout, sys.stderr):
        reconfigure(stream)


def _keep_open(number: int) -> None:
    """Fill a closed standard stream: the next file opened would get its number, and with it what libraries print.

    What fills it is open for the wrong direction, so that using it fails as before.
    """
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, os.O_RDONLY if number else os.O_WRONLY)  # gets the lowest free number, which is this one


def flush() -> None:
    """Write what standard output still holds, while a failure can be reported."""
    if sys.stdout is not None:
        sys.stdout.flush()


def reader_gone() -> bool:
    """Whether nobody reads standard output any more: of a broken pipe, whether it is this one."""
    try:
        if not hasattr(select, "poll"):
            sys.stdout.flush()  # it still holds what could not be written
            return False
        asked = select.poll()
        asked.register(sys.stdout.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in asked.poll(0))
    except BrokenPipeError:
        return True
    except (OSError, ValueError, AttributeError):  # there is none, or no file
        return False


def of_output(error: BaseException) -> bool:
    """Whether what failed is a write to a standard stream: nothing but click's `echo` and `flush` here make one."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code in {click.echo.__code__, flush.__code__}


def abandon(stream: Any) -> None:
    """Send what a stream still holds nowhere, so that the interpreter does not fail on it at its end."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def show_error(text: str) -> None:
    """A line on standard error, where there is one that takes it."""
    with suppress(OSError, ValueError):
        click.echo(printable(shortened(tame(text)), sys.stderr), err=True)


def read_stdin() -> bytes:
    """All of standard input.

    Raises:
        InputError: it is closed, a terminal, or cannot be read.
    """
    stream: BinaryIO | None = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise InputError("standard input is closed; give a file, or pipe one in")
    if is_terminal(sys.stdin):
        raise InputError("standard input is a terminal, a file is expected; pipe one in")
    try:
        data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"standard input: cannot be read ({error.strerror})") from error
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"standard input: more than {MAX_FILE_BYTES} bytes given, above the limit for input")
    return data


def write_stdout(data: bytes) -> None:
    """Bytes to standard output.

    Raises:
        InputError: it is closed, a terminal, or full.
        ReaderGone: nobody reads it any more.
    """
    stream: BinaryIO | None = getattr(sys.stdout, "buffer", None)
    if stream is None:
        raise InputError("standard output is closed; give a file with -o")
    if is_terminal(sys.stdout):
        raise InputError("standard output is a terminal, which cannot show a file; give one with -o, or a pipe")
    try:
        sys.stdout.flush()
        stream.write(data)
        stream.flush()
    except BrokenPipeError as error:
        raise ReaderGone from error
    except OSError as error:
        abandon(sys.stdout)
        raise InputError(f"standard output: cannot be written ({error.strerror})") from error
