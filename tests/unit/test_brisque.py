"""BRISQUE against LIVE's own numbers, and its model's sources.

Truth: `brisque` in results_official.csv (LIVE's MATLAB release on distorted images of TID2013); MATLAB's documented
imresize and circshift by direct evaluation; libsvm's text format. LIVE's files are found through $VITIQ_DATA.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import gennorm

from vitiq.errors import InputError, WeightsError
from vitiq.image.io import read_image
from vitiq.metrics.perceptual import brisque_features, brisque_model
from vitiq.metrics.perceptual.brisque import Brisque
from vitiq.metrics.perceptual.brisque_features import features, half_size, normalise
from vitiq.metrics.perceptual.brisque_model import load_model, parse_model
from vitiq.types import ImageU8
from vitiq.weights import store as weights


def test_scores_are_lives(vitiq_data: Path) -> None:
    """Exact to the digits printed where no window is flat (I04); within 0.002 where MATLAB's rounding has its say."""
    folder = vitiq_data / "brisque" / "calibration"
    with (folder / "results_official.csv").open() as file:
        rows = {row["Method"]: row for row in csv.DictReader(file)}
    metric = Brisque(vitiq_data / "brisque")
    for path in sorted((folder / "dist_dir").glob("*.bmp")):
        official = float(rows["brisque"][path.name])
        assert metric.score_one(read_image(path)) == pytest.approx(official, abs=1e-6 if path.stem == "I04" else 0.002)


def test_half_size_is_matlabs_imresize() -> None:
    """imresize's own words: cubic (a = -0.5) of width 4 stretched by two, output pixel u at 2 u - 0.5, mirrored."""
    values = np.random.default_rng(0).random((9, 14))

    def cubic(x: float) -> float:
        x = abs(x)
        return 1.5 * x**3 - 2.5 * x**2 + 1 if x <= 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0

    def along(line: np.ndarray) -> list[float]:
        size, mirrored = len(line), [*range(len(line)), *reversed(range(len(line)))]
        found = []
        for u in range(1, (size + 1) // 2 + 1):
            centre = 2 * u - 0.5
            places = range(int(np.floor(centre - 4)), int(np.floor(centre - 4)) + 10)
            kernel = np.array([cubic((centre - p) / 2) for p in places])
            found.append(float(kernel / kernel.sum() @ line[[mirrored[(p - 1) % (2 * size)] for p in places]]))
        return found

    expected = np.array([along(column) for column in np.array([along(row) for row in values]).T]).T
    assert half_size(values) == pytest.approx(expected, abs=1e-12)


def test_normalise_is_zero_where_a_window_is_flat() -> None:
    grey = np.full((40, 600), 100.0)
    grey[20, 300] = 200
    normed = normalise(grey)
    assert (normed[5:15, 5:-5] == 0).all()
    assert normed[20, 300] > 0 > normed[20, 302]


def test_the_fit_finds_the_shape_it_was_drawn_from() -> None:
    values = gennorm.rvs(1.3, size=(500, 500), random_state=np.random.default_rng(0))
    shape, variance = brisque_features._symmetric(values)
    assert shape == pytest.approx(1.3, abs=0.02)
    assert variance == pytest.approx(values.var(), rel=1e-3)


def test_degenerate_images() -> None:
    flat = np.full((64, 64, 3), 9, np.uint8)
    edge = np.zeros_like(flat)
    edge[:, 32:] = 200
    for image, words in ((flat, "flat colour"), (edge, "texture"), (flat[:15], "64×15 pixels given, .* at least 16")):
        with pytest.raises(InputError, match=words):
            features(np.ascontiguousarray(image))
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    score = Brisque()(np.zeros_like(noise), noise)
    assert np.isfinite(score.value)
    assert score.details["original"] != score.details["original"]  # NaN: the original is flat


def test_far_from_every_support_vector_the_score_tends_to_minus_rho(vitiq_data: Path) -> None:
    model = load_model(vitiq_data / "brisque")
    assert model.predict(model.high * 1e4) == -model.rho == 153.591


def test_model_of_the_package_is_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITIQ_CACHE", str(tmp_path))
    monkeypatch.delenv(brisque_model.ENVIRONMENT, raising=False)
    model = load_model()
    assert model.sha256.startswith("19526fb799c4")
    assert model.vectors.shape == (770, 36)
    assert "model:19526fb799c4" in Brisque().signature()


def test_fetched_model_of_live_comes_before_the_packages(
    vitiq_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITIQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(brisque_model.ENVIRONMENT, raising=False)
    urls = {weights.model_info(n).url: n for n in ("brisque-live", "brisque-live-range")}
    names = {"brisque-live": "allmodel", "brisque-live-range": "allrange"}
    monkeypatch.setattr(
        "urllib.request.urlopen", lambda url, timeout: (vitiq_data / "brisque" / names[urls[url]]).open("rb")
    )
    package = Brisque().signature()
    assert weights.fetch("brisque-live").parent == tmp_path / "cache" / "brisque-live"
    assert Brisque().signature() != package
    assert Brisque().signature() == Brisque(vitiq_data / "brisque").signature()


def test_folder_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: ImageU8) -> None:
    monkeypatch.setenv(brisque_model.ENVIRONMENT, str(tmp_path))
    with pytest.raises(WeightsError, match="allmodel"):
        Brisque().score_one(small)


@pytest.mark.parametrize("text", ["", "svm_type nu_svr\nSV\n", "svm_type epsilon_svr\ngamma 1\nrho 0\nSV\n1 99:3\n"])
def test_other_models_are_refused(text: str) -> None:
    with pytest.raises(WeightsError, match="libsvm"):
        parse_model(text, [0.0] * 36, [1.0] * 36)
