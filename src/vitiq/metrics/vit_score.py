"""ViT-Score (top-K label overlap), the thesis's metric: do original and reconstruction keep the same labels?

Minchev 2022, "Vision Transformer-Assisted Analysis of Neural Image Compression and Generation", UT Austin. Not the
ViTScore of Zhu et al. 2023 (matching of patch embeddings, arXiv 2309.04891).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitiq.metrics.base import PairMetric
from vitiq.metrics.sizes import check_sizes
from vitiq.types import ImageU8, Score

if TYPE_CHECKING:
    from vitiq.models.backbones import Backbone

PUBLISHED_K = 100


class _LabelMetric(PairMetric):
    """What the label-overlap metrics share: a backbone and K.

    Args:
        backbone: None for the embedded ViT, loaded at first use.
        k: labels compared.
    """

    kind = "semantic"
    higher_is_better = True

    def __init__(self, backbone: Backbone | None = None, k: int = PUBLISHED_K) -> None:
        self._backbone, self.k = backbone, k

    @property
    def backbone(self) -> Backbone:
        """The backbone that reads the pictures."""
        if self._backbone is None:
            from vitiq.models.backbones import load_backbone  # noqa: PLC0415 - torch

            self._backbone = load_backbone()
        return self._backbone

    def signature(self) -> str:
        """Backbone, weights, preprocessing and K."""
        return f"{self.name}|k:{self.k}|{self.backbone.signature()}|v1"


class VitTopK(_LabelMetric):
    """ViT-Score as published: share of the top K labels of the original that the reconstruction keeps."""

    name = "vit-topk"
    title = "ViT-Score (top-K label overlap)"
    range = (0.0, 1.0)
    reference = "Minchev 2022, master's thesis, UT Austin"
    formula = "|T_K(p) ∩ T_K(q)| / K, K = 100"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Score with chance level, chance-corrected value, p-value and the table of shared labels."""
        from vitiq.metrics.label_overlap import overlap, shared_table  # noqa: PLC0415 - scipy

        check_sizes(reference, distorted)
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


class VitTopKAdjusted(_LabelMetric):
    """ViT-Score corrected for chance: 0 for two unrelated pictures on average, 1 for identical label lists."""

    name = "vit-topk-adj"
    title = "ViT-Score, chance-corrected"
    range = (-1.0, 1.0)
    reference = "Minchev 2022; correction for chance as in Cohen 1960, DOI 10.1177/001316446002000104"
    formula = "(vit-topk - K/N) / (1 - K/N)"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Chance-corrected score with its p-value."""
        from vitiq.metrics.label_overlap import overlap  # noqa: PLC0415 - scipy

        check_sizes(reference, distorted)
        p, q = self.backbone.probabilities([reference, distorted])
        result = overlap(p, q, self.k)
        return Score(result.adjusted, self.signature(), {"p_value": result.p_value, "chance": result.chance})
