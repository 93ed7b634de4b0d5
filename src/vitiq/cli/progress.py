"""One progress display for every command, on stderr.

On a terminal: one line with what is done, of how much, elapsed and remaining time. Without one: a plain line every 30 s
at most, so that a log stays short. `--quiet` shows nothing. Nothing is written before there is something to say.

Example:
    >>> bar = ProgressBar("image", total=4, clock=iter([0.0, 2.0, 3.0, *[5.0] * 9]).__next__)
    >>> for name in ("a.png", "b.png", "c.png"):
    ...     bar.advance(note=name)
    >>> bar.text()
    'image 3 of 4, 5 s elapsed, 2 s left, c.png'
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TextIO, TypeVar

from vitiq.cli.readable import ERRORS

if TYPE_CHECKING:
    from vitiq.types import Progress

T = TypeVar("T")

LINE_SECONDS = 30.0
"""Least time between two lines where there is no terminal."""
REDRAW_SECONDS = 0.1
"""Least time between two states on a terminal."""
WIDTH = 24
"""Cells of the bar."""
BURST = 0.5
"""Seconds within which results are of one batch: workers return several at once."""
LOADING = 300.0
"""Seconds that programs and networks may take to load. Where the first results took no longer, they say nothing of the
time left."""


class ProgressBar:
    """What is done of something that is counted (images, pairs, iterations, steps).

    Args:
        unit: what is counted, in the singular.
        total: how much there is; None until it is known.
        label: what is being done.
        quiet: show nothing.
        stream: where to; stderr if not given.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        unit: str,
        *,
        total: float | None = None,
        label: str = "",
        quiet: bool = False,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._unit, self.total, self._label, self._note = unit, total, label, ""
        self._stream = sys.stderr if stream is None else stream
        self._quiet, self._clock = quiet or self._stream is None, clock
        self._terminal = not self._quiet and is_terminal(self._stream)
        self._begun = self._clock()
        self._shown = self._begun - (LINE_SECONDS if self._terminal else 0)
        self._done, self._width, self._left = 0.0, 0, True
        self._pace = Pace(self._begun)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin_at(self, done: float) -> None:
        """What an earlier call of the command has done; it took no time now."""
        self._done = self._pace.free = done

    def update(
        self,
        done: float,
        *,
        total: float | None = None,
        label: str | None = None,
        note: str = "",
        left: bool = True,
        each: float | None = None,
    ) -> None:
        """Set how much is done.

        Args:
            total: how much there is, where it changed.
            label: what is being done, where it changed.
            note: something about the present state (loss, file).
            left: show the time left, as the time passed says; False where the note says it better.
            each: seconds of one of what is counted, until the time passed says it.
        """
        self._left = left
        self._done, self._note = done, note
        self._pace.guess = each
        self._pace.at(self._clock(), done)
        self.total = self.total if total is None else total
        self._label = self._label if label is None else label
        self._show()

    def advance(self, count: float = 1, *, note: str = "", kept: bool = False) -> None:
        """`count` more are done; `kept` ones were done by an earlier call of the command."""
        if kept:
            self._pace.free += count
        self.update(self._done + count, note=note)

    @property
    def done(self) -> float:
        """How much is done."""
        return self._done

    def say(self, label: str) -> None:
        """Name what is being done."""
        self._label, self._note = label, ""
        self._show(now=True)

    def __call__(self, state: Progress | int) -> None:
        """Take a codec's `Progress`, or a total at the first call and one more thing done at each further one."""
        if not isinstance(state, int):
            self.update(state.iteration, total=state.total, note=f"loss {state.loss:.3g}")
        elif self.total is None:
            self.total = state
        else:
            self.advance()

    def over(self, things: Iterable[T]) -> Iterator[T]:
        """The things, each counted once it has been worked on."""
        for thing in things:
            yield thing
            self.advance()

    def clear(self) -> None:
        """Empty the line, so that something else can be written to the terminal."""
        if self._terminal and self._width:
            self._write("\r" + " " * self._width + "\r")
            self._width = 0

    def close(self) -> None:
        """Remove the bar."""
        self.clear()
        self._quiet = True

    def text(self) -> str:
        """The present state in one line."""
        parts = [self._label] if self._label else []
        parts.append(self._share())
        parts.append(self._times())
        parts += [self._note] if self._note else []
        return ", ".join(part for part in parts if part)

    def _share(self) -> str:
        if self._unit == "":
            return f"{self._done / self.total:.0%}" if self.total else ""
        return f"{self._unit} {self._done:.0f}" + (f" of {self.total:.0f}" if self.total else "")

    def _times(self) -> str:
        now = self._clock()
        each = self._pace.each(now) if self.total and self._left else None
        passed = f"{duration(now - self._begun)} elapsed"
        if each is None or self.total is None:
            return passed
        return f"{passed}, {duration(each * max(0.0, self.total - self._done))} left"

    def _show(self, *, now: bool = False) -> None:
        wait = (0.0 if now else REDRAW_SECONDS) if self._terminal else LINE_SECONDS
        if self._quiet or self._clock() - self._shown < wait:
            return
        self._shown = self._clock()
        if not self._terminal:
            self._write(self.text() + "\n")
            return
        share = min(1.0, self._done / self.total) if self.total else 0.0
        bar = ("#" * round(share * WIDTH)).ljust(WIDTH, ".") if self.total else ""
        columns = max(10, shutil.get_terminal_size().columns - 1)
        line = printable(f"{bar} {self.text()}".strip(), self._stream)[:columns]
        self._write("\r" + line + " " * max(0, self._width - len(line)))
        self._width = len(line)

    def _write(self, text: str) -> None:
        # A display that cannot be shown (full disk, closed terminal) must not end the work that it shows.
        with suppress(OSError, ValueError):
            self._stream.write(printable(text, self._stream))
            self._stream.flush()


