"""What Ctrl-C may cut. Truth: signal(7), and what a shell does for background jobs (SIGINT ignored)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType

import pytest

from vitiq.__main__ import main as start
from vitiq.cli import main as program
from vitiq.cli.stop import StoppedHalfway, resumable
from vitiq.signals import OutOfTime, stop_on_signals, time_limit, undisturbed


@pytest.fixture
def hears_sigint() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def stopped(done: list[int], number: int = signal.SIGINT) -> None:
    with undisturbed():
        os.kill(os.getpid(), number)
        done.append(1)
    done.append(2)


@pytest.mark.usefixtures("hears_sigint")
def test_ctrl_c_waits_for_the_end_of_the_block() -> None:
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        stopped(done)
    assert done == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("hears_sigint")
def test_ctrl_c_is_answered_though_the_block_fails() -> None:
    with pytest.raises(KeyboardInterrupt), suppress(OSError), undisturbed():  # noqa: PT012 - the signal comes within
        os.kill(os.getpid(), signal.SIGINT)
        raise OSError("full")


@pytest.mark.usefixtures("hears_sigint")
def test_every_signal_that_came_is_answered() -> None:
    """The first Ctrl-C of a study asks it to stop, the second one stops it."""
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    with undisturbed():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    assert came == [signal.SIGINT, signal.SIGINT]


def test_time_that_is_over_waits_for_the_end_of_a_block_that_must_not_be_cut() -> None:
    done: list[int] = []
    with pytest.raises(OutOfTime), time_limit() as limit:  # noqa: PT012 - what comes of a timer comes within
        limit(60.0)
        limit(0.02)
        limit(60.0)
        with undisturbed():
            time.sleep(0.1)
            done.append(1)
        done.append(2)
    assert done == [1]
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_sigterm_waits_too_where_it_is_answered() -> None:
    before, done = signal.getsignal(signal.SIGTERM), list[int]()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        stop_on_signals()
        with pytest.raises(KeyboardInterrupt):
            stopped(done, signal.SIGTERM)
        assert done == [1]
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stop_on_signals()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_sigterm_leaves_no_semaphores_to_the_tracker() -> None:
    """What the program does before any work: its one line is all that stands on standard error."""
    code = """
import multiprocessing, time
from vitiq.cli import main
def work(**_):
    kept = multiprocessing.get_context("spawn").Event()
    print("ready", flush=True)
    time.sleep(60)
main.cli.main = work
main.main()
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate()
    assert said == "vitiq: error: stopped\n"
    assert process.returncode == 130


@pytest.mark.usefixtures("hears_sigint")
def test_a_background_job_goes_through() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    done: list[int] = []
    stopped(done)
    assert done == [1, 2]
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.usefixtures("hears_sigint")
def test_threads_have_nothing_to_hold_back() -> None:
    done: list[int] = []

    def work() -> None:
        with undisturbed():
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]


def test_resumable_work_says_so() -> None:
    with pytest.raises(StoppedHalfway), resumable():
        raise KeyboardInterrupt


@pytest.mark.usefixtures("hears_sigint")
def test_a_handler_of_the_user_is_put_back() -> None:
    def own(_: int, __: FrameType | None) -> None:
        raise AssertionError

    signal.signal(signal.SIGINT, own)
    with undisturbed():
        pass
    assert signal.getsignal(signal.SIGINT) is own


ASKS = """
import os, signal, sys
from vitiq.foreign import guarded
from vitiq.signals import stop_on_signals
signal.signal(signal.SIGINT, getattr(signal, sys.argv[1]))
stop_on_signals()
try:
    with guarded("plugin.module"):
        if sys.argv[2] == "signal":
            os.kill(os.getpid(), signal.SIGINT)
        raise KeyboardInterrupt
except BaseException as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize(
    ("before", "who", "said"),
    [
        ("default_int_handler", "plug-in", "RuntimeError"),
        ("default_int_handler", "signal", "KeyboardInterrupt"),
        ("SIG_IGN", "plug-in", "RuntimeError"),
        ("SIG_DFL", "plug-in", "KeyboardInterrupt"),
    ],
)
def test_an_interrupt_that_a_plugin_raises_is_a_failure_of_its_own(before: str, who: str, said: str) -> None:
    """SIG_DFL stands for a handler of somebody else, which may have raised it."""
    done = subprocess.run([sys.executable, "-c", ASKS, before, who], capture_output=True, text=True, check=True)
    assert done.stdout == f"{said}\n"


@pytest.mark.parametrize("step", ["prepare", "reserve_output", "stop_on_signals", "check_folder"])
def test_ctrl_c_while_the_program_gets_ready_is_one_line(
    step: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    for name in ("prepare", "reserve_output", "stop_on_signals"):
        monkeypatch.setattr(program, name, lambda: None)
    monkeypatch.setattr(program, step, stopped)
    with pytest.raises(SystemExit) as ended:
        start()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "vitiq: error: stopped\n"
