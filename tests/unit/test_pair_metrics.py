"""Pixel and structural metrics against outside values and by hand.

Truth: scikit-image 0.26.0 (structural_similarity with gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
data_range=255, channel_axis=2, and with its defaults; mean_squared_error; peak_signal_noise_ratio), scipy 1.17
(correlate with mode="reflect", which is MATLAB's imfilter "symmetric"), official values of images of TID2013, and the
definitions.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.ndimage import correlate, correlate1d
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from vitiq.codecs.classical.pillow import Jpeg
from vitiq.errors import InputError
from vitiq.image.colour import luma
from vitiq.image.io import read_image
from vitiq.image.shared import shared, sharing
from vitiq.metrics.base import PairMetric
from vitiq.metrics.fidelity import ssim
from vitiq.metrics.fidelity.ms_ssim import SCALE_WEIGHTS, MsSsim, MsSsimY
from vitiq.metrics.fidelity.pixel import CHUNK, Mae, Mse, PsnrRgb, PsnrY, Rmse
from vitiq.metrics.fidelity.ssim import Ssim, SsimSkimage, SsimY, ssim_map
from vitiq.metrics.fidelity.windows import WIDTH, gaussian, window_sums
from vitiq.metrics.halves import halve
from vitiq.metrics.perceptual.brisque_features import GREY
from vitiq.metrics.scoring import resolve_metrics, score_pair
from vitiq.metrics.semantic import tiles
from vitiq.types import ImageU8, Quality

WANG = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
METRICS: tuple[PairMetric, ...] = (
    Mse(),
    Rmse(),
    Mae(),
    PsnrRgb(),
    PsnrY(),
    Ssim(),
    SsimY(),
    SsimSkimage(),
    MsSsim(),
    MsSsimY(),
)
SMALLEST = {"ssim": 11, "ssim-y": 11, "ssim-skimage": 7, "ms-ssim": 176, "ms-ssim-y": 176}


def jpeg(image: ImageU8) -> ImageU8:
    codec = Jpeg()
    return codec.decode(codec.encode(image, Quality(10)))


def skimage_ssim(a: object, b: object, **settings: object) -> float:
    return float(structural_similarity(a, b, **settings))  # type: ignore[no-untyped-call]


def skimage_psnr(a: object, b: object) -> float:
    return float(peak_signal_noise_ratio(a, b, data_range=255))  # type: ignore[no-untyped-call]


def noise(seed: int, height: int, width: int) -> ImageU8:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_values_are_scikit_images(bundled: dict[str, ImageU8]) -> None:
    for image in bundled.values():
        other = jpeg(image)
        expected: dict[Callable[[], PairMetric], float] = {
            Ssim: skimage_ssim(image, other, channel_axis=2, **WANG),
            SsimY: skimage_ssim(luma(image), luma(other), **WANG),
            SsimSkimage: skimage_ssim(image, other, channel_axis=2, data_range=255),
            Mse: mean_squared_error(image, other),
            Rmse: math.sqrt(mean_squared_error(image, other)),
            PsnrRgb: skimage_psnr(image, other),
            PsnrY: skimage_psnr(luma(image), luma(other)),
        }
        for metric, value in expected.items():
            assert metric()(image, other).value == pytest.approx(value, abs=1e-10), metric
        exact = np.abs(image.astype(int) - other.astype(int)).mean()
        assert Mae()(image, other).value == pytest.approx(exact, rel=1e-14)


def test_official_values_of_tid2013(vitiq_data: Path) -> None:
    """results_official.csv of the calibration images: `psnr` of RGB, `ssim` and `ms_ssim` of MATLAB's rounded grey.

    Its `ms_ssim` is what adding the scales gives (the authors' program: 'wtd_sum'), where the paper multiplies them.
    """
    folder = vitiq_data / "brisque" / "calibration"
    with (folder / "results_official.csv").open() as file:
        rows = {row["Method"]: row for row in csv.DictReader(file)}
    products = {"I03": 0.6700, "I04": 0.9996, "I06": 0.9998}
    for path in sorted((folder / "dist_dir").glob("*.bmp")):
        pair = read_image(folder / "ref_dir" / path.name), read_image(path)
        assert PsnrRgb()(*pair).value == pytest.approx(float(rows["psnr"][path.name]), abs=0.005)
        greys = [np.rint(image @ GREY).astype(np.uint8)[:, :, None] for image in pair]
        threes = [np.repeat(grey, 3, axis=2) for grey in greys]
        assert Ssim()(*threes).value == pytest.approx(float(rows["ssim"][path.name]), abs=5e-5)
        added = 0.0
        a, b = (grey.transpose(0, 2, 1) for grey in greys)
        for weight in SCALE_WEIGHTS:
            full, structure = ssim.mean_similarity(a, b)
            added += float((full if weight == SCALE_WEIGHTS[-1] else structure)[0]) * weight / sum(SCALE_WEIGHTS)
            a, b = halve(a), halve(b)
        assert added == pytest.approx(float(rows["ms_ssim"][path.name]), abs=5e-5)
        assert MsSsim()(*threes).value == pytest.approx(products[path.stem], abs=5e-5)


def test_ssim_map_is_scikit_images(bundled: dict[str, ImageU8]) -> None:
    image = np.ascontiguousarray(bundled["animal"][:77, :90])
    other = jpeg(image)
    _, expected = structural_similarity(image, other, channel_axis=2, full=True, **WANG)  # type: ignore[no-untyped-call]
    found = ssim_map(image, other)
    assert found.shape == (67, 80, 3)
    assert found == pytest.approx(expected[5:-5, 5:-5], abs=1e-10)
    assert found.mean() == pytest.approx(Ssim()(image, other).value, abs=1e-12)


def test_grey_images_score_alike_on_rgb_and_luma(bundled: dict[str, ImageU8]) -> None:
    grey = np.repeat(bundled["portrait"][:200, :200, :1], 3, axis=2)
    other = np.repeat(jpeg(grey)[:, :, :1], 3, axis=2)
    for colour, plain in ((PsnrRgb(), PsnrY()), (Ssim(), SsimY()), (MsSsim(), MsSsimY())):
        assert colour(grey, other).value == pytest.approx(plain(grey, other).value, abs=1e-9)


@pytest.mark.parametrize("shape", [(256, 256), (177, 203)])
def test_ms_ssim_by_the_authors_steps(bundled: dict[str, ImageU8], shape: tuple[int, int]) -> None:
    """The steps of the authors' program: filter2(window, …, 'valid'), imfilter(…, 'symmetric'), 1:2:end."""
    image = np.ascontiguousarray(bundled["building"][: shape[0], : shape[1]])
    a, b = (luma(x) for x in (image, jpeg(image)))
    window = np.outer(gaussian(11, 1.5), gaussian(11, 1.5))

    def blur(x: np.ndarray) -> np.ndarray:
        return np.asarray(correlate(x, window)[5:-5, 5:-5])

    expected = 1.0
    for scale, weight in enumerate(SCALE_WEIGHTS):
        means = blur(a), blur(b)
        variances = blur(a * a) - means[0] ** 2, blur(b * b) - means[1] ** 2
        structure = (2 * (blur(a * b) - means[0] * means[1]) + 58.5225) / (sum(variances) + 58.5225)
        if scale == 4:
            structure *= (2 * means[0] * means[1] + 6.5025) / (means[0] ** 2 + means[1] ** 2 + 6.5025)
        expected *= structure.mean() ** weight
        halves = (correlate(x, np.ones((2, 2)) / 4, mode="reflect", origin=-1)[::2, ::2] for x in (a, b))
        a, b = halves
    assert MsSsimY()(image, jpeg(image)).value == pytest.approx(expected, abs=1e-10)


def test_halving_keeps_means_and_repeats_an_odd_edge() -> None:
    values = np.arange(15, dtype=np.float64).reshape(3, 1, 5)
    assert halve(values)[:, 0].tolist() == [[3, 5, 6.5], [10.5, 12.5, 14]]


def test_exact_at_the_extremes_and_across_chunks() -> None:
    black, white = (np.full((200, CHUNK // 300, 3), v, np.uint8) for v in (0, 255))
    assert black.size > CHUNK
    assert Mse()(black, white).value == 65025
    assert Mae()(black, white).value == 255
    assert Rmse()(black, white).value == 255
    assert PsnrRgb()(black, white).value == 0
    assert PsnrY()(black, white).value == pytest.approx(0, abs=1e-12)
    assert Ssim()(black, white).value == pytest.approx(6.5025 / (65025 + 6.5025), rel=1e-12)
    one = np.zeros((1, 1, 3), np.uint8)
    two = one.copy()
    two[0, 0, 1] = 3
    assert [m(one, two).value for m in (Mse(), Mae())] == [3, 1]
    assert PsnrY()(one, two).value == pytest.approx(10 * math.log10(65025 / 1.761**2))


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.name)
def test_degenerate_images(metric: PairMetric) -> None:
    limit = SMALLEST.get(metric.name, 1)
    flat, other = np.full((limit, limit, 3), 7, np.uint8), np.full((limit, limit, 3), 9, np.uint8)
    best = metric.range[1] if metric.higher_is_better else metric.range[0]
    assert metric(flat, flat).value == best
    assert math.isfinite(metric(flat, other).value)
    assert metric(noise(0, limit, limit), noise(0, limit, limit)).value == best
    if limit > 1:
        small = np.zeros((limit - 1, 300, 3), np.uint8)
        with pytest.raises(InputError, match=f"300×{limit - 1} pixels given, .*at least {limit}"):
            metric(small, small)
    with pytest.raises(InputError, match="same size"):
        metric(flat, np.zeros((limit, limit + 1, 3), np.uint8))


@given(st.integers(11, 60), st.integers(11, 60), st.integers(0, 99), st.integers(0, 99))
def test_properties(height: int, width: int, seed: int, other: int) -> None:
    a, b = noise(seed, height, width), noise(other, height, width)
    for metric in METRICS:
        if SMALLEST.get(metric.name, 1) > 11:
            continue
        value = metric(a, b).value
        low, high = metric.range
        assert low <= value <= high
        assert value == pytest.approx(metric(b, a).value, abs=1e-12)
        turned = metric(np.ascontiguousarray(a[::-1, ::-1]), np.ascontiguousarray(b[::-1, ::-1])).value
        assert value == pytest.approx(turned, abs=1e-9)
        best = metric.range[1] if metric.higher_is_better else metric.range[0]
        assert (value == best) == (seed == other)
    assert Mae()(a, b).value <= Rmse()(a, b).value + 1e-12


@given(st.integers(3, 60), st.integers(3, 700), st.integers(1, 3), st.sampled_from([1, 3]))
@example(23, WIDTH // 3 + 9, 3, 3)
def test_windows_are_scipys(height: int, width: int, planes: int, length: int) -> None:
    values = np.random.default_rng(0).random((height, planes, width))
    taps = gaussian(length, 1.0)
    rows = correlate1d(correlate1d(values, taps, axis=0), taps, axis=2)
    edge = length // 2
    assert window_sums(values, taps) == pytest.approx(rows[edge : height - edge, :, edge : width - edge], abs=1e-12)


def test_a_table_has_the_values_of_its_metrics(bundled: dict[str, ImageU8]) -> None:
    pairs = [(image, jpeg(image)) for image in bundled.values()]
    with ThreadPoolExecutor(2) as threads:
        tables = list(threads.map(lambda pair: score_pair(pair[0], pair[1], METRICS), pairs))
    for (image, other), table in zip(pairs, tables, strict=True):
        for metric in METRICS:
            assert table[metric.name].value == metric(image, other).value


@pytest.mark.parametrize("metrics", [(Ssim(), MsSsim()), (SsimY(), MsSsimY())])
def test_a_table_compares_the_finest_scale_once(
    metrics: tuple[PairMetric, ...], small: ImageU8, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, sizes = np.resize(small, (176, 180, 3)), []

    def counted(a: np.ndarray, *rest: Any) -> Any:
        sizes.append(a.shape[0])
        return strips(a, *rest)

    strips = ssim._strips
    monkeypatch.setattr(ssim, "_strips", counted)
    score_pair(image, image, metrics)
    assert sizes == [176, 88, 44, 22, 11]


def test_shared_results_belong_to_their_images() -> None:
    calls: list[int] = []

    @shared
    def total(image: ImageU8) -> int:
        calls.append(1)
        return int(image.sum())

    a, b = np.ones((2, 2, 3), np.uint8), np.ones((2, 2, 3), np.uint8)
    with sharing(a):
        assert [total(a), total(a), total(b), total(b)] == [12] * 4
    assert len(calls) == 3
    a[0, 0, 0] = 3
    assert total(a) == 14


def test_other_arguments_tell_shared_results_apart() -> None:
    calls: list[str] = []

    @shared
    def named(name: str, image: ImageU8, power: int) -> str:
        calls.append(name)
        return f"{name} {int(image.sum()) ** power}"

    a = np.ones((2, 2, 3), np.uint8)
    with sharing(a):
        found = [named("x", a, 1), named("x", a, 1), named("y", a, 1), named("y", a, 2)]
    assert found == ["x 12", "x 12", "y 12", "y 144"]
    assert calls == ["x", "y", "y"]


def test_tiles_are_read_once_for_all_metrics_of_a_pair(small: ImageU8, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where an image has more tiles than a network's cache keeps."""
    metrics = resolve_metrics("vit-tiles,vit-regions")
    asked: list[int] = []

    def counted(a: np.ndarray, _: np.ndarray) -> np.ndarray:
        asked.append(len(a))
        return np.ones((len(a), 3, 4))

    monkeypatch.setattr(tiles, "level_distances", counted)
    score_pair(small, small[::-1].copy(), metrics)
    assert len(asked) == 1
