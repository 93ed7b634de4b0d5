"""Fréchet and kernel distances, Inception Score, precision and recall, moments and statistics files.

Truth: scipy 1.17 (`linalg.sqrtm`), torchmetrics 1.9.0 (`poly_mmd`, `_compute_fid`), numpy's two-pass covariance, values
by hand, and on the samples A and B below torch-fidelity 0.4.0 (`fid_statistics_to_metric`, `kernel_mmd` with the
polynomial kernel, `isc_features_to_metric(A * 6, splits, shuffle=False)`, `prc_features_to_metric` with neighbourhood
3) and prdc 0.2 (`compute_prdc(A, B, 3)`).
"""

from __future__ import annotations

import errno
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import linalg
from scipy.special import softmax

from vitiq.errors import InputError
from vitiq.metrics.scoring import resolve_metrics
from vitiq.metrics.sets import kernel_distance, precision_recall
from vitiq.metrics.sets.frechet import frechet_distance, frechet_of_moments
from vitiq.metrics.sets.inception_score import inception_score
from vitiq.metrics.sets.moments import Moments, RunningMoments, Statistics, load_statistics, save_statistics
from vitiq.metrics.sets.precision_recall import share_within
from vitiq.metrics.sets.rows import RowGatherer, Rows

I = np.arange(1, 301, dtype=np.int64).reshape(60, 5)  # noqa: E741
A = (I**3 * 7919 + I * 104729) % 1009 / 1009
B = (I**3 * 6101 + I * 1299709)[:50] % 997 / 997 * 0.9 + 0.15

samples = st.integers(0, 2**31).map(lambda seed: np.random.default_rng(seed).normal(size=(12, 4)))


def by_matrix_root(a: np.ndarray, b: np.ndarray) -> float:
    ca, cb = np.cov(a.T), np.cov(b.T)
    root = linalg.sqrtm(ca @ cb).real
    return float(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(ca + cb - 2 * root))


def of_moments(a: np.ndarray, b: np.ndarray) -> float:
    return frechet_of_moments(RunningMoments([a]).result(), RunningMoments([b]).result())


def test_golden_values() -> None:
    assert frechet_distance(A, B) == pytest.approx(0.06397943242864412, rel=1e-10)
    assert kernel_distance.kernel_distance(A[:50], B) == pytest.approx(0.08558474688136553, rel=1e-12)
    p = softmax(A * 6, axis=1)
    assert inception_score(p) == pytest.approx(1.8659534946444327, rel=1e-12)
    assert inception_score(p, parts=4) == pytest.approx(1.7569364998108632, rel=1e-12)
    assert (share_within(B, A), share_within(A, B)) == (0.88, 0.95)


