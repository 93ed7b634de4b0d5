"""From a metric's value to just noticeable differences, by the maps that JPEG AIC-4 publishes.

JND = α · max(0, β - x)^γ: 0 where nobody sees a difference, 1 where half the people do. The example set of AIC-4
(github.com/jpeg-aic/JPEG-AIC-4-datasets, JPEG-AIC_metric_scores.csv, revision 56723f7) gives nine metrics beside their
mapped values; α, β and γ below give all 2700 of these back to within 1e-10. They were fitted to that set (photographs,
six codecs, good to visually lossless quality; 0 … 5.4 JND) and hold for it. AIC-4 does not state the luma that its
metrics read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vitiq.analysis.resampled_ranks import Values


@dataclass(frozen=True, slots=True)
class JndMap:
    """α · max(0, β - x)^γ.

    Attributes:
        scale, best, power: α, β (the value from which nothing is seen) and γ.
    """

    scale: float
    best: float
    power: float

    def __call__(self, value: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """Just noticeable differences, 0 or more.

        Example:
            >>> round(float(AIC4["ssimulacra2"](np.array(70.0))), 2)
            1.72
        """
        return np.asarray(self.scale * np.maximum(0.0, self.best - value) ** self.power, dtype=np.float64)


AIC4 = {
    "psnr-y": JndMap(0.06141288171792646, 50.0, 1.4156035283905988),
    "ssim-y": JndMap(30.312111385482968, 1.0, 0.9501041490299897),
    "ms-ssim-y": JndMap(91.12540448563139, 1.0, 0.8447095934554798),
    "iw-ssim": JndMap(62.03081598367932, 1.0, 0.7862908031237886),
    "vmaf-neg": JndMap(0.37523200236362814, 96.0, 0.8253648974107134),
    "ssimulacra2": JndMap(0.09003722932660518, 93.0, 0.9399358674432391),
    "hdr-vdp-2": JndMap(2.995901138060131e-05, 85.0, 3.0788704183843465),
    "hdr-vdp-3": JndMap(18.53130862754771, 10.0, 0.6411581154089514),
    "cvvdp": JndMap(3.1889349315451208, 10.0, 1.0129442411511071),
}
"""Key of the metric -> its map."""


@dataclass(frozen=True, slots=True)
class JndError:
    """How far a metric's mapped values are from people's.

    Attributes:
        metric: key.
        rmse: root mean square error in JND.
        bias: mean of mapped less people's, in JND; above 0 where the metric sees more than people do.
    """

    metric: str
    rmse: float
    bias: float


def jnd_error(metric: str, values: Values, quality: Values) -> JndError | None:
    """The error of the published map; None where none is published for the metric.

    Args:
        values: of the metric.
        quality: opinions as JND below the reference, negated.
    """
    found = AIC4.get(metric)
    if found is None:
        return None
    mapped = found(values)  # of an infinite PSNR 0: nothing is seen
    keep = np.isfinite(mapped) & np.isfinite(quality)
    if not keep.any():
        return None
    rest = mapped[keep] + quality[keep]
    return JndError(metric, float(np.sqrt(np.square(rest).mean())), float(rest.mean()))
