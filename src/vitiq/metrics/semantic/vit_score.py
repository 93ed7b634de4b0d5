"""ViT-Score (top-K label overlap), the thesis's metric: do original and reconstruction keep the same labels?

Minchev 2022, "Vision Transformer-Assisted Analysis of Neural Image Compression and Generation", UT Austin. Not the
ViTScore of Zhu et al. 2023 (matching of patch embeddings, arXiv 2309.04891).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from vitiq.errors import InputError, UndefinedError
from vitiq.metrics.semantic.base import VitMetric
from vitiq.metrics.semantic.label_overlap import (
    curve_area,
    empirical_p,
    mismatched_overlaps,
    overlap,
    overlap_curve,
    parse_k,
    rank_biased_overlap,
    resolve_k,
    shared_table,
)
from vitiq.metrics.sets.rows import RowMetric, Rows
from vitiq.types import ImageU8, Score

if TYPE_CHECKING:
    from vitiq.models.backbones import Backbone

PUBLISHED_K = 100
CURVE_AT = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Ks at which the curve is written down."""


class _AtK(VitMetric):
    """A label metric at K.

    Args:
        backbone: None for the embedded ViT, loaded at first use.
        k: labels compared: a number, or a share of the labels ("10%") for backbones of any label count.
    """

    parameter = "k"

    def __init__(self, backbone: Backbone | None = None, k: int | str = PUBLISHED_K) -> None:
        super().__init__(backbone)
        self._k = k
        try:
            if backbone is None:
                parse_k(k)
            else:
                resolve_k(k, len(backbone.labels))
        except InputError as error:
            raise InputError(f"{type(self).name}@{k}: {error}") from error
        if str(k) != str(PUBLISHED_K):
            self.name = f"{type(self).name}@{k}"

    @property
    def k(self) -> int:
        """K as a number of labels."""
        return resolve_k(self._k, len(self.backbone.labels))

    def _settings(self) -> str:
        return f"k:{self.k}"


class VitTopK(_AtK):
    """ViT-Score as published: share of the top K labels of the original that the reconstruction keeps."""

    name = "vit-topk"
    title = "ViT-Score (top-K label overlap)"
    range = (0.0, 1.0)
    reference = "Minchev 2022, master's thesis, UT Austin"
    formula = "|T_K(p) ∩ T_K(q)| / K, K = 100"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Score with chance level, chance-corrected value, p-value and the table of shared labels."""
        p, q = self.backbone.probabilities([reference, distorted])
        result = overlap(p, q, self.k)
        labels = self.backbone.labels
        details = {
            "k": self.k,
            "labels": result.labels,
            "backbone": self.backbone.name,
            "chance": result.chance,
            "chance_deviation": result.chance_deviation,
            "adjusted": result.adjusted,
            "p_value": result.p_value,
            "top1": [labels[int(p.argmax())], labels[int(q.argmax())]],
            "top1_same": bool(p.argmax() == q.argmax()),
            "shared_labels": shared_table(p, q, labels, self.k),
        }
        return Score(result.score, self.signature(), details)


class VitTopKAdjusted(_AtK):
    """ViT-Score corrected for chance: 0 for two random lists on average, 1 for identical label lists."""

    name = "vit-topk-adj"
    title = "ViT-Score, chance-corrected"
    range = (-1.0, 1.0)
    reference = "Minchev 2022; correction for chance as in Cohen 1960, DOI 10.1177/001316446002000104"
    formula = "(vit-topk - K/N) / (1 - K/N)"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Chance-corrected score with its p-value."""
        p, q = self.backbone.probabilities([reference, distorted])
        result = overlap(p, q, self.k)
        if result.k == result.labels:
            raise UndefinedError(
                f"{self.name}: K is all {result.k} labels, which any two images share; give a smaller K"
            )
        return Score(result.adjusted, self.signature(), {"p_value": result.p_value, "chance": result.chance})


