"""The progress display. Truth: what stands in docs of the module, counted on a stream with a clock of our own."""

from __future__ import annotations

import errno
import io
import re
from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import pytest

from vitiq.cli.progress import ProgressBar, duration, printable
from vitiq.cli.study_options import StudyBar
from vitiq.evaluation import progress as progress_module
from vitiq.evaluation.study import Series
from vitiq.types import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_without_a_terminal_a_line_every_30_seconds_at_most(clock: Clock) -> None:
    stream = io.StringIO()
    with ProgressBar("iteration", label="a.png", stream=stream, clock=clock) as bar:
        for i in range(840):
            clock.now = i / 10
            bar(Progress(i, 840, 0.5))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert re.fullmatch(r"a\.png, iteration \d+ of 840, 30 s elapsed, 54 s left, loss 0\.5", lines[0])


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_nothing_is_written_before_there_is_something_to_say(stream: io.StringIO, clock: Clock) -> None:
    with ProgressBar("image", stream=stream, clock=clock):
        clock.now = 100
    with ProgressBar("image", stream=stream, clock=clock, quiet=True) as bar:
        clock.now = 200
        bar.update(3, total=4)
        bar.say("report")
    assert stream.getvalue() == ""


def test_a_terminal_shows_one_line_and_ends_clean(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("TERM", raising=False)
    stream = Terminal()
    with ProgressBar("image", stream=stream, clock=clock) as bar:
        bar(4)  # the total
        for i in range(1, 5):
            clock.now = float(i)
            bar(4)
    shown = stream.getvalue()
    assert "\n" not in shown
    assert "\x1b" not in shown, "no control sequences: NO_COLOR holds by itself"
    assert all(len(part) < 80 for part in shown.split("\r"))
    assert "image 1 of 4, 1 s elapsed\r" in re.sub(" +\r", "\r", shown)
    assert "image 2 of 4, 2 s elapsed, 2 s left" in shown
    assert shown.rsplit("\r", 2)[1].strip() == ""
    assert shown.endswith("\r")


def test_what_an_earlier_call_did_took_no_time_now(clock: Clock) -> None:
    bar = ProgressBar("task", total=10, clock=clock)
    bar.begin_at(6)
    bar.advance()
    clock.now = 4
    bar.advance()
    assert bar.text() == "task 8 of 10, 4 s elapsed, 8 s left"


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_time_left_counts_neither_loading_nor_what_was_kept(batch: int, clock: Clock) -> None:
    """20 s of loading, then 1 s a pair in batches: 200 of 400 pairs were kept by an earlier call."""
    bar = ProgressBar("pair", total=400, clock=clock)
    for _ in range(200):
        bar.advance(kept=True)
    clock.now = 20
    assert bar.text() == "pair 200 of 400, 20 s elapsed", "nothing is known yet"
    for place in range(200, 400):
        clock.now += batch * (place % batch == 0)
        bar.advance()
        shown = re.search(r"([0-9:]+)( s| min) left", bar.text())
        if place < 200 + batch:
            assert shown is None, bar.text()
        else:
            assert shown is not None
            minutes, _, seconds = shown[1].rpartition(":")
            assert int(minutes or 0) * 60 + int(seconds) == pytest.approx(399 - place, abs=batch + 1)


def test_the_report_of_a_study_has_a_progress_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """It said "100%, 0 s left" for the minutes that the images of 200 originals take."""
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.delenv("TERM", raising=False)
    with StudyBar(quiet=False) as bar:
        bar(progress_module.Step(8, 8, 0, "x.png JPEG", 3.0, 0.0))
        bar.say("report")
        monkeypatch.setattr("vitiq.cli.progress.REDRAW_SECONDS", 0.0)
        bar.files(1, 40)
    shown = stream.getvalue()
    assert "task 8 of 8" in shown
    assert "report, file 1 of 40" in shown
    assert "100%" not in shown.partition("report")[2]


def test_a_long_first_result_is_an_estimate(clock: Clock) -> None:
    """Where each takes many minutes, loading does not count."""
    bar = ProgressBar("image", total=3, clock=clock)
    clock.now = 600
    bar.advance()
    assert bar.text() == "image 1 of 3, 10:00 min elapsed, 20:00 min left"


def test_time_left_of_a_study_is_that_of_its_workers(clock: Clock) -> None:
    """Two workers load for 40 s, then each does a task a second: of 100 tasks, 49 s are left after two."""
    series = cast(Sequence[Series], [SimpleNamespace(optimises=False)])
    tasks = progress_module.Clock(series, {0: 100}, workers=2)
    bar = StudyBar(quiet=True)
    bar._bar = ProgressBar("", total=1.0, clock=clock)
    clock.now = 40
    shown = []
    for _ in range(10):
        clock.now += 1
        for _ in range(2):
            tasks.took(0, 1.0, failed=False)
            bar(tasks.step(""))
        shown.append(bar._bar.text())
    assert shown[0] == "task 2 of 100, 2%, 41 s elapsed, 49 s left"
    assert shown[-1] == "task 20 of 100, 20%, 50 s elapsed, 40 s left"


def test_streams_that_cannot_show_it_never_end_the_work(clock: Clock) -> None:
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    closed = io.StringIO()
    closed.close()
    for stream in (Full(), ascii_only, closed):
        bar = ProgressBar("image", stream=stream, clock=clock, label="é\udce9")
        clock.now += 100
        bar.update(1, total=2)
        bar.close()
    ascii_only.seek(0)
    assert ascii_only.read().startswith("\\xe9\\udce9, image 1 of 2")


def test_counts_what_is_iterated(clock: Clock) -> None:
    bar = ProgressBar("pair", total=3, clock=clock)
    assert list(bar.over("abc")) == ["a", "b", "c"]
    assert bar.text().startswith("pair 3 of 3")


@pytest.mark.parametrize(("seconds", "shown"), [(7.2, "7 s"), (187, "3:07 min"), (8100, "2:15 h"), (59.6, "1:00 min")])
def test_durations(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_printable_escapes_what_an_encoding_lacks() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    assert printable("é × → ∆ \udcff", stream) == "é × -> \\u2206 \\udcff"


def test_the_rest_is_estimated_from_series_of_the_same_kind() -> None:
    """Four searches took 4 s each; a first slow plain task must not make every other search last 35 times as long."""
    searching, plain = SimpleNamespace(optimises=True), SimpleNamespace(optimises=False)
    series = cast(Sequence[Series], [searching, plain, searching, plain])
    clock = progress_module.Clock(series, {0: 4, 1: 2, 2: 5, 3: 2})
    assert clock.seconds(0) == 35 * clock.seconds(1)
    for _ in range(4):
        clock.took(0, 4.0, failed=False)
    assert clock.seconds(1) == pytest.approx(4 / 35)
    clock.took(1, 10.0, failed=False)
    assert [clock.seconds(place) for place in range(4)] == [4.0, 10.0, 4.0, 10.0]
    step = clock.step("")
    assert (step.spent, step.rest) == (26, 10 + 5 * 4 + 2 * 10)
