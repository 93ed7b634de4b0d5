"""Curves and comparisons of a study. Truth: identities (a codec of nine tenths of the bits; the same images twice), and
scipy's own bootstrap for the interval of a mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

from vitiq.analysis.batched import mean_difference, ordered, points_used
from vitiq.analysis.bd_rate import bd_rate
from vitiq.analysis.bootstrap import draws, interval
from vitiq.analysis.comparison import average_over_metrics, compare
from vitiq.analysis.curve import Method, curve
from vitiq.analysis.mean_curve import mean_curves
from vitiq.analysis.pareto import candidates
from vitiq.analysis.points import RdPoint, codecs_of, gather, metrics_of, points_of
from vitiq.errors import InputError
from vitiq.types import Score

RATES = np.array([0.1, 0.2, 0.4, 0.8, 1.6])


def study(images: int = 12, share: float = 0.9, noise: float = 0.0) -> list[RdPoint]:
    """Two codecs on images of different difficulty; the second needs a share of the first one's bits."""
    rng = np.random.default_rng(0)
    points = []
    for i in range(images):
        hard = rng.uniform(0.4, 2.5)
        own = share * np.exp(rng.normal(0, noise))
        for q, rate in enumerate(RATES):
            psnr = 30 + 6 * np.log2(rate / 0.1) / np.log2(2.3) / 2
            for codec, factor in (("old", 1.0), ("new", own)):
                values = {"psnr-rgb": psnr, "mse": 65025 * 10 ** (-psnr / 10)}
                points.append(RdPoint(f"{i}.png", codec, f"quality={q}", rate * hard * factor, values))
    return points


def test_a_codec_of_nine_tenths_of_the_bits() -> None:
    for metric, better in (("psnr-rgb", True), ("mse", False)):
        for pool in ("metric", "mse"):
            if metric == "mse" and pool == "mse":
                continue
            found = compare(study(), "new", "old", metric, higher_is_better=better, resamples=50, pool=pool)
            assert found.rate.value == pytest.approx(-10)
            assert (found.rate.low, found.rate.high) == pytest.approx((-10, -10)), "paired: the images do not matter"
            assert found.mean_rate.value == pytest.approx(-10)
            assert (found.images, found.overlap, found.refused, found.notes) == (12, 1, None, ())
            assert (found.quality.value > 0) == better
            assert set(found.image_rate) == {f"{i}.png" for i in range(12)}


def test_the_interval_widens_with_the_differences_between_images() -> None:
    found = compare(study(24, noise=0.2), "new", "old", "psnr-rgb")
    assert found.rate.low < found.rate.value < found.rate.high
    assert found.mean_rate.low < found.mean_rate.value < found.mean_rate.high
    each = np.array(list(found.image_rate.values()))
    theirs = bootstrap((each,), np.mean, method="percentile", n_resamples=4000, rng=0).confidence_interval
    assert (found.mean_rate.low, found.mean_rate.high) == pytest.approx((theirs.low, theirs.high), abs=1.0)
    low, high = found.extremes or (("", 0), ("", 0))
    assert (low[1], high[1]) == (each.min(), each.max())
    again = compare(study(24, noise=0.2), "new", "old", "psnr-rgb")
    assert again == found, "seeded"
    few = compare(study(6, noise=0.2), "new", "old", "psnr-rgb")
    assert few.mean_rate.high - few.mean_rate.low > found.mean_rate.high - found.mean_rate.low


@given(seed=st.integers(0, 999), points=st.integers(3, 8), method=st.sampled_from(["akima", "pchip"]))
def test_many_curves_at_once_are_what_one_at_a_time_gives(seed: int, points: int, method: Method) -> None:
    rng = np.random.default_rng(seed)
    rates, values = (
        np.cumsum(rng.uniform(0.05, 1, (2, 5, points)), 2),
        np.cumsum(rng.uniform(0.1, 3, (2, 5, points)), 2),
    )
    logs = np.log(rates)
    assert ordered(rates[0], values[0]).all()
    assert points_used(rates[0], values[0]).all()
    assert method != "cubic"
    found = mean_difference((values[0], logs[0]), (values[1], logs[1]), method, 0.3)
    for row, mean in enumerate(found):
        one = (rates[0, row], values[0, row], rates[1, row], values[1, row])
        if np.isnan(mean):
            with pytest.raises(InputError, match="share"):
                bd_rate(*one, method=method, least_shared=0.3)
        else:
            assert np.expm1(mean) * 100 == pytest.approx(
                bd_rate(*one, method=method, least_shared=0.3).percent, rel=1e-9
            )


