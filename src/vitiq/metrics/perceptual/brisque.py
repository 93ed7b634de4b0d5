"""BRISQUE, the no-reference score of natural-scene statistics trained on the LIVE database (lower is better).

Mittal, Moorthy and Bovik 2012, DOI 10.1109/TIP.2012.2214050: 36 features (`brisque_features`) and a support vector
regression (`brisque_model`). Trained on opinions of 0 … 100, but the regression passes both: clean photographs fall
below 0, images unlike any in LIVE above 100. The signature names the model by its hash.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from vitiq.errors import InputError, UndefinedError
from vitiq.metrics.base import PairMetric
from vitiq.metrics.perceptual.brisque_features import features
from vitiq.metrics.perceptual.brisque_model import load_model
from vitiq.types import ImageU8, Score


class Brisque(PairMetric):
    """BRISQUE of the distorted image; details hold the original's and the difference.

    Args:
        model: folder with LIVE's `allmodel` and `allrange`; None for the first place that has one (`brisque_model`).
    """

    name = "brisque"
    title = "BRISQUE"
    range = (-np.inf, np.inf)
    higher_is_better = False
    kind = "no-reference"
    reference = "Mittal, Moorthy & Bovik 2012, DOI 10.1109/TIP.2012.2214050"
    formula = "SVR of 36 natural-scene statistics; about 0 (natural) to 100 (distorted), both can be exceeded"

    def __init__(self, model: Path | None = None) -> None:
        self._folder = model

    def signature(self) -> str:
        """Hash of the model, resampler and grey conversion."""
        return f"brisque|model:{load_model(self._folder).sha256[:12]}|half:matlab-bicubic|grey:matlab|v2"

    def score_one(self, image: ImageU8) -> float:
        """BRISQUE of one image.

        Raises:
            InputError: too small, or without any texture.
            UndefinedError: the regression gives no finite number.
        """
        value = load_model(self._folder).predict(features(image))
        if not math.isfinite(value):
            raise UndefinedError("BRISQUE's regression gives no finite number")
        return value

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Value of `distorted`; details: original (NaN where undefined), generated, delta (their difference)."""
        generated = self.score_one(distorted)
        try:
            original = generated if reference is distorted else self.score_one(reference)
        except InputError:
            original = float("nan")
        details = {"original": original, "generated": generated, "delta": generated - original}
        return Score(generated, self.signature(), details)
