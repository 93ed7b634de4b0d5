"""BRISQUE, the no-reference score of natural-scene statistics trained on the LIVE database (lower is better).

Mittal, Moorthy and Bovik 2012, DOI 10.1109/TIP.2012.2214050; features as in LIVE's release: 36 numbers from
contrast-normalised luma at two scales, the half-size picture made by MATLAB's antialiased bicubic imresize, which
decides the value. The regression is read as text: from LIVE's own `allmodel` and `allrange` where a folder is given,
else from the Apache-2.0 package `brisque` (data only, its code is not run). The package's model was trained on LIVE
too, but is not LIVE's: values differ by up to about 17 points, and the signature names the model by its hash.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from vitiq.errors import InputError, MissingDependencyError, WeightsError
from vitiq.metrics.base import PairMetric
from vitiq.metrics.sizes import check_sizes
from vitiq.types import ImageU8, Score

PACKAGE = "brisque"
ENVIRONMENT = "VITIQ_BRISQUE_MODEL"
GREY = np.array([0.298936021293775, 0.587043074451121, 0.114020904255103])
"""MATLAB's rgb2gray."""

SMALLEST = 16
SHIFTS = ((0, 1), (1, 0), (1, 1), (-1, 1))


@dataclass(frozen=True)
class SupportVectors:
    """An epsilon-SVR with a radial kernel, and the range its features are scaled from.

    Attributes:
        low, high: feature ranges that map to -1 … 1.
        gamma, rho: kernel width and offset.
        weights, vectors: one weight and 36 scaled features a support vector.
        sha256: hash of the model file.
    """

    low: Float64[np.ndarray, " f"]
    high: Float64[np.ndarray, " f"]
    gamma: float
    rho: float
    weights: Float64[np.ndarray, " v"]
    vectors: Float64[np.ndarray, "v f"]
    sha256: str

    def predict(self, features: Float64[np.ndarray, " f"]) -> float:
        """The regression's value."""
        scaled = 2 * (features - self.low) / (self.high - self.low) - 1
        distances = np.square(self.vectors - scaled).sum(axis=1)
        return float(self.weights @ np.exp(-self.gamma * distances) - self.rho)


def parse_model(text: str, low: list[float], high: list[float]) -> SupportVectors:
    """A libsvm model in text form.

    Raises:
        WeightsError: not an epsilon-SVR of 36 features.
    """
    head, _, body = text.partition("SV\n")
    facts = dict(line.split(maxsplit=1) for line in head.splitlines() if " " in line)
    try:
        if facts["svm_type"] != "epsilon_svr" or len(low) != 36 or len(high) != 36:
            raise ValueError(f"{facts['svm_type']} with {len(low)} features")
        rows = [line.split() for line in body.strip().splitlines()]
        vectors = np.zeros((len(rows), 36))
        for index, row in enumerate(rows):
            for item in row[1:]:
                feature, value = item.split(":")
                vectors[index, int(feature) - 1] = float(value)
        weights = np.array([float(row[0]) for row in rows])
        digest = hashlib.sha256(text.encode()).hexdigest()
        gamma, rho = float(facts["gamma"]), float(facts["rho"])
    except (KeyError, ValueError, IndexError) as error:
        raise WeightsError(f"not BRISQUE's libsvm model ({error}); expected LIVE's `allmodel`") from error
    return SupportVectors(np.array(low), np.array(high), gamma, rho, weights, vectors, digest)


class _NumbersOnly(pickle.Unpickler):
    """Reads lists and dictionaries of numbers; anything that would run code is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise WeightsError(f"the package {PACKAGE}'s range file asks for {module}.{name}; it is not the one expected")


@lru_cache(maxsize=2)
def load_model(folder: Path | None = None) -> SupportVectors:
    """The model of LIVE's release in `folder` (default: $VITIQ_BRISQUE_MODEL), else the installed package's.

    Raises:
        WeightsError: the files are missing or of another layout.
        MissingDependencyError: neither a folder nor the package is at hand.
    """
    given = folder or (Path(os.environ[ENVIRONMENT]) if ENVIRONMENT in os.environ else None)
    if given is not None:
        try:
            lines = (given / "allrange").read_text().splitlines()[2:38]
            ranges = [[float(v) for v in line.split()[1:3]] for line in lines]
            text = (given / "allmodel").read_text()
        except (OSError, ValueError) as error:
            raise WeightsError(f"{given}: expected LIVE's files allmodel and allrange ({error})") from error
        return parse_model(text, [r[0] for r in ranges], [r[1] for r in ranges])
    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError as error:
        raise MissingDependencyError(
            f"BRISQUE's model is not installed; run: pip install --no-deps brisque==0.2.0 (or set {ENVIRONMENT} to a "
            f"folder with LIVE's allmodel and allrange)"
        ) from error
    models = Path(str(package.locate_file("brisque/models")))
    try:
        ranges_by_name = _NumbersOnly(io.BytesIO((models / "normalize.pickle").read_bytes())).load()
        text = (models / "svm.txt").read_text()
        return parse_model(text, list(ranges_by_name["min_"]), list(ranges_by_name["max_"]))
    except (OSError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise WeightsError(f"{models}: package {PACKAGE} {package.version} lacks its model ({error})") from error


def half_size(values: Float64[np.ndarray, "h w"]) -> Float64[np.ndarray, "i j"]:
    """MATLAB's imresize(values, 0.5): cubic kernel (a = -0.5) stretched by two, mirrored edges, ceil(n / 2)."""
    distance = np.array([3.5, 2.5, 1.5, 0.5]) / 2
    near, far = distance <= 1, distance > 1
    kernel = np.where(near, 1.5 * distance**3 - 2.5 * distance**2 + 1, 0.0)
    kernel = np.where(far, -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2, kernel)
    taps = np.concatenate([kernel, kernel[::-1]])
    taps /= taps.sum()
    for axis in (0, 1):
        length = values.shape[axis]
        padding = [(0, 0), (0, 0)]
        padding[axis] = (3, 4 + length % 2)
        padded = np.moveaxis(np.pad(values, padding, mode="symmetric"), axis, 0)
        count = (length + 1) // 2
        summed = sum(tap * padded[i : i + 2 * count : 2][:count] for i, tap in enumerate(taps))
        values = np.moveaxis(np.asarray(summed), 0, axis)
    return values