@given(seed=st.integers(0, 999), points=st.integers(3, 9))
def test_the_points_of_many_curves_are_those_of_one_at_a_time(seed: int, points: int) -> None:
    rng = np.random.default_rng(seed)
    rates = np.cumsum(rng.uniform(0.05, 1, (20, points)), 1)
    values = np.cumsum(rng.uniform(-1, 1, (20, points)), 1)
    for rate, value, used in zip(rates, values, points_used(rates, values), strict=True):
        if used.sum() < 3:
            with pytest.raises(InputError, match="points of a curve"):
                curve(rate, value)
        else:
            assert curve(rate, value).rate.tolist() == rate[used].tolist()


def in_steps(unit: float, images: int = 8) -> list[RdPoint]:
    """Two codecs in a metric of few values, as a ViT-Score is: many means of a resample are tied."""
    rng = np.random.default_rng(5)
    points = []
    for i in range(images):
        for codec, factor in (("old", 1.0), ("new", 0.8)):
            steps = 80 + np.cumsum(rng.integers(0, 3, len(RATES)) * (rng.random(len(RATES)) < 0.7))
            for q, (rate, value) in enumerate(zip(RATES, steps, strict=True)):
                points.append(RdPoint(f"{i}.png", codec, f"quality={q}", factor * rate, {"m": unit * float(value)}))
    return points


def test_means_that_are_tied_but_for_rounding_make_no_step() -> None:
    """Eighths of whole numbers are exact in binary, those of hundredths are not: the intervals are the same."""
    exact, rounded = (compare(in_steps(unit), "new", "old", "m", resamples=400) for unit in (1.0, 0.01))
    assert np.isfinite([exact.rate.low, exact.rate.high]).all()
    for one, other in ((exact.rate, rounded.rate), (exact.mean_rate, rounded.mean_rate)):
        assert (other.value, other.low, other.high) == pytest.approx((one.value, one.low, one.high), rel=1e-6)
    x, y = np.array([[1.0, 2, 3, 4]]), np.array([[0.7, 0.82, 0.9, 0.9 + 1.2e-16]])
    assert points_used(x, y).tolist() == [[True, True, True, False]]
    assert curve(x[0], y[0]).rate.tolist() == [1, 2, 3]
    assert not ordered(np.array([[1.0, 1 + 3e-16, 3, 4]]), y).any(), "rates are tied likewise"
    assert curve(np.array([1.0, 1 + 3e-16, 3, 4]), np.array([0.75, 0.7, 0.88, 0.9])).quality.tolist() == [
        0.75,
        0.88,
        0.9,
    ]


@pytest.mark.filterwarnings("error")
def test_a_line_that_leaves_its_points_far_behind_is_refused_and_in_no_interval() -> None:
    """Akima's line through points of which two are nearly tied, as of a metric that hardly changes."""
    # it was 7e19 %
    rate, quality = np.exp([-0.383, 0.297, 0.827]), np.array([0.89209797, 1.01218262, 1.01230995])
    other = np.exp([-0.438, 0.243, 0.763]), np.array([0.8927737, 1.01479952, 1.02324452])
    with pytest.raises(InputError, match=r"the akima line through 3 points overshoots them: its mean is -0\.685"):
        bd_rate(rate, quality, *other)
    assert abs(bd_rate(rate, quality, *other, method="pchip").percent) < 20
    a, b = ((y[None], np.log(x)[None]) for x, y in ((rate, quality), other))
    assert np.isnan(mean_difference(a, b, "akima", 0.5)).all()
    assert np.isfinite(mean_difference(a, b, "pchip", 0.5)).all()


def test_resamples_that_are_no_curve_take_their_hull() -> None:
    points = [
        RdPoint(
            p.image, p.codec, p.setting, p.bpp, {"psnr-rgb": p.values["psnr-rgb"] - 20 * (p.setting == "quality=3")}
        )
        for p in study(8, noise=0.2)
    ]
    found = compare(points, "new", "old", "psnr-rgb", resamples=40)
    assert found.rate.low < found.rate.value < found.rate.high
    assert sum("upper hull" in note for note in found.notes) == 2
    cubic = compare(study(8, noise=0.2), "new", "old", "psnr-rgb", resamples=40, method="cubic")
    akima = compare(study(8, noise=0.2), "new", "old", "psnr-rgb", resamples=40)
    assert cubic.rate.low == pytest.approx(akima.rate.low, abs=0.2)


def test_one_image_has_no_interval() -> None:
    found = compare(study(1), "new", "old", "psnr-rgb")
    assert found.rate.value == pytest.approx(-10)
    assert np.isnan([found.rate.low, found.rate.high, found.mean_rate.low]).all()


