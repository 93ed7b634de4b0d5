"""GMSD, the deviation of the similarity of gradients, as a metric of vitiq from another package.

Xue, Zhang, Mou & Bovik 2014, DOI 10.1109/TIP.2013.2293423: luma, 2×2 means, Prewitt gradients, c = 170 on 0 … 255.
"""

import numpy as np
from scipy.ndimage import convolve

from vitiq.plugins import ImageU8, PairMetric, Score

LUMA = np.array([0.299, 0.587, 0.114])
PREWITT = np.array([[1, 0, -1]] * 3) / 3


def gradient(image: ImageU8) -> np.ndarray:
    """Magnitude of the gradient of the luma at half size."""
    grey = image @ LUMA
    grey = grey[: len(grey) // 2 * 2, : grey.shape[1] // 2 * 2]
    half = (grey[::2, ::2] + grey[1::2, ::2] + grey[::2, 1::2] + grey[1::2, 1::2]) / 4
    return np.hypot(convolve(half, PREWITT, mode="constant"), convolve(half, PREWITT.T, mode="constant"))


class Gmsd(PairMetric):
    """Gradient magnitude similarity deviation."""

    name = "gmsd-plugin"
    title = "GMSD"
    range = (0.0, 0.5)
    higher_is_better = False
    kind = "full-reference"
    reference = "Xue et al. 2014, DOI 10.1109/TIP.2013.2293423"
    formula = "standard deviation of (2 a b + c) / (a² + b² + c) of gradient magnitudes a, b"

    def signature(self) -> str:
        """What changes the value."""
        return "gmsd-plugin|luma:bt601-full|half:box|prewitt|c:170|v1"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """The deviation, 0 for identical images."""
        a, b = gradient(reference), gradient(distorted)
        similarity = (2 * a * b + 170) / (a * a + b * b + 170)
        return Score(float(similarity.std()), self.signature())