@pytest.mark.parametrize("dimensions", [1, 3, 60])
def test_frechet_is_the_matrix_root_form(dimensions: int) -> None:
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(dimensions, dimensions)) * np.exp(-np.arange(dimensions) / 10)
    a, b = rng.normal(size=(400, dimensions)) @ mix, rng.normal(size=(300, dimensions)) * 1.3 @ mix + 0.2
    expected = by_matrix_root(a.reshape(400, -1), b) if dimensions > 1 else None
    if expected is None:
        expected = float((a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)
    assert of_moments(a, b) == pytest.approx(expected, rel=1e-6)


def test_frechet_is_torchmetrics() -> None:
    from torchmetrics.image.fid import _compute_fid

    moments = [torch.from_numpy(x) for m in (A, B) for x in (m.mean(0), np.cov(m.T))]
    assert frechet_distance(A, B) == pytest.approx(float(_compute_fid(*moments)), rel=1e-9)


def test_frechet_of_fewer_samples_than_dimensions() -> None:
    """The form on samples and the form on covariances agree where both covariances are singular."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(20, 50)), rng.normal(size=(15, 50)) + 0.1
    c = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(np.cov(a.T)) + np.trace(np.cov(b.T))
    root = np.linalg.svd((a - a.mean(0)) @ (b - b.mean(0)).T / np.sqrt(19 * 14), compute_uv=False).sum()
    assert frechet_distance(a, b) == pytest.approx(c - 2 * root, rel=1e-6)
    assert of_moments(a, b) == pytest.approx(c - 2 * root, rel=1e-6)


def test_degenerate_samples() -> None:
    flat, other = np.full((9, 3), 2.0), np.full((7, 3), 5.0)
    assert frechet_distance(flat, other) == pytest.approx(27)
    assert of_moments(flat, other) == pytest.approx(27)
    assert frechet_distance(flat, flat) == of_moments(flat, flat) == 0
    assert kernel_distance.kernel_distance(flat, flat) == pytest.approx(0)
    assert share_within(flat, flat) == 1
    assert share_within(flat, other) == 0
    for one in (frechet_distance, kernel_distance.kernel_distance):
        with pytest.raises(InputError, match=r"\(1, 3\)"):
            one(flat[:1], flat)
        with pytest.raises(InputError, match=r"\(9, 2\)"):
            one(flat[:, :2], flat)
    with pytest.raises(InputError, match="more than 3"):
        share_within(flat, flat[:3])
    with pytest.raises(InputError, match="at least 4"):
        inception_score(np.full((3, 5), 0.2), parts=4)
    with pytest.raises(InputError, match="at least 2"):
        RunningMoments([flat[:1]]).result()
    with pytest.raises(InputError, match="3 and 2 dimensions"):
        frechet_of_moments(RunningMoments([flat]).result(), RunningMoments([flat[:, :2]]).result())


@given(samples, samples, st.floats(-3, 3), st.floats(0.1, 4))
def test_frechet_properties(a: np.ndarray, b: np.ndarray, shift: float, scale: float) -> None:
    value = frechet_distance(a, b)
    assert value >= 0
    assert frechet_distance(b, a) == pytest.approx(value, rel=1e-9)
    assert frechet_distance(a, a) == 0
    assert frechet_distance(a[::-1], a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, a + shift) == pytest.approx(4 * shift**2, abs=1e-9)
    assert frechet_distance(a * scale, b * scale) == pytest.approx(scale**2 * value, rel=1e-9)
    turn = np.linalg.qr(b[:4])[0]
    assert frechet_distance(a @ turn, b @ turn) == pytest.approx(value, rel=1e-8)
    assert of_moments(a, b) == pytest.approx(value, rel=1e-8)


def test_kernel_distance_is_torchmetrics() -> None:
    from torchmetrics.image.kid import poly_mmd

    expected = float(poly_mmd(torch.from_numpy(A[:50]), torch.from_numpy(B)))
    assert kernel_distance.kernel_distance(A[:50], B) == pytest.approx(expected, rel=1e-9)


@given(samples, samples)
def test_kernel_distance_properties(a: np.ndarray, b: np.ndarray) -> None:
    value = kernel_distance.kernel_distance(a, b)
    assert kernel_distance.kernel_distance(b, a) == pytest.approx(value, rel=1e-9, abs=1e-12)
    assert kernel_distance.kernel_distance(a[::-1], b) == pytest.approx(value, rel=1e-9, abs=1e-12)
    assert kernel_distance.kernel_distance(a, a) < 1e-12


def test_large_sets_are_compared_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_distance, "BLOCK", 20)
    whole = [kernel_distance.kernel_distance(A[i::3][:20], B[i::3]) for i in range(3)]
    assert kernel_distance.kernel_distance(A, B) == pytest.approx(np.mean(whole))
    monkeypatch.setattr(precision_recall, "LIMIT", 30)
    assert share_within(A, A) > 0.3  # every second sample of the manifold is missing
    monkeypatch.setattr(precision_recall, "ROWS", 7)
    monkeypatch.setattr(precision_recall, "LIMIT", 10_000)
    assert (share_within(B, A), share_within(A, B)) == (0.88, 0.95)


@given(samples, samples)
def test_precision_and_recall_properties(a: np.ndarray, b: np.ndarray) -> None:
    assert 0 <= share_within(a, b) <= 1
    assert share_within(a, a) == 1
    assert share_within(a + 1000, a) == 0
    assert share_within(a * 8, b * 8) == share_within(a, b)


def test_inception_score_bounds() -> None:
    assert inception_score(np.eye(7)) == pytest.approx(7)
    assert inception_score(np.full((4, 7), 1 / 7)) == pytest.approx(1)


@given(hnp.arrays(np.float64, (9, 4), elements=st.floats(-9, 9)))
def test_inception_score_properties(logits: np.ndarray) -> None:
    p = softmax(logits, axis=1)
    value = inception_score(p)
    assert 1 - 1e-12 <= value <= 4
    assert inception_score(p[::-1]) == pytest.approx(value)
    assert inception_score(np.concatenate([p, p])) == pytest.approx(value)


@given(st.lists(st.integers(0, 60), max_size=5), st.integers(1, 20))
def test_moments_do_not_depend_on_the_parts(cuts: list[int], chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vitiq.metrics.sets.moments.CHUNK", chunk)
        found = RunningMoments(np.split(A, sorted(cuts))).result()
    assert found.count == 60
    assert found.mean == pytest.approx(A.mean(0), rel=1e-12)
    assert found.covariance == pytest.approx(np.cov(A.T), rel=1e-10, abs=1e-14)


def test_moments_keep_their_digits_far_from_zero() -> None:
    """Sums of squares would lose all of them: 1e8² has the digits that a variance of 0.08 needs."""
    found = RunningMoments(np.split(A + 1e8, 6)).result()
    assert found.covariance == pytest.approx(np.cov(A.T), rel=1e-5, abs=1e-7)


def test_statistics_files(tmp_path: Path) -> None:
    moments = RunningMoments([A]).result()
    save_statistics(tmp_path / "new" / "a.npz", Statistics(moments, "key", "fid-vit"))
    found = load_statistics(tmp_path / "new" / "a.npz")
    assert (found.key, found.metric, found.moments.count) == ("key", "fid-vit", 60)
    assert frechet_of_moments(found.moments, moments) == 0
    with np.load(tmp_path / "new" / "a.npz") as file:  # as pytorch-fid reads it
        assert np.array_equal(file["mu"][:], moments.mean)
        assert np.array_equal(file["sigma"][:], moments.covariance)
    np.savez_compressed(tmp_path / "b.npz", mu=B.mean(0), sigma=np.cov(B, rowvar=False))  # as pytorch-fid writes it
    other = load_statistics(tmp_path / "b.npz")
    assert (other.key, other.metric, other.moments.count) == ("", "", None)
    assert frechet_of_moments(moments, other.moments) == pytest.approx(0.06397943242864412, rel=1e-9)


def test_statistics_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with pytest.raises(InputError, match=r"\.npz"):
        save_statistics(tmp_path / "x.txt", Statistics(Moments(2, np.zeros(1), np.zeros((1, 1)))))
    with pytest.raises(InputError, match="no such file"):
        load_statistics(path)
    path.write_bytes(b"PK nonsense")
    with pytest.raises(InputError, match=r"x\.npz"):
        load_statistics(path)
    for arrays, said in (
        ({"a": np.zeros(3)}, "mu"),
        ({"mu": np.zeros(3), "sigma": np.zeros((3, 2))}, "shape"),
        ({"mu": np.full(1, np.nan), "sigma": np.zeros((1, 1))}, "finite"),
        ({"mu": np.array([None]), "sigma": np.zeros((1, 1))}, "damaged"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(InputError, match=said):
            load_statistics(path)


def test_a_covariance_that_is_not_symmetric_is_refused(tmp_path: Path) -> None:
    """NumPy's of float32 is symmetric but for rounding, as other tools may write it; half of one is not."""
    path = tmp_path / "half.npz"
    whole = np.cov(A.astype(np.float32), rowvar=False)
    bent = whole.astype(np.float32)
    bent[0, 1] += np.float32(1e-6) * bent.max()
    np.savez(path, mu=A.mean(0), sigma=bent)
    found = load_statistics(path).moments
    assert frechet_of_moments(found, RunningMoments([B]).result()) == pytest.approx(0.06397943242864412, rel=1e-4)
    for half in (np.triu(whole), np.tril(whole)):
        np.savez(path, mu=A.mean(0), sigma=half)
        with pytest.raises(InputError, match=r"half\.npz: sigma is no covariance.*symmetric"):
            load_statistics(path)


def test_a_matrix_with_eigenvalues_below_zero_is_no_covariance(tmp_path: Path) -> None:
    """A sum of outer products has none, of whatever rank."""
    path = tmp_path / "s.npz"
    np.savez(path, mu=np.zeros(2), sigma=np.array([[1.0, 2.0], [2.0, 1.0]]))
    with pytest.raises(InputError, match=r"s\.npz: sigma is no covariance, as it has eigenvalues below 0"):
        load_statistics(path)
    for features in (np.zeros((4, 3)), np.ones((4, 1)) * [1.0, 2.0, 3.0] * [[1], [2], [3], [4]]):
        np.savez(path, mu=features.mean(0), sigma=np.cov(features.astype(np.float32), rowvar=False))
        assert load_statistics(path).moments.covariance.shape == (3, 3)


def test_rows_are_kept_in_order_on_disk() -> None:
    rows = Rows([A[:10].astype(np.float32), np.zeros((0, 5), np.float32), A[10:].astype(np.float32)])
    assert (rows.count, rows.width) == (60, 5)
    assert np.array_equal(rows.array, A.astype(np.float32))
    rows.add(B.astype(np.float32))
    assert len(rows.array) == 110
    assert Rows().array.shape == (0, 0)
    with pytest.raises(InputError, match="rows of 3"):
        rows.add(np.zeros((1, 3), np.float32))


def test_rows_of_many_images_lie_in_one_file_a_side(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = 0
    made = tempfile.TemporaryFile

    def counted() -> object:
        nonlocal opened
        opened += 1
        return made()

    monkeypatch.setattr(tempfile, "TemporaryFile", counted)
    gatherer = RowGatherer(resolve_metrics("fid-pixel"))
    for _ in range(5):
        gatherer.add({"key": np.zeros((1, 4), np.float32)}, {"key": np.ones((1, 4), np.float32)})
    assert opened == 2


class _Full(io.BytesIO):
    """A file on a full disk, which takes what its buffer takes."""

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_rows_that_a_full_disk_does_not_take_are_said_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", _Full)
    gatherer = RowGatherer(resolve_metrics("fid-pixel"))
    with pytest.raises(InputError, match=r"no space for temporary files .*set TMPDIR"):
        gatherer.add({"key": np.zeros((1, 4), np.float32)}, {})

    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(InputError, match="set TMPDIR"):
        Rows()