def test_an_image_that_a_codec_reproduces_exactly_does_not_cost_the_mean_of_the_others() -> None:
    """As a drawing among photographs, of a codec that stores it without loss at all but its lowest rate."""
    points = [
        replace(p, values={"psnr-rgb": np.inf, "mse": 0.0})
        if (p.image, p.codec) == ("3.png", "new") and p.setting != "quality=0"
        else p
        for p in study()
    ]
    for pool in ("metric", "mse"):
        found = compare(points, "new", "old", "psnr-rgb", resamples=50, pool=pool)
        assert found.rate.value == pytest.approx(-10)
        assert found.images == 11
        left = "3.png left out: new has no finite value at over half of its settings"
        assert found.notes == (left, "11 images only: the interval is only rough, and too narrow")
    curves = mean_curves(points, "psnr-rgb", resamples=20)
    assert [(c.images, len(c.settings)) for c in curves] == [(11, 5), (11, 5)], "of both codecs alike"
    assert curves[0].left_out == (left,)


def test_an_infinite_value_is_left_out_of_the_image_and_of_the_mean() -> None:
    points = [
        RdPoint(p.image, p.codec, p.setting, p.bpp, {"psnr-rgb": np.inf})
        if (p.image, p.setting) == ("3.png", "quality=4")
        else p
        for p in study()
    ]
    found = compare(points, "new", "old", "psnr-rgb", resamples=50)
    assert found.rate.value == pytest.approx(-10)
    assert (found.rate.low, found.rate.high) == pytest.approx((-10, -10))
    assert any("1 of 5 points left out" in note for note in found.notes)
    curves = mean_curves(points, "psnr-rgb", resamples=20)
    assert [len(c.settings) for c in curves] == [4, 4]
    assert "no finite psnr-rgb" in curves[0].left_out[0]
    every = [RdPoint(p.image, p.codec, p.setting, p.bpp, {"psnr-rgb": np.nan}) for p in study()]
    none = compare(every, "new", "old", "psnr-rgb", resamples=5)
    assert none.refused is not None
    assert np.isnan(none.rate.value)
    assert mean_curves(every, "psnr-rgb", resamples=5)[0].rate.size == 0


def test_curves_far_apart_are_refused_with_the_figure_and_others_are_not() -> None:
    apart = [
        RdPoint(p.image, p.codec, p.setting, p.bpp, {"psnr-rgb": p.values["psnr-rgb"] + 9 * (p.codec == "new")})
        for p in study()
    ]
    found = compare(apart, "new", "old", "psnr-rgb", resamples=5)
    assert "they share" in (found.refused or "")
    assert "%" in (found.refused or "")
    assert np.isnan(found.rate.low)
    assert any("12 of 12 images have no delta" in note for note in found.notes)
    assert found.extremes is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda p, q: replace(p, bpp=0.0) if q == 0 else p, "rates from 0 given, above 0 expected"),
        (lambda p, q: p if q < 2 else None, "2 points of a curve given, 3 or more expected"),
        (lambda p, q: replace(p, values={"psnr-rgb": 30.0}), "the upper hull"),
        (lambda p, q: replace(p, values={"psnr-rgb": 90.0 + q}), "they share 0% of the narrower"),
    ],
)
def test_images_without_a_delta_are_given_with_the_reason(
    change: Callable[[RdPoint, int], RdPoint | None], why: str
) -> None:
    """It always said that the curves share too little; a rate of 0 printed NumPy's warnings besides."""
    given = [p if p.codec == "old" else change(p, int(p.setting[-1])) for p in study(6)]
    found = compare([p for p in given if p is not None], "new", "old", "psnr-rgb", resamples=20)
    assert "6 of 6 images have no delta of their own, for the same reason" in found.notes
    assert found.refused is not None
    assert why in found.refused


def test_images_without_a_partner_are_left_out_and_said() -> None:
    points = [p for p in study() if (p.image, p.codec) != ("2.png", "new")]
    points = [p for p in points if (p.image, p.codec, p.setting) != ("5.png", "old", "quality=1")]
    found = compare(points, "new", "old", "psnr-rgb", resamples=5)
    assert found.images == 10
    assert found.notes == (
        "old: 1 of 12 images left out: not coded at every setting",
        "old: 1 of 11 images left out: no partner",
        "new: 1 of 11 images left out: no partner",
    )
    assert [c.images for c in mean_curves(points, "psnr-rgb", resamples=5)] == [10, 10]
    with pytest.raises(InputError, match="no image is coded"):
        compare([p for p in points if (p.codec == "new") == (p.image == "1.png")], "new", "old", "psnr-rgb")


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(InputError, match="'newer' given, expected one of old, new"):
        gather(study(), "newer", "mse")
    with pytest.raises(InputError, match=r"'ssim' given.* it has psnr-rgb, mse"):
        gather(study(), "new", "ssim")
    with pytest.raises(InputError, match=r"0\.png appears twice at quality=0"):
        gather([*study(), study()[0]], "old", "mse")


