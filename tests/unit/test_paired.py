"""Differences between metrics, learned codecs, choices, JND. Truth: resampling written down again with scipy's
correlations; pairs counted one by one; values and mapped values that JPEG AIC-4 publishes (JPEG-AIC_metric_scores.csv).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from vitiq.analysis.choices import agreed
from vitiq.analysis.correlation import resampled
from vitiq.analysis.flattery import flattery
from vitiq.analysis.jnd import AIC4, jnd_error
from vitiq.analysis.paired import difference, sentence
from vitiq.datasets.opinion import Choice, Opinion, OpinionSet
from vitiq.evaluation.validate import validate
from vitiq.evaluation.validate_text import to_markdown

RNG = np.random.default_rng(0)
QUALITY = RNG.uniform(0, 9, 60)
GROUPS = np.repeat(np.arange(12), 5)
GOOD, POOR = QUALITY + RNG.normal(0, 0.5, 60), QUALITY + RNG.normal(0, 3, 60)


def test_the_interval_is_that_of_differences_on_the_same_references() -> None:
    a, b = (resampled(v, QUALITY, GROUPS, higher_is_better=True, resamples=200) for v in (GOOD, POOR))
    found = difference("good", a, "poor", b)
    rng = np.random.default_rng(0)
    rest = []
    for _ in range(200):
        drawn = np.concatenate([np.arange(60)[g == GROUPS] for g in rng.integers(0, 12, 12)])
        rest.append(spearmanr(GOOD[drawn], QUALITY[drawn]).statistic - spearmanr(POOR[drawn], QUALITY[drawn]).statistic)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(rest, [0.025, 0.975])), abs=1e-12)
    assert found.shown
    assert sentence(found).startswith("good is better than poor by ")
    assert sentence(difference("poor", b, "good", a)).startswith("poor is worse than good by ")
    with pytest.raises(ValueError, match="different images"):
        difference("a", a, "b", resampled(GOOD[:50], QUALITY[:50], GROUPS[:50], higher_is_better=True, resamples=200))


def test_a_metric_with_equal_values_is_the_reason_where_there_is_no_difference() -> None:
    flat, good = (resampled(v, QUALITY, GROUPS, higher_is_better=True, resamples=20) for v in (np.ones(60), GOOD))
    said = sentence(difference("flat", flat, "good", good))
    assert said == "flat and good cannot be compared: one of them has no correlation, as its values are all equal"


def test_a_paired_interval_is_narrower_where_metrics_are_alike() -> None:
    """Two intervals that overlap although one metric is better in nearly every resample."""
    # Noise that both see, and a little more of one's own.
    shared = QUALITY + RNG.normal(0, 3, 60)
    first, second = (
        resampled(v, QUALITY, GROUPS, higher_is_better=True, resamples=500)
        for v in (shared + 0.2 * (QUALITY - shared), shared)
    )
    assert first.agreement.intervals["srcc"][0] < second.agreement.intervals["srcc"][1], "they overlap"
    assert difference("a", first, "b", second).low > 0, "yet a is better"


def test_flattery_is_what_counting_pairs_gives() -> None:
    learned = RNG.random(60) < 0.4
    values = QUALITY + 2.0 * learned + RNG.normal(0, 1, 60)
    found = flattery("m", values, QUALITY, GROUPS, learned, higher_is_better=True, resamples=100)
    assert found is not None
    errors, pairs = [0, 0], [0, 0]
    for i in np.flatnonzero(learned):
        for j in np.flatnonzero(~learned):
            if GROUPS[i] == GROUPS[j]:
                above = int(QUALITY[i] > QUALITY[j])
                pairs[above] += 1
                errors[above] += (values[i] > values[j]) != (QUALITY[i] > QUALITY[j])
    assert (found.flattered, found.slighted) == pytest.approx((errors[0] / pairs[0], errors[1] / pairs[1]))
    assert found.pairs == sum(pairs)
    assert found.interval[0] < found.bias < found.interval[1]
    assert found.bias > 0.1
    turned = flattery("m", -values, QUALITY, GROUPS, learned, higher_is_better=False, resamples=100)
    assert turned == found
    assert flattery("m", values, QUALITY, GROUPS, np.full(60, False), higher_is_better=True) is None


def test_choices_of_people() -> None:
    better, worse = np.array([0, 1, 2, 5]), np.array([1, 2, 0, 6])
    values = np.array([3.0, 2.0, 1.0, 0.0, 0.0, 4.0, 4.0])
    found = agreed("m", values, better, worse, np.array([0, 0, 0, 0, 0, 1, 1]), higher_is_better=True)
    assert found.share == (1 + 1 + 0 + 0.5) / 4
    assert np.isnan(agreed("m", values * np.nan, better, worse, np.zeros(7), higher_is_better=True).share)
    lossless = np.where(values == 4, np.inf, values)  # of two images with an infinite PSNR neither is chosen: a tie
    assert agreed("m", lossless, better, worse, np.zeros(7), higher_is_better=True).share == found.share


def test_lossless_images_of_two_codecs_tie_and_beat_every_other() -> None:
    quality, learned = np.array([3.0, 4.0, 1.0]), np.array([True, False, False])
    found = flattery("m", np.array([np.inf, np.inf, 30.0]), quality, np.zeros(3), learned, higher_is_better=True)
    assert found is not None
    assert (found.pairs, found.flattered, found.slighted) == (2, 0.5, 0)


def test_an_infinite_psnr_is_0_jnd() -> None:
    found = jnd_error("psnr-y", np.array([np.inf, 60.0, np.nan]), np.array([-0.5, -0.5, -1.0]))
    assert found is not None
    assert (found.rmse, found.bias) == (0.5, -0.5)


def test_measures_of_two_metrics_are_compared_on_images_that_both_have() -> None:
    """Ranks of all 60; the fitted ones of the 50 where both are finite; of three common images nothing is compared."""
    lossless = GOOD.copy()
    lossless[:10] = np.inf
    found = validate(opinions(), {"published:a": POOR, "published:b": lossless}, [], resamples=40)
    assert {d.measure: d.count for d in found.differences} == {"srcc": 60, "krcc": 60, "plcc": 50}
    plcc = next(d for d in found.differences if d.measure == "plcc")
    both = [resampled(v[10:], QUALITY[10:], GROUPS[10:], higher_is_better=True, resamples=0) for v in (POOR, GOOD)]
    assert plcc.value == pytest.approx(both[0].agreement.plcc - both[1].agreement.plcc, abs=1e-6)
    assert "published:b: PLCC and RMSE are of 50 of 60 images" in to_markdown(found)
    apart = [np.where(keep, GOOD, np.nan) for keep in (np.arange(60) < 8, np.arange(60) >= 5)]
    alone = validate(opinions(), {"published:a": apart[0], "published:b": apart[1]}, [], resamples=40)
    assert (len(alone.lines) > 1, alone.differences) == (True, ())


def test_the_metric_to_compare_with_is_the_best_on_common_images() -> None:
    """The one that is first on its own, easier images is beaten on these."""
    easy = np.where(np.arange(60) < 30, QUALITY + RNG.normal(0, 0.4, 60), np.nan)
    hard = np.where(np.arange(60) < 30, QUALITY, QUALITY + RNG.normal(0, 3, 60))
    found = validate(opinions(), {"published:easy": easy, "published:hard": hard}, [], resamples=40)
    best = max((line for line in found.lines if line.of == "all"), key=lambda line: line.result.srcc)
    assert best.metric == "published:easy"
    text = to_markdown(found)
    assert "### Against published:hard: SRCC on the same images" in text
    assert "metrics of another n are measured on other images" in text
    assert "### Against published:easy" in to_markdown(found, against="published:easy")


def test_metrics_that_rank_alike_differ_by_0_with_no_sign() -> None:
    found = validate(opinions(), {"published:a": GOOD, "published:b": np.exp(GOOD)}, [], resamples=40)
    assert "published:b is not shown to differ from published:a: 0.000 [0.000, 0.000]" in to_markdown(found)


PUBLISHED = {
    # value, mapped to JND: rows PTC_00002_AVIF_01 and PTC_00002_JPEG-XL_10
    "psnr-y": [(47.323361, 0.247489688104711), (37.970406, 2.07714378919482)],
    "ssim-y": [(0.986571414840386, 0.504719366256737), (0.910810949134169, 3.05002099783776)],
    "ms-ssim-y": [(0.998117326738922, 0.454585657000463), (0.981307570455104, 3.16008634598017)],
    "iw-ssim": [(0.997920737910273, 0.48272989236994), (0.971587360943323, 3.77240114349496)],
    "ssimulacra2": [(88.67840533, 0.356358191342908), (52.38195637, 2.92762072271498)],
    "vmaf-neg": [(94.824595, 0.428775732509907), (83.240667, 3.06910298494543)],
    "hdr-vdp-2": [(61.9353150536917, 0.470832355416574), (41.7254827739602, 3.26794315342317)],
    "hdr-vdp-3": [(9.99641500644239, 0.501125459237865), (9.9437460839767, 2.92790100279857)],
    "cvvdp": [(9.8821, 0.365713433841647), (8.8959, 3.52541930946206)],
}


@pytest.mark.parametrize("metric", AIC4)
def test_maps_to_jnd_are_the_published_ones(metric: str) -> None:
    for value, wanted in PUBLISHED[metric]:
        assert float(AIC4[metric](np.array(value))) == pytest.approx(wanted, abs=1e-8)
    values, mapped = np.array(PUBLISHED[metric]).T
    found = jnd_error(metric, values, -mapped - 0.5)
    assert found is not None
    assert (found.rmse, found.bias) == pytest.approx((0.5, -0.5), abs=1e-8)
    assert jnd_error("mse", values, -mapped) is None


def opinions(count: int = 60) -> OpinionSet:
    rows = tuple(
        Opinion(
            Path(f"ref{GROUPS[i]}"), Path(f"{i}"), "JPEG-AI" if i % 5 < 2 else "AVIF", QUALITY[i] - 9, float(i % 5 + 1)
        )
        for i in range(count)
    )
    choices = tuple(
        Choice(rows[i].distorted, rows[i + 1].distorted)
        for i in range(0, count - 1, 5)
        if rows[i].quality > rows[i + 1].quality
    )
    return OpinionSet("AIC-4", rows, "JND", "level", choices)


def test_a_validation_has_all_parts() -> None:
    poor = POOR.copy()
    poor[3] = np.nan
    values = {"published:cvvdp": GOOD, "published:psnr-y": poor}
    steps: list[tuple[int, int]] = []
    found = validate(opinions(), values, [], resamples=50, step=lambda *state: steps.append(state))
    parts = {(line.of, line.distortion) for line in found.lines}
    bands = {("rate", f"level {band}") for band in ("1 … 2", "3 … 4", "5")}
    assert parts == {("all", "all"), ("distortion", "JPEG-AI"), ("distortion", "AVIF"), *bands}
    one = next(d for d in found.differences if d.measure == "srcc")
    assert one.count == 59, "the images that both have"
    assert one.shown
    assert {f.metric for f in found.flattery} == set(values)
    assert [e.metric for e in found.jnd] == list(values)
    assert [c.metric for c in found.choices] == list(values)
    assert steps[0] == (0, len(steps))
    text = to_markdown(found)
    assert "published:psnr-y is worse than published:cvvdp by" in text
    assert "### By rate: SRCC (images)" in text
    assert "### Learned codecs against others" in text
    turned = to_markdown(found, against="published:psnr-y")
    assert "published:cvvdp is better than published:psnr-y by" in turned