@lru_cache(maxsize=1)
def _ratios() -> tuple[Float64[np.ndarray, " g"], Float64[np.ndarray, " g"]]:
    """Shapes 0.2 … 10 in steps of 0.001 and Γ(2/g)² / (Γ(1/g) Γ(3/g)) of each."""
    from scipy.special import gamma  # noqa: PLC0415 - imported where used

    shapes = np.arange(0.2, 10.0005, 0.001)
    return shapes, gamma(2 / shapes) ** 2 / (gamma(1 / shapes) * gamma(3 / shapes))


def _symmetric(values: Float64[np.ndarray, " n"]) -> tuple[float, float]:
    """Shape and variance of a generalised Gaussian fitted by moments."""
    shapes, ratios = _ratios()
    variance = float(np.mean(values**2))
    rho = variance / float(np.mean(np.abs(values))) ** 2
    return float(shapes[np.argmin(np.abs(rho - 1 / ratios))]), variance


def _asymmetric(values: Float64[np.ndarray, " n"]) -> tuple[float, float, float, float]:
    """Shape, mean, left and right variance of an asymmetric generalised Gaussian fitted by moments."""
    from scipy.special import gamma  # noqa: PLC0415 - imported where used

    shapes, ratios = _ratios()
    left = float(np.sqrt(np.mean(values[values < 0] ** 2)))
    right = float(np.sqrt(np.mean(values[values > 0] ** 2)))
    skew = left / right
    ratio = float(np.mean(np.abs(values))) ** 2 / float(np.mean(values**2))
    normed = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shape = float(shapes[np.argmin((ratios - normed) ** 2)])
    scale = float(np.sqrt(gamma(1 / shape) / gamma(3 / shape)))
    mean = (right - left) * float(gamma(2 / shape) / gamma(1 / shape)) * scale
    return shape, mean, left**2, right**2


def features(image: ImageU8) -> Float64[np.ndarray, " f"]:
    """BRISQUE's 36 features of a picture.

    Raises:
        InputError: a side below 16, or a picture without any texture (its statistics are undefined).
    """
    from scipy.ndimage import correlate1d  # noqa: PLC0415 - imported where used

    height, width, _ = image.shape
    if min(height, width) < SMALLEST:
        raise InputError(f"a picture of {width}×{height} pixels given, BRISQUE needs sides of at least {SMALLEST}")
    x = np.arange(7) - 3
    line = np.exp(-(x**2) / (2 * (7 / 6) ** 2))
    line /= line.sum()

    def blur(values: Float64[np.ndarray, "h w"]) -> Float64[np.ndarray, "h w"]:
        rows = correlate1d(values, line, axis=0, mode="constant")
        return np.asarray(correlate1d(rows, line, axis=1, mode="constant"))

    grey = np.rint(image.astype(np.float64) @ GREY)
    found: list[float] = []
    for scale in range(2):
        mean = blur(grey)
        deviation = np.sqrt(np.abs(blur(grey * grey) - mean * mean))
        normed = (grey - mean) / (deviation + 1)
        if not (normed > 1e-6).any() or not (normed < -1e-6).any():
            raise InputError("BRISQUE is not defined for a picture of one flat colour")
        found += _symmetric(normed.ravel())
        for shift in SHIFTS:
            found += _asymmetric((normed * np.roll(normed, shift, axis=(0, 1))).ravel())
        if scale == 0:
            grey = half_size(grey)
    values = np.array(found)
    if not np.isfinite(values).all():
        raise InputError("BRISQUE is not defined for a picture with so little texture")
    return values


class Brisque(PairMetric):
    """BRISQUE of the distorted picture; details hold the original's and the difference.

    Args:
        model: folder with LIVE's `allmodel` and `allrange`; None for $VITIQ_BRISQUE_MODEL or the installed package.
    """

    name = "brisque"
    title = "BRISQUE"
    range = (-np.inf, np.inf)
    higher_is_better = False
    kind = "no-reference"
    reference = "Mittal, Moorthy & Bovik 2012, DOI 10.1109/TIP.2012.2214050"
    formula = "SVR of 36 natural-scene statistics; about 0 (natural) to 100 (distorted), both can be passed"

    def __init__(self, model: Path | None = None) -> None:
        self._folder = model

    def signature(self) -> str:
        """Hash of the model, resampler and grey conversion."""
        return f"brisque|model:{load_model(self._folder).sha256[:12]}|half:matlab-bicubic|grey:matlab|v1"

    def score_one(self, image: ImageU8) -> float:
        """BRISQUE of one picture."""
        return load_model(self._folder).predict(features(image))

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Value of `distorted`; details: original, generated, delta (generated - original)."""
        check_sizes(reference, distorted)
        generated = self.score_one(distorted)
        try:
            original = self.score_one(reference)
        except InputError:
            original = float("nan")
        details = {"original": original, "generated": generated, "delta": generated - original}
        return Score(generated, self.signature(), details)