def test_a_published_mean_against_a_study() -> None:
    values = 30 + 6 * np.log2(RATES / 0.1) / np.log2(2.3) / 2
    points = study()
    size = np.mean([p.bpp for p in points if (p.codec, p.setting) == ("old", "quality=0")]) / RATES[0]
    points += [
        RdPoint("twelve", "book", f"point={i}", 2 * size * r, {"psnr-rgb": v}, aggregate=True)
        for i, (r, v) in enumerate(zip(RATES, values, strict=True))
    ]
    found = compare(points, "book", "old", "psnr-rgb", resamples=50)
    assert found.rate.value == pytest.approx(100)
    assert found.rate.low < 99 < 101 < found.rate.high, "the study's images vary, the book's do not: not paired"
    assert found.image_rate == {}
    assert (found.images, found.notes) == (
        0,
        ("book is a published mean of 'twelve': of other images, as far as is known",),
    )
    both = compare(points, "book", "book", "psnr-rgb")
    assert (both.images, both.notes) == (0, ()), "of one set"
    assert both.rate.value == pytest.approx(0)
    assert np.isnan(both.rate.low)
    curves = mean_curves(points, "psnr-rgb", resamples=20)
    assert [(c.codec, c.images) for c in curves] == [("old", 12), ("new", 12), ("book", 1)]


def test_files_at_equal_bytes_have_no_curve_and_it_is_said_what_gives_one() -> None:
    """Of `vitiq run`: one quality of the main codec, and the others at the size of each image's file."""
    main = [p for p in study(3) if (p.codec, p.setting) == ("old", "quality=0")]
    others = [replace(p, codec="new", setting=f"bytes={1000 + n}") for n, p in enumerate(main)]
    said = r"^new: one file an image, each of a size of its own.* run `vitiq bench` with several qualities$"
    with pytest.raises(InputError, match=said):
        compare([*main, *others], "new", "old", "psnr-rgb")
    with pytest.raises(InputError, match=said):
        mean_curves([*main, *others], "psnr-rgb")
    with pytest.raises(InputError, match=said):
        candidates([*main, *others], "psnr-rgb", higher_is_better=True)
    apart = [*study(2), *(replace(p, image="a.png", codec="third") for p in study(1) if p.codec == "old")]
    with pytest.raises(InputError, match="no image is coded at every setting"):
        compare(apart, "third", "old", "psnr-rgb")


def test_mean_curves_and_their_intervals() -> None:
    old, new = mean_curves(study(24, noise=0.2), "psnr-rgb", resamples=200)
    assert (old.codec, new.codec) == ("old", "new")
    assert (np.diff(old.rate) > 0).all()
    np.testing.assert_allclose(old.value_low, old.value)
    assert np.isnan(mean_curves(study(1), "psnr-rgb")[0].value_low).all(), "one image has no interval"


def test_draws_are_paired_and_weigh_alike() -> None:
    weights = draws(7, 100)
    np.testing.assert_array_equal(weights, draws(7, 100))
    np.testing.assert_allclose(weights.sum(1), 1)
    assert not np.array_equal(weights, draws(7, 100, seed=1))
    assert np.isnan(interval(np.array([np.nan, np.nan, 1.0]))).all(), "most resamples have no value"


def test_the_average_over_metrics_is_the_mean_of_their_deltas() -> None:
    found = [
        compare(study(noise=0.1), "new", "old", m, resamples=5, higher_is_better=m != "mse")
        for m in ("psnr-rgb", "mse")
    ]
    assert average_over_metrics(found) == pytest.approx(np.mean([c.mean_rate.value for c in found]))
    assert np.isnan(average_over_metrics([found[0], replace(found[1], refused="too little is shared")]))
    with pytest.raises(InputError, match="one metric twice"):
        average_over_metrics([found[0], found[0]])
    with pytest.raises(InputError, match="no comparisons given"):
        average_over_metrics([])


class Row:
    """A record as a study keeps it."""

    image, label, rate_kind, rate_value = "a.png", "AVIF speed=4", "bpp", 0.25
    bytes, bpp, encode_seconds, decode_seconds = 100, 0.26, 1.0, 0.5
    scores = {"mse": Score(2.0, "mse|255")}  # noqa: RUF012
    error: str | None = None


def test_points_of_records() -> None:
    failed = Row()
    failed.error = "TaskError"
    points = points_of([Row(), failed])
    assert points == [RdPoint("a.png", "AVIF speed=4", "bpp=0.25", 0.26, {"mse": 2.0}, 100.0, 1.0, 0.5)]
    assert codecs_of(points) == ["AVIF speed=4"]
    assert metrics_of(points) == ["mse"]
