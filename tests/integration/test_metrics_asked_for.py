"""Metrics as they are asked for, wherever they are named. Truth: what was typed, and files laid out by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import vitiq as library
from program import Vitiq
from vitiq.errors import SettingError
from vitiq.evaluation.bench import read_study_file
from vitiq.image.io import write_png
from vitiq.metrics.spec import DEFAULT_SETS

TWO = "mse,lpips@one,lpips@two"
SAID = "metrics lpips@one and lpips@two given, both are called lpips"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    for name in ("a", "b"):
        write_png(folder / f"{name}.png", rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    return folder


@pytest.fixture
def rated(photos: Path) -> Path:
    rows = "".join(f"{i}.png,a.png,{i}\n" for i in range(6))
    for i in range(6):
        write_png(photos / f"{i}.png", np.full((32, 32, 3), 40 * i, np.uint8))
    (photos / "mos.csv").write_text(f"distorted,reference,mos\n{rows}")
    return photos


def test_one_metric_with_two_folders_is_a_usage_error_in_every_command(vitiq: Vitiq, rated: Path) -> None:
    """The last one won without a word."""
    study = rated.parent / "study.toml"
    study.write_text('images = ["photos"]\ncodecs = ["jpeg@10"]\nmetrics = ["lpips@one", "lpips@two"]\n')
    out = rated.parent / "out"
    for words in (
        ("score", rated / "a.png", rated / "b.png", "-m", TWO),
        ("score", rated, rated, "-m", TWO),
        ("bench", rated, "-c", "jpeg@10", "-m", TWO, "-o", out),
        ("run", rated, "-c", "jpeg", "-q", "10", "-m", TWO, "-o", out),
        ("validate", rated, "-m", TWO),
    ):
        answer = vitiq(*words)
        assert (answer.code, len(answer.lines)) == (2, 1), answer.err
        assert SAID in answer.err
    answer = vitiq("bench", study, "-o", out)
    assert answer.code == 2
    assert f"metrics lpips@{rated.parent / 'one'} and lpips@{rated.parent / 'two'} given" in answer.err
    assert not out.exists()


@pytest.mark.parametrize(
    "call",
    [
        lambda _, image: library.score(image, image, TWO),
        lambda _, image: library.score(image, image, ["lpips@one", "lpips@two"]),
        lambda _, image: library.metric("lpips@one,lpips@two")(image, image),
        lambda folder, _: library.score_folder(folder, folder, TWO),
        lambda folder, _: library.run_study([folder], ["jpeg@10"], folder.parent / "out", metrics=TWO),
    ],
)
def test_one_metric_with_two_folders_is_refused_from_python(
    photos: Path, call: Callable[[Path, np.ndarray], object]
) -> None:
    with pytest.raises(SettingError, match="lpips@one and lpips@two given, both are called lpips"):
        call(photos, np.zeros((32, 32, 3), np.uint8))


def test_folders_of_metrics_in_a_study_file_are_relative_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As its images are; they were relative to the current folder."""
    (tmp_path / "here").mkdir()
    (tmp_path / "elsewhere").mkdir()
    file = tmp_path / "here" / "study.toml"
    file.write_text(
        """metrics = ["psnr,vit-topk@10", "lpips@weights/", 'dists@"a,b"', "wasserstein@4", "lpips-vgg@/there"]\n"""
        'images = ["photos"]\n'
    )
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = read_study_file(file)
    here = file.parent
    assert found.images == (here / "photos",)
    wanted = f'psnr,vit-topk@10,lpips@{here / "weights"},dists@"{here / "a,b"}",wasserstein@4,lpips-vgg@/there'
    assert found.metrics.names == wanted


def test_validate_says_which_metrics_of_a_group_it_leaves_out(vitiq: Vitiq, rated: Path) -> None:
    words = ("validate", rated, "-m", "default,mse", "--resamples", 40, "--jobs", 1)
    sets = list(DEFAULT_SETS)
    answer = vitiq(*words, "--json")
    assert answer.code == 0
    assert json.loads(answer.out)["left_out"] == sets
    assert f"{', '.join(sets)}: left out, as sets of images have no opinion" in answer.lines
    assert "left_out" not in json.loads(vitiq(*words[:2], "-m", "mse", *words[4:], "--json").out)
