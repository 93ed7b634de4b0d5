"""The ViT-Score family on label lists small enough to work out by hand.

Truth: the arithmetic written beside each number; Webber, Moffat & Zobel 2010 (equation 30) for rank-biased overlap;
scipy 1.17's jensenshannon for the divergence.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from vitiq.errors import InputError
from vitiq.metrics.scoring import resolve_metrics
from vitiq.metrics.semantic import agreement
from vitiq.metrics.semantic.label_overlap import (
    curve_area,
    empirical_p,
    mismatched_overlaps,
    overlap,
    overlap_curve,
    rank_biased_overlap,
    resolve_k,
)
from vitiq.metrics.semantic.matching import cosines, matched
from vitiq.metrics.semantic.tiles import appearance_and_meaning, cut, level_distances, starts, tiling
from vitiq.metrics.semantic.vit_panel import VitPanel, in_top, share_interval
from vitiq.metrics.semantic.vit_score import VitRbo, VitTopK, VitTopKNull
from vitiq.types import ImageU8

P = np.array([0.4, 0.3, 0.2, 0.1])  # ranking 0 1 2 3
Q = np.array([0.1, 0.4, 0.2, 0.3])  # ranking 1 3 2 0


def test_k_as_number_or_share() -> None:
    assert resolve_k(100, 1000) == resolve_k("100", 1000) == resolve_k("10%", 1000) == 100
    assert resolve_k("10%", 3) == 1
    assert resolve_k("100%", 7) == 7
    for bad in (0, 5, "0%", "-10%", "110%", "ten", ""):
        with pytest.raises(InputError, match="K = "):
            resolve_k(bad, 4)


def test_curve_by_hand() -> None:
    # shared at K = 1: {}, at 2: {1}, at 3: {1, 2}, at 4: all
    assert overlap_curve(P, Q).tolist() == [0, 1 / 2, 2 / 3, 1]
    assert curve_area(overlap_curve(P, Q)) == pytest.approx((1 / 2 + 2 / 3 + 1) / 4)
    ties = np.full(3, 1 / 3)  # the lower index first: ranking 0 1 2
    assert overlap_curve(ties, np.array([0.2, 0.3, 0.5])).tolist() == [0, 1 / 2, 1]
    assert overlap_curve(np.array([1.0]), np.array([1.0])).tolist() == [1]
    assert overlap(np.array([1.0]), np.array([1.0]), 1).score == 1
    with pytest.raises(InputError, match="4 and 3 labels"):
        overlap_curve(P, ties)


def test_rank_biased_overlap_by_hand() -> None:
    # (1 - φ)(0 + φ/2 + φ²·2/3 + φ³) + φ⁴ at φ = ½: ½(¼ + ⅙ + ⅛) + 1/16
    assert rank_biased_overlap(overlap_curve(P, Q), 0.5) == pytest.approx((1 / 4 + 1 / 6 + 1 / 8) / 2 + 1 / 16)
    assert rank_biased_overlap(overlap_curve(P, P), 0.9) == 1
    for bad in (0.0, 1.0, -1.0):
        with pytest.raises(InputError, match="persistence"):
            rank_biased_overlap(overlap_curve(P, Q), bad)
    # the share of the weight that Webber et al. give for φ = 0.9 and the first 10 ranks, 86 %
    phi, d = 0.9, 10
    weight = 1 - phi ** (d - 1) + (1 - phi) / phi * d * (math.log(1 / (1 - phi)) - sum(phi**i / i for i in range(1, d)))
    assert weight == pytest.approx(0.86, abs=0.005)


def test_agreement_by_hand() -> None:
    p, q = np.array([1.0, 0.0]), np.array([0.5, 0.5])
    # m = (¾, ¼): JSD = ½ log2(4/3) + ½ (½ log2(2/3) + ½ log2 2)
    jsd = (math.log2(4 / 3) + math.log2(2 / 3) / 2 + 1 / 2) / 2
    assert agreement.jensen_shannon(p, q) == pytest.approx(1 - jsd)
    assert agreement.bhattacharyya(p, q) == pytest.approx(math.sqrt(0.5))
    assert agreement.shared_probability(p, q) == pytest.approx(0.5)
    apart = (np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    for measure in (agreement.jensen_shannon, agreement.bhattacharyya, agreement.shared_probability):
        assert measure(*apart) == 0
        assert measure(P, P) == 1
        assert measure(np.array([1.0]), np.array([1.0])) == 1
        with pytest.raises(InputError):
            measure(P, p)
        with pytest.raises(InputError, match="probabilities"):
            measure(np.array([0.0, 0.0]), p)
    assert agreement.jensen_shannon(P, Q) == pytest.approx(1 - jensenshannon(P, Q, base=2) ** 2)


def test_null_of_mismatched_pairs_by_hand() -> None:
    originals, rebuilt = np.array([[3.0, 2, 1, 0], [0.0, 1, 2, 3]]), np.array([[3.0, 2, 0, 1], [0.0, 2, 1, 3]])
    # top 2 of the originals {0 1}, {3 2}; of the rebuilt {0 1}, {3 1}: mismatched share {1} and {}
    null = mismatched_overlaps(originals, rebuilt, 2)
    assert sorted(null.tolist()) == [0, 0.5]
    assert empirical_p(1.0, null) == pytest.approx(1 / 3)
    assert empirical_p(0.5, null) == pytest.approx(2 / 3)
    with pytest.raises(InputError, match="two pairs"):
        mismatched_overlaps(originals[:1], rebuilt[:1], 2)


def test_tokens_by_hand() -> None:
    a, b = np.array([[2.0, 0], [0, 1]]), np.array([[0, 3.0], [1, 0]])
    assert cosines(a, b).tolist() == [0, 0]
    assert matched(a, b) == (1, 1, 1)  # the same tokens, elsewhere
    assert matched(a, a) == (1, 1, 1)
    precision, recall, f1 = matched(a, np.array([[1.0, 0]]))
    assert (precision, recall) == (1, 0.5)
    assert f1 == pytest.approx(2 / 3)
    assert matched(a[:1], -a[:1])[2] == -1
    zero = np.zeros((1, 2))
    assert cosines(zero, zero).tolist() == [1]
    assert cosines(zero, a[:1]).tolist() == [0]
    with pytest.raises(InputError, match="same shape"):
        cosines(a, b[:1])


def test_tiles_cover_off_the_codec_grid() -> None:
    assert starts(224, 224) == [0]
    assert starts(231, 224) == [0]
    assert starts(512, 224) == [4, 148, 284]
    assert starts(384, 224) == [4, 156]
    for length in range(232, 1200, 7):
        found = starts(length, 224)
        assert all(x % 8 == 4 for x in found)
        assert found[-1] + 224 <= length
        assert length - (found[-1] + 224) < 12
        assert all(b - a <= 224 for a, b in pairwise(found)), "no gap"
    plan = tiling(100, 50, 224)
    assert (plan.width, plan.height, plan.corners[0]) == (448, 224, (4, 0))
    image = np.arange(300 * 250 * 3, dtype=np.uint32).astype(np.uint8).reshape(250, 300, 3)
    pieces = cut(image, tiling(300, 250, 224))
    assert len(pieces) == 4
    assert np.array_equal(pieces[0], image[4:228, 4:228])


def test_appearance_and_meaning_by_hand() -> None:
    distances = np.zeros((1, 3, 2))
    distances[0, 0], distances[0, 1], distances[0, 2] = (3, 4), (1, 1), (4, 4)
    appearance, meaning = appearance_and_meaning(distances)
    assert appearance == pytest.approx(3.5)
    assert meaning == pytest.approx(2)  # √(1 · 4)
    assert appearance_and_meaning(np.zeros((1, 3, 2))) == (0, 0)
    tokens = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    assert (level_distances(tokens, tokens) == 0).all()


def test_panel_by_hand() -> None:
    assert in_top(P, Q, 2)  # Q's best is label 1, P's second
    assert not in_top(P, Q, 1)
    assert in_top(P, P, 1)
    assert share_interval([True] * 4) == (1, 1)
    assert share_interval([False]) == (0, 0)
    low, high = share_interval([True, True, True, False])
    # binomial(4, ¾): P(0 or fewer) = 1/256 < 2.5 %, P(1 or fewer) = 13/256 ≥ 2.5 %; P(3 or fewer) = 175/256
    assert (low, high) == (0.25, 1)


def test_settings_after_an_at_sign() -> None:
    metrics = resolve_metrics("vit-topk@1,vit-topk@10%,vit-topk,vit-panel@3,vit-rbo@0.9,vit-topk-null@5")
    assert [m.name for m in metrics] == [
        "vit-topk@1",
        "vit-topk@10%",
        "vit-topk",
        "vit-panel@3",
        "vit-rbo@0.9",
        "vit-topk-null@5",
    ]
    assert isinstance(metrics[1], VitTopK)
    assert metrics[1].k == 100
    assert "k:100" in metrics[1].signature()
    assert "persistence:0.9" in metrics[4].signature()
    assert "vit-topk-null@5|k:5" in metrics[5].signature()
    for bad in ("ssim@3", "vit-panel@x", "vit-panel@0", "vit-rbo@2", "vit-rbo@x"):
        with pytest.raises(InputError, match=bad):
            resolve_metrics(bad)


def test_k_beyond_the_labels_is_reported(bundled: dict[str, ImageU8]) -> None:
    image = bundled["graphic"]
    with pytest.raises(InputError, match="K = 1001"):
        VitTopK(k=1001)(image, image)
    assert math.isnan(resolve_metrics("vit-topk-adj@1000")[0](image, image).value)  # type: ignore[operator]
    assert VitTopK(k=1000)(image, bundled["animal"]).value == 1


def test_batches_equal_single_pairs(bundled: dict[str, ImageU8]) -> None:
    images = list(bundled.values())
    others = [np.ascontiguousarray(image[::-1]) for image in images]
    for metric in resolve_metrics("vit-topk,vit-js,vit-tokens,vit-cls,vit-tiles"):
        single = [metric(a, b).value for a, b in zip(images[:2], others[:2], strict=True)]  # type: ignore[operator]
        together = [score.value for score in metric.batch(images[:2], others[:2])]  # type: ignore[attr-defined]
        assert together == pytest.approx(single, abs=1e-6)
    with pytest.raises(InputError, match="pairs expected"):
        VitRbo().batch(images, others[:1])


def test_sets_of_mismatched_images(bundled: dict[str, ImageU8]) -> None:
    images = list(bundled.values())
    score = VitTopKNull()(images, images)
    assert 0 < score.value < 0.6
    assert score.details["matched"] == [1.0] * len(images)
    assert score.details["pairs"] == len(images) * (len(images) - 1)
    with pytest.raises(InputError, match="two pairs"):
        VitTopKNull()(images[:1], images[:1])


def test_panel_of_one_says_so(bundled: dict[str, ImageU8]) -> None:
    score = VitPanel(n=1)(bundled["animal"], bundled["portrait"])
    assert score.value == 0
    assert score.details["backbones"] == 1
    assert score.details["interval_95"] == [0, 0]
