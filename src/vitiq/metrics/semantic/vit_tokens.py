"""Semantic metrics of the network's tokens, for images whose meaning has no label among the network's."""

from __future__ import annotations

from collections.abc import Sequence

from vitiq.metrics.semantic.base import VitMetric
from vitiq.metrics.semantic.matching import cosines, matched
from vitiq.types import ImageU8, Score


class VitCls(VitMetric):
    """Cosine of the class tokens after the last norm."""

    name = "vit-cls"
    title = "Class-token cosine"
    range = (-1.0, 1.0)
    differentiable = True
    reference = "Dosovitskiy et al. 2021, arXiv 2010.11929; cosine of class tokens: Caron et al. 2021, arXiv 2104.14294"
    formula = "cos(cls(x), cls(y))"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Cosine of the class tokens."""
        a, b = self.backbone.features([reference, distorted])
        return Score(float(cosines(a, b)), self.signature())


class _Tokens(VitMetric):
    range = (-1.0, 1.0)
    differentiable = True

    def _read(self, images: Sequence[ImageU8]) -> None:
        self.backbone.tokens(images)


class VitTokens(_Tokens):
    """Patch tokens matched wherever they lie: what is shown, whether or not it moved."""

    name = "vit-tokens"
    title = "Patch tokens, matched (BERTScore form)"
    reference = (
        "Zhang et al. 2020, BERTScore, section 3, arXiv 1904.09675; for images: Zhu et al. 2023, arXiv 2309.04891"
    )
    formula = "F1 of recall = mean_i max_j cos(x_i, y_j) and precision = mean_j max_i cos(x_i, y_j)"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """F1 with precision and recall."""
        a, b = self.backbone.tokens([reference, distorted])
        precision, recall, f1 = matched(a[1:], b[1:])
        return Score(f1, self.signature(), {"precision": precision, "recall": recall})


class VitTokensLocked(_Tokens):
    """Patch tokens compared with those at the same place: what is shown where."""

    name = "vit-tokens-locked"
    title = "Patch tokens, position-locked"
    reference = "Zhu et al. 2023, arXiv 2309.04891, with the identity as the matching"
    formula = "mean_i cos(x_i, y_i)"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Mean cosine of the patch tokens."""
        a, b = self.backbone.tokens([reference, distorted])
        return Score(float(cosines(a[1:], b[1:]).mean()), self.signature())
