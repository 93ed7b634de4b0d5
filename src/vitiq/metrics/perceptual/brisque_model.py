"""BRISQUE's regression: where its numbers come from, and how they become a score.

The numbers are read as text, no foreign code is run. In this order: a folder given, the folder $VITIQ_BRISQUE_MODEL,
LIVE's own files where `vitiq models fetch brisque-live` has put them (pinned by sha256), the model that ships with
vitiq. The last was trained on LIVE's database too, but is not LIVE's: see docs/adr/0003-brisque-model.md.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from vitiq.errors import WeightsError

EMBEDDED, RANGES = "brisque_model.txt", "brisque_ranges.json"
ENVIRONMENT = "VITIQ_BRISQUE_MODEL"
FETCHED = "brisque-live"
FEATURES = 36


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
        """The regression's value; far from every support vector it tends to -rho.

        LIVE's programs hand features on as text with 6 decimals and scaled features with 6 significant digits; the
        same is done here, which moves a score by up to about 0.002.
        """
        written = np.array([float(f"{value:f}") for value in features])
        scaled = -1 + 2 * (written - self.low) / (self.high - self.low)
        scaled = np.array([float(f"{value:g}") for value in scaled])
        distances = np.square(self.vectors - scaled).sum(axis=1)
        return float(np.einsum("v,v->", self.weights, np.exp(-self.gamma * distances)) - self.rho)


def parse_model(text: str, low: list[float], high: list[float]) -> SupportVectors:
    """A libsvm model in text form.

    Raises:
        WeightsError: not an epsilon-SVR of 36 features.
    """
    head, _, body = text.partition("SV\n")
    fields = dict(line.split(maxsplit=1) for line in head.splitlines() if " " in line)
    try:
        if fields["svm_type"] != "epsilon_svr" or len(low) != FEATURES or len(high) != FEATURES:
            raise ValueError(f"{fields['svm_type']} with {len(low)} features")
        rows = [line.split() for line in body.strip().splitlines()]
        vectors = np.zeros((len(rows), FEATURES))
        for index, row in enumerate(rows):
            for item in row[1:]:
                feature, value = item.split(":")
                vectors[index, int(feature) - 1] = float(value)
        weights = np.array([float(row[0]) for row in rows])
        if not all(np.isfinite(values).all() for values in (low, high, vectors, weights)):
            raise ValueError("numbers that are not finite")
        digest = hashlib.sha256(text.encode()).hexdigest()
        gamma, rho = float(fields["gamma"]), float(fields["rho"])
        if not (math.isfinite(gamma) and math.isfinite(rho)):
            raise ValueError(f"gamma {gamma} and rho {rho}")
    except (KeyError, ValueError, IndexError) as error:
        raise WeightsError(f"not BRISQUE's libsvm model ({error}); expected LIVE's `allmodel`") from error
    return SupportVectors(np.array(low), np.array(high), gamma, rho, weights, vectors, digest)


def load_model(folder: Path | None = None) -> SupportVectors:
    """The model in `folder`, else the first of the places named above.

    Raises:
        WeightsError: the files are missing or of another layout.
    """
    if folder is None and ENVIRONMENT in os.environ:
        folder = Path(os.environ[ENVIRONMENT])
    return _live(folder) if folder is not None else _default(_fetched_folder())


def _fetched_folder() -> Path | None:
    """The folder of LIVE's fetched files, if both are there."""
    from vitiq.weights.store import model_info  # noqa: PLC0415 - imported where used

    info = model_info(FETCHED)
    files = [info.path, *(model_info(name).path for name in info.requires)]
    return info.path.parent if all(path.is_file() for path in files) else None


@lru_cache(maxsize=4)
def _live(folder: Path) -> SupportVectors:
    try:
        lines = (folder / "allrange").read_text(encoding="utf-8").splitlines()[2 : 2 + FEATURES]
        ranges = [[float(v) for v in line.split()[1:3]] for line in lines]
        text = (folder / "allmodel").read_text(encoding="utf-8")
        return parse_model(text, [r[0] for r in ranges], [r[1] for r in ranges])
    except (OSError, ValueError, IndexError) as error:
        raise WeightsError(f"{folder}: expected LIVE's files allmodel and allrange ({error})") from error


@lru_cache(maxsize=2)
def _default(fetched: Path | None) -> SupportVectors:
    from vitiq.weights.store import embedded_path  # noqa: PLC0415 - imported where used

    if fetched is not None:
        return _live(fetched)
    ranges = json.loads(embedded_path(RANGES).read_text(encoding="utf-8"))
    text = embedded_path(EMBEDDED).read_text(encoding="utf-8")
    return parse_model(text, ranges["low"], ranges["high"])
