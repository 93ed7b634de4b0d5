"""Integer frequency tables.

Truth: the definition (entries of at least 1, a sum of 2**16), the exact distributions in rational arithmetic
(`fractions`, `math.comb`), and a SHA-256 of all tables, which must be the same on every machine.
"""

from __future__ import annotations

import hashlib
import math
from fractions import Fraction

import numpy as np
import pytest

from vitiq.bitstream.cdf import TOTAL, WIDTHS, AdaptiveTable, check_tables, gaussian_table, laplace_table, normalise

TABLES_SHA256 = "785e4f561fe6abbf174c68ce10f575a6b0db5b1bd732962e00140b154dccabe1"


@pytest.mark.parametrize("reach", [1, 2, 17, 255])
@pytest.mark.parametrize("scale", range(WIDTHS))
def test_ladders_are_symmetric_tables(scale: int, reach: int) -> None:
    for table in (gaussian_table(scale, reach), laplace_table(scale, reach)):
        assert table.shape == (2 * reach + 1,)
        check_tables(table)
        assert np.array_equal(table, table[::-1])
        assert (np.diff(table[: reach + 1]) >= 0).all()


def test_tables_are_the_same_on_every_machine() -> None:
    digest = hashlib.sha256()
    for reach in (1, 5, 40, 255):
        for scale in range(WIDTHS):
            digest.update(gaussian_table(scale, reach).astype("<i4").tobytes())
            digest.update(laplace_table(scale, reach).astype("<i4").tobytes())
    assert digest.hexdigest() == TABLES_SHA256


def assert_close(table: np.ndarray, weights: list[Fraction]) -> None:
    """Each entry is the exact share of what one count a symbol leaves, within 1; the largest may take the rest."""
    total, spare = sum(weights), TOTAL - len(weights)
    exact = [float(weight / total * spare) + 1 for weight in weights]
    difference = np.abs(table - np.array(exact))
    middle = len(weights) // 2
    assert np.delete(difference, middle).max() <= 1.01
    assert difference[middle] <= len(weights)


@pytest.mark.parametrize(("scale", "trials"), [(0, 1), (1, 2), (2, 3), (3, 5), (4, 7), (10, 47)])
def test_gaussian_is_the_binomial_distribution(scale: int, trials: int) -> None:
    reach = 12
    weights = [
        Fraction(math.comb(2 * trials, trials + k)) if abs(k) <= trials else Fraction(0) for k in range(-reach, 13)
    ]
    assert_close(gaussian_table(scale, reach), weights)


@pytest.mark.parametrize(("scale", "n"), [(0, 1), (1, 2), (9, 10), (10, 12), (13, 19), (39, 1918)])
def test_laplace_falls_by_its_ratio(scale: int, n: int) -> None:
    reach = 12
    assert_close(laplace_table(scale, reach), [Fraction(n, n + 16) ** abs(k) for k in range(-reach, 13)])


def test_normalise_by_hand() -> None:
    # 65536 - 4 = 65532 to share: 1, 1, 2 of 4 and none, then 1 each.
    assert normalise(np.array([1, 1, 2, 0])).tolist() == [16384, 16384, 32767, 1]
    # 65533 / 3 = 21844.33: the first of the largest takes what is left.
    assert normalise(np.array([7, 7, 7])).tolist() == [21846, 21845, 21845]
    # The largest counts that fit.
    check_tables(normalise(np.full(2**15, 2**46)))


@pytest.mark.parametrize("counts", [[], [5], [0, 0], [-1, 4], [1, 2**46 + 1], [1] * (2**15 + 1)])
def test_counts_that_make_no_table_are_refused(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="counts" if counts else "zero-size"):
        normalise(np.array(counts, np.int64))


@pytest.mark.parametrize("row", [[TOTAL], [0, TOTAL], [1, TOTAL], [-1, TOTAL + 1]])
def test_rows_that_are_no_tables_are_refused(row: list[int]) -> None:
    with pytest.raises(ValueError, match="frequency tables"):
        check_tables(np.array([row]))


@pytest.mark.parametrize("scale", [-1, WIDTHS])
def test_scales_outside_the_ladders_are_refused(scale: int) -> None:
    for ladder in (gaussian_table, laplace_table):
        with pytest.raises(ValueError, match=f"width {scale}"):
            ladder(scale, 4)


def test_cached_tables_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        gaussian_table(3, 4)[0] = 5


def test_adaptive_counts_by_hand() -> None:
    table = AdaptiveTable(4)
    assert table.frequencies().tolist() == [TOTAL // 4] * 4
    assert table.bits(2) == 2
    table.update(3)  # 1, 1, 1 + 6, 1 + 24
    assert table.bits(3) == math.log2(34 / 25)
    assert table.frequencies().tolist() == normalise(np.array([1, 1, 7, 25])).tolist()
    table.update(0)  # 1 + 24, 1 + 6, 7, 25
    assert table.frequencies().tolist() == normalise(np.array([25, 7, 7, 25])).tolist()


def test_adaptive_counts_fade() -> None:
    table = AdaptiveTable(8)
    for _ in range(3000):
        table.update(0)
    assert table.bits(0) < 0.4
    assert table.bits(7) > 10
    for _ in range(3000):
        table.update(7)
        check_tables(table.frequencies())
    assert table.bits(7) < 0.4
    assert table.bits(0) > 5


@pytest.mark.parametrize("symbols", [1, 2**13 + 1])
def test_alphabets_that_cannot_adapt_are_refused(symbols: int) -> None:
    with pytest.raises(ValueError, match=f"{symbols} symbols"):
        AdaptiveTable(symbols)
