"""What must hold for any label lists and tokens. Truth: the definitions' symmetries and bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vitiq.metrics.semantic import agreement
from vitiq.metrics.semantic.label_overlap import curve_area, overlap, overlap_curve, rank_biased_overlap
from vitiq.metrics.semantic.matching import cosines, matched
from vitiq.metrics.semantic.tiles import appearance_and_meaning, level_distances

weights = arrays(np.float64, 12, elements=st.floats(0, 1)).filter(lambda x: x.sum() > 1e-3)
tied = arrays(np.float64, 12, elements=st.sampled_from([0.0, 0.5, 1.0]))
vectors = arrays(np.float64, (6, 4), elements=st.floats(-3, 3, width=32))
MEASURES = (agreement.jensen_shannon, agreement.bhattacharyya, agreement.shared_probability)


@given(weights, weights)
def test_distributions(p: np.ndarray, q: np.ndarray) -> None:
    for measure in MEASURES:
        value = measure(p, q)
        assert 0 <= value <= 1
        assert value == pytest.approx(measure(q, p), abs=1e-12)
        assert measure(p, p) == 1
        assert measure(p, q * 7) == pytest.approx(value, abs=1e-9), "scale is not meaning"
    # Hellinger's bounds on total variation: 1 - √(1 - BC²) ≤ Σ min ≤ BC
    bc, shared = agreement.bhattacharyya(p, q), agreement.shared_probability(p, q)
    assert 1 - np.sqrt(max(0.0, 1 - bc**2)) - 1e-9 <= shared <= bc + 1e-9


@given(tied, tied)
def test_rankings_with_ties(p: np.ndarray, q: np.ndarray) -> None:
    curve = overlap_curve(p, q)
    assert np.allclose(curve, [overlap(p, q, k).score for k in range(1, 13)])
    assert (np.diff(curve * np.arange(1, 13)) >= 0).all(), "the shared set only grows with K"
    assert curve[-1] == 1
    assert np.array_equal(curve, overlap_curve(q, p))
    assert (overlap_curve(p, p) == 1).all()
    assert 1 / 12 <= curve_area(curve) <= 1
    for persistence in (0.5, 0.98):
        assert 0 <= rank_biased_overlap(curve, persistence) <= 1


@given(vectors, vectors)
def test_tokens(a: np.ndarray, b: np.ndarray) -> None:
    values = cosines(a, b)
    assert (values >= -1 - 1e-12).all()
    assert (values <= 1).all()
    assert np.allclose(values, cosines(b, a))
    assert (cosines(a, a) == 1).all()
    precision, recall, f1 = matched(a, b)
    assert matched(b, a)[2] == pytest.approx(f1, abs=1e-12)
    assert -1 <= f1 <= 1
    if (np.abs(a).sum(axis=1) > 0).all():
        assert matched(a, a)[2] == 1
        order = np.random.default_rng(0).permutation(len(a))
        assert matched(a, a[order])[2] == 1, "order is not meaning"
    assert max(precision, recall) >= f1 - 1e-12


@given(arrays(np.float64, (2, 4, 3, 5), elements=st.floats(-3, 3, width=32)), st.integers(0, 2**31))
def test_levels(a: np.ndarray, seed: int) -> None:
    b = a + np.random.default_rng(seed).normal(size=a.shape)
    appearance, meaning = appearance_and_meaning(level_distances(a, b))
    assert 0 <= appearance <= 2
    assert 0 <= meaning <= 2
    assert appearance_and_meaning(level_distances(b, a)) == pytest.approx((appearance, meaning))
    assert appearance_and_meaning(level_distances(a, a)) == (0, 0)
