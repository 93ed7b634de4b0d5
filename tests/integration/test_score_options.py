"""`vitiq score`: what it reads, what it leaves out, and when it fails. Truth: the command contract in the help."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from program import Vitiq
from vitiq.codecs.spec import make_codec
from vitiq.image.io import write_png
from vitiq.types import ImageU8, Quality


def test_files_of_codecs_are_images(small: ImageU8, tmp_path: Path, vitiq: Vitiq) -> None:
    codec = make_codec("generative")
    data = codec.encode(small, Quality(codec.default_quality))
    write_png(tmp_path / "a.png", small)
    (tmp_path / "b.viq").write_bytes(data)
    code, out, _ = vitiq("score", tmp_path / "a.png", tmp_path / "b.viq", "-m", "mse", "--json", "--quiet")
    wanted = np.square(small.astype(float) - codec.decode(data)).mean()
    assert code == 0
    assert json.loads(out)["pairs"][0]["scores"]["mse"]["value"] == pytest.approx(wanted)
    (tmp_path / "b.viq").write_bytes(data[:-3])
    code, _, err = vitiq("score", tmp_path / "a.png", tmp_path / "b.viq", "-m", "mse", "--quiet")
    assert code == 1
    assert "b.viq" in err


def test_a_metric_named_and_not_defined_fails(tmp_path: Path, vitiq: Vitiq) -> None:
    path = tmp_path / "a.png"
    write_png(path, np.zeros((8, 8, 3), np.uint8))
    code, out, err = vitiq("score", path, path, "-m", "mse,ssim", "--json", "--quiet")
    assert code == 1
    assert "ssim is not defined" in err
    assert json.loads(out)["pairs"][0]["scores"]["mse"]["value"] == 0
    assert vitiq("score", path, path, "-m", "mse", "--quiet")[0] == 0


def test_reasons_why_a_metric_is_not_defined_are_counted_each(tmp_path: Path, vitiq: Vitiq) -> None:
    sides = {"flat": 64, "small": 8, "tiny": 4, "more": 4}
    for folder in ("r", "d"):
        (tmp_path / folder).mkdir()
        for name, side in sides.items():
            write_png(tmp_path / folder / f"{name}.png", np.full((side, side, 3), 9, np.uint8))
    code, out, err = vitiq("score", tmp_path / "r", tmp_path / "d", "-m", "brisque,mse", "--quiet")
    assert code == 1
    assert "brisque is not defined for 4 of 4 pairs: " in err
    assert "4×4 pixels given, BRISQUE needs sides of at least 16 (2); " in err
    assert "8×8 pixels given, BRISQUE needs sides of at least 16 (1)" in err
    assert "one flat colour (1)" in err
    assert "fewer than 12 values: the intervals are only rough" in out


@pytest.mark.parametrize("name", ["lpips", "lpips@nofolder", "ms-ssim"])
def test_what_stands_after_an_at_does_not_hide_that_a_metric_is_not_defined(
    name: str, tmp_path: Path, vitiq: Vitiq, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITIQ_CACHE", str(tmp_path / "empty"))
    path = tmp_path / "a.png"
    write_png(path, np.zeros((8, 8, 3), np.uint8))
    code, _, err = vitiq("score", path, path, "-m", f"{name},mse", "--quiet")
    assert code == 1
    assert f"{name.partition('@')[0]} is not defined" in err


def test_tables_behind_scores_are_left_to_details(small: ImageU8, tmp_path: Path, vitiq: Vitiq) -> None:
    path = tmp_path / "a.png"
    write_png(path, small)
    plain, full = (
        json.loads(vitiq("score", path, path, "-m", "vit-topk", "--json", *more, "--quiet")[1])["pairs"][0]["scores"]
        for more in ((), ("--details",))
    )
    assert "shared_labels" not in plain["vit-topk"]
    assert len(full["vit-topk"]["shared_labels"]) == 100
    assert plain["vit-topk"]["p_value"] == full["vit-topk"]["p_value"]
    code, _, err = vitiq("score", path, path, "-m", "mse", "--details")
    assert code == 2
    assert "--details adds to the JSON" in err