class Pace:
    """Seconds that each of many things takes, from when they were done; what was loaded before the first is left out.

    Args:
        begun: when the work was asked for.

    Attributes:
        free: of what is done, what took no time now.
        guess: seconds of one thing, for as long as the first results are all there is.
    """

    def __init__(self, begun: float) -> None:
        self._begun, self.free = begun, 0.0
        self.guess: float | None = None
        self._arrived = self._last = begun
        self._done = self._before = 0.0
        self._first: tuple[float, float] | None = None

    def at(self, now: float, done: float) -> None:
        """So much is done now."""
        fresh = done - self.free
        if fresh <= 0 or fresh == self._done:
            return
        if self._first is None or fresh < self._first[1]:
            self._first, self._arrived, self._before = (now, fresh), now, 0.0
        elif now - self._arrived <= BURST:
            self._first = now, fresh
        elif now - self._last > BURST:
            self._before = self._done
        self._done, self._last = fresh, now

    def each(self, now: float) -> float | None:
        """Seconds of one thing, if known."""
        if self._first is None:
            return None
        when, count = self._first
        if self._done <= count and self.guess is not None:
            return self.guess
        if self._done <= count:
            return (when - self._begun) / count if when - self._begun > LOADING else None
        # Of the batch that arrives now, more may follow at once: it is taken to be as large as the first.
        return (now - when) / max(self._done - count, self._before)


def duration(seconds: float) -> str:
    """Time as people write it: 7 s, 3:07 min, 2:15 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole // 60 % 60:02d} h"


def is_terminal(stream: Any) -> bool:
    """True where the line can be written again: a terminal that is not called dumb."""
    try:
        return bool(stream.isatty()) and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):
        return False


def printable(text: str, stream: Any) -> str:
    """The text as a stream's encoding can show it; what it cannot is written as what is like it, or as an escape."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, ERRORS).decode(encoding)
