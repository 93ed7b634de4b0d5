"""Mean and covariance of any number of rows in constant memory, and the statistics files that hold them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64

from vitiq.errors import InputError
from vitiq.files import write_bytes
from vitiq.npz import bounded_npz

CHUNK = 1024
"""Rows folded in at once."""


@dataclass(frozen=True)
class Moments:
    """Count, mean and scatter of rows.

    Attributes:
        count: rows; None where a statistics file of another tool does not state them.
        mean: d numbers.
        covariance: d×d, with n - 1.
    """

    count: int | None
    mean: Float64[np.ndarray, " d"]
    covariance: Float64[np.ndarray, "d d"]

    @property
    def dimensions(self) -> int:
        """Numbers a row."""
        return len(self.mean)


class RunningMoments:
    """Takes rows in parts; the result does not lose digits to large means, as sums of squares would.

    Chan, Golub & LeVeque 1983, "Algorithms for Computing the Sample Variance", section 3 (DOI
    10.1080/00031305.1983.10483115).
    """

    def __init__(self, parts: Iterable[Float[np.ndarray, "n d"]] = ()) -> None:
        self.count = 0
        self._mean: Float64[np.ndarray, " d"] = np.zeros(0)
        self._scatter: Float64[np.ndarray, "d d"] = np.zeros((0, 0))
        self._waiting: list[Float[np.ndarray, "n d"]] = []
        self._wait = 0
        for part in parts:
            self.add(part)

    def add(self, rows: Float[np.ndarray, "n d"]) -> None:
        """Take more rows."""
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            self._waiting.append(part)
            self._wait += len(part)
            if self._wait >= CHUNK:
                self._fold()

    def result(self) -> Moments:
        """Moments of all rows so far.

        Raises:
            InputError: fewer than two rows.
        """
        self._fold()
        if self.count < 2:
            raise InputError(f"{self.count} samples given, at least 2 expected for a covariance; give more images")
        return Moments(self.count, self._mean.copy(), self._scatter / (self.count - 1))

    def _fold(self) -> None:
        waiting, self._waiting, self._wait = self._waiting, [], 0
        rows = np.concatenate(waiting) if waiting else np.zeros((0, 0))
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK].astype(np.float64)
            mean = part.mean(axis=0)
            part -= mean
            scatter = part.T @ part
            if not self.count:
                self.count, self._mean, self._scatter = len(part), mean, scatter
                continue
            total = self.count + len(part)
            step = mean - self._mean
            self._scatter += scatter
            self._scatter += np.outer(step, step * (self.count * len(part) / total))
            self._mean = self._mean + step * (len(part) / total)
            self.count = total


@dataclass(frozen=True)
class Statistics:
    """What a statistics file holds.

    Attributes:
        moments: of the rows.
        key: what a row is (`RowMetric.rows_key`); "" where another tool made the file.
        metric: the metric they were made for; "" likewise.
    """

    moments: Moments
    key: str = ""
    metric: str = ""


def save_statistics(path: Path, statistics: Statistics) -> None:
    """Write a .npz with `mu` and `sigma`, as pytorch-fid and clean-fid read, and `count`, `key`, `metric`.

    Raises:
        InputError: another suffix, or it cannot be written.
    """
    if path.suffix != ".npz":
        raise InputError(f"{path}: a statistics file ends with .npz")
    m = statistics.moments
    buffer = io.BytesIO()
    count = -1 if m.count is None else m.count
    np.savez(buffer, mu=m.mean, sigma=m.covariance, count=count, key=statistics.key, metric=statistics.metric)
    write_bytes(path, buffer.getvalue())


def load_statistics(path: Path) -> Statistics:
    """A statistics file of ours, pytorch-fid's or clean-fid's.

    Raises:
        InputError: missing, damaged, without a `mu` and a `sigma` that fit, or a `sigma` that is no covariance.
    """
    try:
        file = bounded_npz(path)  # four times what 5,000 features a row need
        mean, covariance = (np.asarray(file[name], np.float64) for name in ("mu", "sigma"))
        count = int(file["count"]) if "count" in file else -1
        key, metric = (str(file[name]) if name in file else "" for name in ("key", "metric"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; check the path") from error
    except KeyError as error:
        raise InputError(f"{path}: no statistics file, no {error.args[0]}; expected arrays mu and sigma") from error
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{path}: no statistics file, or damaged ({error}); expected .npz with mu and sigma"
        ) from error
    d = mean.size
    if mean.shape != (d,) or covariance.shape != (d, d) or not d:
        raise InputError(f"{path}: mu of shape {mean.shape} and sigma of {covariance.shape}, expected (d,) and (d, d)")
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise InputError(f"{path}: mu or sigma holds numbers that are not finite; make the file again")
    _check_covariance(path, covariance)
    return Statistics(Moments(count if count >= 0 else None, mean, covariance), key, metric)


ROUNDING = 1e-4
"""Share of the largest number by which mirrored numbers may differ, as float32 of another tool rounds sums (1e-6)."""


def _check_covariance(path: Path, covariance: Float64[np.ndarray, "d d"]) -> None:
    """Raises InputError for what no covariance is: the Fréchet distance reads one triangle and would hide it."""
    apart, largest = (float(np.abs(values).max()) for values in (covariance - covariance.T, covariance))
    if apart > ROUNDING * largest:
        raise InputError(
            f"{path}: sigma is no covariance, numbers mirrored at its diagonal differ by up to {apart:.3g}; expected a "
            f"symmetric one (numpy.cov of the features, rowvar=False)"
        )
    # With an eigenvalue below 0 the Fréchet distance would come out too small. Cholesky's decomposition finds none
    # in a tenth of the time that the eigenvalues take.
    try:
        np.linalg.cholesky(covariance + (ROUNDING * largest or 1.0) * np.eye(len(covariance)))
    except np.linalg.LinAlgError as error:
        raise InputError(
            f"{path}: sigma is no covariance, as it has eigenvalues below 0; expected one of features (numpy.cov of "
            f"them, rowvar=False)"
        ) from error
