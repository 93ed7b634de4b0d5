"""`vitiq score`: what it reads, what it leaves out, and when it fails. Truth: the command contract in the help."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from vitiq.cli.main import main
from vitiq.codecs.spec import make_codec
from vitiq.image.io import write_png
from vitiq.types import ImageU8, Quality


def score(patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    patch.setattr(sys, "argv", ["vitiq", "score", *map(str, arguments), "--quiet"])
    code = 0
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_files_of_codecs_are_images(
    small: ImageU8, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    codec = make_codec("generative")
    data = codec.encode(small, Quality(codec.default_quality))
    write_png(tmp_path / "a.png", small)
    (tmp_path / "b.viq").write_bytes(data)
    code, out, _ = score(monkeypatch, capsys, tmp_path / "a.png", tmp_path / "b.viq", "-m", "mse", "--json")
    wanted = np.square(small.astype(float) - codec.decode(data)).mean()
    assert code == 0
    assert json.loads(out)["pairs"][0]["scores"]["mse"]["value"] == pytest.approx(wanted)
    (tmp_path / "b.viq").write_bytes(data[:-3])
    code, _, err = score(monkeypatch, capsys, tmp_path / "a.png", tmp_path / "b.viq", "-m", "mse")
    assert code == 1
    assert "b.viq" in err


def test_a_metric_named_and_not_defined_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.png"
    write_png(path, np.zeros((8, 8, 3), np.uint8))
    code, out, err = score(monkeypatch, capsys, path, path, "-m", "mse,ssim", "--json")
    assert code == 1
    assert "ssim is not defined" in err
    assert json.loads(out)["pairs"][0]["scores"]["mse"]["value"] == 0
    assert score(monkeypatch, capsys, path, path, "-m", "mse")[0] == 0


def test_tables_behind_scores_are_left_to_details(
    small: ImageU8, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.png"
    write_png(path, small)
    plain, full = (
        json.loads(score(monkeypatch, capsys, path, path, "-m", "vit-topk", "--json", *more)[1])["pairs"][0]["scores"]
        for more in ((), ("--details",))
    )
    assert "shared_labels" not in plain["vit-topk"]
    assert len(full["vit-topk"]["shared_labels"]) == 100
    assert plain["vit-topk"]["p_value"] == full["vit-topk"]["p_value"]
