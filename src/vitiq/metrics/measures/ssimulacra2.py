"""SSIMULACRA 2.1: errors of structure, added edges and lost edges in XYB at six scales, weighted by opinions.

Follows Jon Sneyers' program (github.com/cloudinary/ssimulacra2, version 2.1, April 2023): means under a Gaussian of
σ 1.5 as libjxl approximates it (three truncated cosines, 9 taps, zeros around the image), halving in linear light with
the last row or column repeated, a scale is left out once the one before has a side below 8.

With s = x + y and d = x - y the variances are those of s and d: four windowed means instead of five, and exactly 100
where the images are equal.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitiq.metrics.loss import DistanceLoss, Each, Given, Images
from vitiq.metrics.measures.luma import Plane
from vitiq.metrics.measures.windows import Rows, strips

SCALES, SMALLEST = 6, 8
C2 = 0.0009
RADIUS, SIGMA = 5, 1.5
VALUES = 2**15
"""Values of a plane in a strip: twelve planes of it stay in the cache."""

OPSIN = ((0.30, 0.622, 0.078), (0.23, 0.692, 0.078), (0.24342268924547819, 0.20476744424496821, 0.55180986650955360))
BIAS = 0.0037930732552754493
DARKEST = 1e-9
"""What stands for 0 and less under the cube root; images in [0, 1] lie at BIAS and above."""

# Channels X, Y, B; scales from fine to coarse; 1-norm and 4-norm of structure, added edges, lost edges.
WEIGHTS = (
    *(0.0, 0.0007376606707406586, 0.0, 0.0, 0.0007793481682867309, 0.0),
    *(0.0, 0.0004371155730107379, 0.0, 1.1041726426657346, 0.00066284834129271, 0.00015231632783718752),
    *(0.0, 0.0016406437456599754, 0.0, 1.8422455520539298, 11.441172603757666, 0.0),
    *(0.0007989109436015163, 0.000176816438078653, 0.0, 1.8787594979546387, 10.94906990605142, 0.0),
    *(
        0.0007289346991508072,
        0.9677937080626833,
        0.0,
        0.00014003424285435884,
        0.9981766977854967,
        0.00031949755934435053,
    ),
    *(0.0004550992113792063, 0.0, 0.0, 0.0013648766163243398, 0.0, 0.0),
    *(0.0, 0.0, 0.0, 7.466890328078848, 0.0, 17.445833984131262),
    *(0.0006235601634041466, 0.0, 0.0, 6.683678146179332, 0.00037724407979611296, 1.027889937768264),
    *(225.20515300849274, 0.0, 0.0, 19.213238186143016, 0.0011401524586618361, 0.001237755635509985),
    *(176.39317598450694, 0.0, 0.0, 24.43300999870476, 0.28520802612117757, 0.0004485436923833408),
    *(0.0, 0.0, 0.0, 34.77906344483772, 44.835625328877896, 0.0),
    *(0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    *(0.0, 0.0008680556573291698, 0.0, 0.0, 0.0, 0.0),
    *(0.0, 0.0005313191874358747, 0.0, 0.00016533814161379112, 0.0, 0.0),
    *(0.0, 0.0, 0.0, 0.0004179171803251336, 0.0017290828234722833, 0.0),
    *(0.0020827005846636437, 0.0, 0.0, 8.826982764996862, 23.19243343998926, 0.0),
    *(
        95.1080498811086,
        0.9863978034400682,
        0.9834382792465353,
        0.0012286405048278493,
        171.2667255897307,
        0.9807858872435379,
    ),
    *(0.0, 0.0, 0.0, 0.0005130064588990679, 0.0, 0.00010854057858411537),
)


@lru_cache(maxsize=1)
def taps() -> tuple[float, ...]:
    """libjxl's recursive Gaussian of σ 1.5 written as a window of 9: the sum of three cosines of Charalampidis 2016
    (DOI 10.1109/TSP.2016.2549985), equations 33 to 56."""
    omega = [k * math.pi / (2 * RADIUS) for k in (1, 3, 5)]
    signs = (1, -1, 1)
    p = [sign / math.tan(w / 2) for sign, w in zip(signs, omega, strict=True)]
    r = [sign * q * q / math.sin(w) for sign, q, w in zip(signs, p, omega, strict=True)]
    rho = [math.exp(-0.5 * SIGMA**2 * w * w) / RADIUS for w in omega]
    d13, d35, d51 = (p[i] * r[j] - r[i] * p[j] for i, j in ((0, 1), (1, 2), (2, 0)))
    zeta = (d35 / d13, d51 / d13, 1.0)
    matrix = torch.tensor([p, r, zeta], dtype=torch.float64)
    wanted = [1.0, RADIUS**2 - SIGMA**2, sum(z * q for z, q in zip(zeta, rho, strict=True))]
    beta = torch.linalg.solve(matrix, torch.tensor(wanted, dtype=torch.float64)).tolist()
    places = range(1 - RADIUS, RADIUS)
    # The cosines begin a radius away, where they and the window are 0.
    return tuple(sum(b * math.cos(w * k) for b, w in zip(beta, omega, strict=True)) for k in places)


def linear(values: Float[Tensor, ...]) -> Float[Tensor, ...]:
    """Linear light of sRGB values, 0 … 1."""
    return torch.where(values <= 0.04045, values / 12.92, ((values.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4)


def xyb(light: Float[Tensor, "h 3 w"]) -> Float[Tensor, "h 3 w"]:
    """X, Y and B - Y in about 0 … 1, of linear light."""
    red, green, blue = light.unbind(1)
    root = BIAS ** (1 / 3)
    mixed = (torch.add(torch.add(red * a + BIAS, green, alpha=b), blue, alpha=c) for a, b, c in OPSIN)
    long, medium, short = (_cube_root(values) for values in mixed)
    y = (long + medium) * 0.5
    return torch.stack([(long - medium) * 7 + 0.42, y + (0.01 - root), short - y + 0.55], dim=1)


def _cube_root(values: Plane) -> Plane:
    """Of values from BIAS; several times faster than a power, and as exact in single precision.

    Below 0, where a network's output may lie, the program takes 0; `DARKEST` leaves the slope an end.
    """
    return (values.clamp_min(DARKEST).log() * (1 / 3)).exp()


def _smooth(planes: Rows) -> Float[Tensor, "i p w"]:
    """Means under the Gaussian of the rows whose windows lie inside; zeros stand beside the columns.

    Taps of equal weight are added first: of planes in single precision faster than products with bands.
    """
    window = taps()
    reach = len(window) // 2
    height, width = planes.shape[0] - 2 * reach, planes.shape[2]
    found = planes[reach : reach + height] * window[reach]
    for k in range(reach):
        pair = planes[k : k + height] + planes[2 * reach - k : 2 * reach - k + height]
        found = torch.add(found, pair, alpha=window[k])
    wide = F.pad(found, (reach, reach))
    found = found * window[reach]
    for k in range(reach):
        pair = wide[..., k : k + width] + wide[..., 2 * reach - k : 2 * reach - k + width]
        found = torch.add(found, pair, alpha=window[k])
    return found


def errors(a: Rows, b: Rows) -> Float[Tensor, "c 3 2"]:
    """1-norm and 4-norm of the structural error, of added and of lost edges, of one scale of linear light."""
    height, count, width = a.shape
    reach = len(taps()) // 2
    sums = a.new_zeros(count, 3, 2, dtype=torch.float64)
    for rows in strips(height, width, VALUES):
        top, bottom = max(0, rows.start - reach), min(height, rows.stop + reach)
        edges = (0, 0, 0, 0, top - rows.start + reach, rows.stop + reach - bottom)
        x, y = (F.pad(xyb(image[top:bottom]), edges) for image in (a, b))
        inside = slice(reach, reach + rows.stop - rows.start)
        s, d = x + y, x - y
        means = (_smooth(s), _smooth(d), _smooth(s * s), _smooth(d * d))
        sums = sums + _norms((s[inside], d[inside]), means)
    norms = sums / (height * width)
    return torch.stack([norms[..., 0], norms[..., 1].clamp_min(1e-40) ** 0.25 * (norms[..., 1] > 0)], dim=-1)


def _norms(values: tuple[Rows, Rows], means: tuple[Rows, Rows, Rows, Rows]) -> Float[Tensor, "c 3 2"]:
    """Sums of the three errors and of their fourth powers, of s and d and of the means of s, d, s² and d²."""
    (s, d), (mean_s, mean_d, mean_ss, mean_dd) = values, means
    squared = mean_d * mean_d
    spread, apart = mean_ss - mean_s * mean_s, mean_dd - squared
    kept = (spread - apart + 2 * C2) / (spread + apart + 2 * C2)
    structure = (1 - (1 - squared) * kept).clamp_min(0)
    s, d = s - mean_s, d - mean_d
    edge = ((s - d).abs() + 2) / ((s + d).abs() + 2) - 1  # twice the edges, twice the 1 beside them
    return torch.stack([_powers(structure), _powers(edge.clamp_min(0)), _powers((-edge).clamp_min(0))], dim=1)


def _powers(values: Rows) -> Float[Tensor, "c 2"]:
    """Sums of the values of each channel and of their fourth powers."""
    squares = values * values
    return torch.stack([values.sum(dim=(0, 2)), (squares * squares).sum(dim=(0, 2))], dim=-1).double()


def halve(light: Rows) -> Float[Tensor, "i p j"]:
    """Means of 2×2; an odd last row or column counts twice."""
    height, _, width = light.shape
    if height % 2:
        light = torch.cat([light, light[-1:]])
    if width % 2:
        light = torch.cat([light, light[..., -1:]], dim=2)
    rows = light[::2] + light[1::2]
    return (rows[..., ::2] + rows[..., 1::2]) * 0.25


def distance(a: Rows, b: Rows) -> Float[Tensor, ""]:
    """The weighted sum of all errors of linear light, 0 for equal images; the score is a curve of it."""
    found = []
    for scale in range(SCALES):
        if min(a.shape[0], a.shape[2]) < SMALLEST:
            break
        if scale:
            a, b = halve(a), halve(b)
        found.append(errors(a, b).transpose(1, 2))
    norms = torch.stack(found, dim=1).flatten()
    # As in the program, the weights are taken one after the other: where small images have fewer scales, they shift.
    return (norms * norms.new_tensor(WEIGHTS[: len(norms)])).sum()


def score(distance: Float[Tensor, ...]) -> Float[Tensor, ...]:
    """The score of a distance: 100 for 0, without a lower end."""
    x = distance * 0.9562382616834844
    x = 2.326765642916932 * x - 0.020884521182843837 * x * x + 6.248496625763138e-05 * x * x * x
    return torch.where(x > 0, 100 - 10 * x.clamp_min(1e-30) ** 0.6276336467831387, 100.0)


class Ssimulacra2Loss(DistanceLoss):
    """SSIMULACRA2's distance before its last curve, whose slope has no end at 0; `scores` are the metric's."""

    metric = "ssimulacra2"
    smallest = SMALLEST

    def forward(self, distorted: Given, reference: Given) -> Float[Tensor, ""]:
        """Mean of the weighted errors, 0 for identical images; gradients reach `distorted`."""
        self.scores(distorted[:0], reference[:0])  # the same refusals
        return torch.stack(self._distances(distorted, reference)).mean().to(distorted.dtype)

    def _compare(self, distorted: Images, reference: Images) -> Each:
        if not len(distorted):
            return distorted.new_zeros(0)
        return score(torch.stack(self._distances(distorted, reference))).to(distorted.dtype)

    @staticmethod
    def _distances(distorted: Images, reference: Images) -> list[Tensor]:
        pairs = zip(linear(reference), linear(distorted), strict=True)
        return [distance(a.transpose(0, 1), b.transpose(0, 1)) for a, b in pairs]
