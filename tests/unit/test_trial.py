"""Images dropped into `vitiq view`: memory and disk stay bounded however many there are, and what goes, goes whole."""

from __future__ import annotations

import io
import re
import tracemalloc
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vitiq.codecs.spec import make_codec
from vitiq.errors import InputError
from vitiq.report import trial as module
from vitiq.report.server import Handler, ViewServer
from vitiq.report.trial import Trial


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    monkeypatch.setattr(module, "METRICS", "mse")
    made = Trial()
    monkeypatch.setattr(made, "_map", lambda image, rebuilt, key: made.folder / f"{key[:24]}.npz")
    yield made
    made.close()


def encoded_image(number: int, side: int = 24) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((side, side, 3), number, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_dropped_images_are_not_kept_in_memory(trial: Trial) -> None:
    trial.add("first", encoded_image(0, 400))
    tracemalloc.start()
    for number in range(1, 9):
        trial.add(f"{number}", encoded_image(number, 400))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 400 * 400 * 3  # eight of these would be 3.8 MB


def test_the_oldest_go_with_what_was_made_of_them(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    trial.add("0", encoded_image(0))
    trial.encode("0", "jpeg", 50)
    trial.add("same pixels", encoded_image(0))
    trial.encode("same pixels", "jpeg", 60)
    for number in (1, 2):
        trial.add(str(number), encoded_image(number))
    with pytest.raises(InputError, match="was not dropped here"):
        trial.encode("0", "jpeg", 50)
    records = trial.study().records
    assert [record.image for record, _ in records] == ["same pixels"]
    for _, files in records:
        assert files.original is not None
        assert files.original.exists()  # shared with the one that went
    trial.encode("same pixels", "jpeg", 70)
    for number in (3, 4):
        trial.add(str(number), encoded_image(number))
    assert trial.study().records == []
    assert len(list(trial.folder.iterdir())) == 3


def test_of_many_reconstructions_the_oldest_files_go(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 4)
    trial.add("x", encoded_image(9))
    for quality in range(20, 90, 10):
        trial.encode("x", "jpeg", quality)
    assert len(trial.study().records) == 4
    assert len(list(trial.folder.iterdir())) == 1 + 4


def test_a_name_given_twice_keeps_both(trial: Trial) -> None:
    assert trial.add("x", encoded_image(1))["image"] == "x"
    assert trial.add("x", encoded_image(2))["image"] == "x'"
    assert trial.add("x", encoded_image(1))["image"] == "x"
    with pytest.raises(InputError, match="images of 24×24 and 30×30 pixels given"):
        trial.pair("y", encoded_image(1, 30), "x")


def test_a_reconstruction_may_be_a_file_of_any_codec(trial: Trial) -> None:
    trial.add("x", encoded_image(120))
    data = make_codec("generative-mse").encode(np.full((24, 24, 3), 120, np.uint8))
    answer = trial.pair("x.viq", data, "x")
    assert (answer["image"], answer["bytes"]) == ("x", len(data))
    with pytest.raises(InputError, match=r"x\.viq"):
        trial.pair("x.viq", b"neither an image nor a file of a codec", "x")


def test_codecs_that_need_options_are_not_offered(trial: Trial) -> None:
    offered = re.findall(r'<option value="([^"]+)"', trial.panel())
    assert {"jpeg", "webp", "generative"} <= set(offered)
    assert not {"cmd", "compressai"} & set(offered)


def test_a_browser_that_leaves_before_its_answer_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    """socketserver prints what a request raises; a tab that was closed is none of a user's business."""
    server = ViewServer.__new__(ViewServer)
    for error, said in ((BrokenPipeError(), False), (ConnectionResetError(), False), (ZeroDivisionError(), True)):
        try:
            raise error
        except (OSError, ArithmeticError):
            server.handle_error(None, ("127.0.0.1", 1))
        assert ("Traceback" in capsys.readouterr().err) is said


def test_a_length_in_other_digits_is_refused() -> None:
    """`"²".isdigit()` is true, and `int` does not take it."""
    handler: Any = Handler.__new__(Handler)
    handler.path, handler.headers = "/drop", {"Content-Length": "²"}
    refused: list[HTTPStatus] = []
    handler._refuse = lambda status, _: refused.append(status)
    handler.do_POST()
    assert refused == [HTTPStatus.LENGTH_REQUIRED]