class VitTopKArea(VitMetric):
    """ViT-Score without a K: mean of the overlap at every K = 1 … N, with the curve."""

    name = "vit-topk-area"
    title = "ViT-Score, area under the curve over K"
    range = (0.0, 1.0)
    reference = "Minchev 2022; average overlap: Wu & Crestani 2003, Fagin et al. 2003, DOI 10.1137/S0895480102412856"
    formula = "mean over K = 1 … N of |T_K(p) ∩ T_K(q)| / K; chance (N + 1) / 2N"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Area with its chance level and the curve at some K."""
        p, q = self.backbone.probabilities([reference, distorted])
        curve = overlap_curve(p, q)
        points = [[k, float(curve[k - 1])] for k in CURVE_AT if k <= curve.size]
        details = {"chance": (curve.size + 1) / (2 * curve.size), "curve": points}
        return Score(curve_area(curve), self.signature(), details)


class VitRbo(VitMetric):
    """Rank-biased overlap of the two label rankings: the first ranks count most, and no K is cut off.

    Args:
        backbone: None for the embedded ViT, loaded at first use.
        persistence: probability that a reader goes on to the next rank; at 0.98 the first 50 hold 86 % of the weight.
    """

    name = "vit-rbo"
    title = "Rank-biased overlap of the labels"
    range = (0.0, 1.0)
    reference = "Webber, Moffat & Zobel 2010, equation 30, DOI 10.1145/1852102.1852106"
    formula = "(1 - φ) Σ_d φ^(d-1) |T_d(p) ∩ T_d(q)| / d, φ = 0.98"
    parameter = "persistence"

    def __init__(self, backbone: Backbone | None = None, persistence: float | str = 0.98) -> None:
        super().__init__(backbone)
        try:
            self._persistence = float(persistence)
        except ValueError as error:
            raise InputError(f"vit-rbo@{persistence} given, expected a number between 0 and 1") from error
        if not 0 < self._persistence < 1:
            raise InputError(f"vit-rbo@{persistence} given, expected a number between 0 and 1")
        if self._persistence != 0.98:
            self.name = f"vit-rbo@{self._persistence:g}"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Rank-biased overlap."""
        p, q = self.backbone.probabilities([reference, distorted])
        return Score(rank_biased_overlap(overlap_curve(p, q), self._persistence), self.signature())

    def _settings(self) -> str:
        return f"persistence:{self._persistence:g}"


class VitTopKNull(RowMetric):
    """The empirical chance level: ViT-Score of every original with the reconstruction of another image.

    Args:
        backbone: None for the embedded ViT, loaded at first use.
        k: labels compared, as for `vit-topk`.
    """

    paired = True
    name = "vit-topk-null"
    title = "ViT-Score of mismatched pairs"
    range = (0.0, 1.0)
    higher_is_better = False
    kind = "semantic"
    reference = "Minchev 2022; permutation null: Davison & Hinkley 1997, section 4.2"
    formula = "mean over i ≠ j of |T_K(p_i) ∩ T_K(q_j)| / K, K = 100"
    parameter = "k"

    def __init__(self, backbone: Backbone | None = None, k: int | str = PUBLISHED_K) -> None:
        self._at = VitTopK(backbone, k)
        if self._at.name != VitTopK.name:
            self.name = f"vit-topk-null@{k}"

    def signature(self) -> str:
        """As `vit-topk`."""
        return self._at.signature().replace(self._at.name, self.name, 1)

    def rows_key(self) -> str:
        """Label probabilities of whole images."""
        return f"probabilities|{self._at.backbone.signature()}"

    def rows(self, image: ImageU8) -> Float32[np.ndarray, "1 labels"]:
        """Label probabilities of the image."""
        return self._at.backbone.probabilities([image])

    def of_rows(self, reference: Rows, distorted: Rows) -> Score:
        """Mean overlap of mismatched pairs, its spread, and the empirical p-value of every matched pair.

        Raises:
            InputError: fewer than two pairs.
        """
        if reference.count != distorted.count or reference.count < 2:
            raise InputError(
                f"{self.name}: {reference.count} and {distorted.count} images given, two pairs or more expected"
            )
        p, q = reference.array, distorted.array
        null = mismatched_overlaps(p, q, self._at.k)
        matched = [overlap(a, b, self._at.k).score for a, b in zip(p, q, strict=True)]
        details = {
            "pairs": int(null.size),
            "deviation": float(null.std(ddof=1)),
            "quantile_95": float(np.quantile(null, 0.95)),
            "hypergeometric_chance": self._at.k / p.shape[1],
            "matched": matched,
            "p_values": [empirical_p(score, null) for score in matched],
        }
        return Score(float(null.mean()), self.signature(), details)
