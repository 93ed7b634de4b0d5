"""Several backbones of different architectures asked the same question, so that no single network's habits decide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from vitiq.errors import InputError
from vitiq.metrics.base import PairMetric
from vitiq.models.top_labels import top_labels
from vitiq.types import ImageU8, Score

if TYPE_CHECKING:
    from vitiq.models.backbones import Backbone

LEVEL = 0.95


def in_top(p: np.ndarray, q: np.ndarray, n: int) -> bool:
    """True if the most probable label of q is among the n most probable of p; ties go to the lower index.

    Raises:
        InputError: n outside 1 … N.
    """
    return int(top_labels(q, 1)[0]) in top_labels(p, n)


def share_interval(hits: Sequence[bool]) -> tuple[float, float]:
    """Bootstrap percentile interval of the share of hits.

    A resample of n yes-or-no answers has a binomial count, so its quantiles are exact and nothing is drawn at random
    (Efron & Tibshirani 1993, chapter 13).
    """
    from scipy.stats import binom  # noqa: PLC0415 - slow to import

    n, share = len(hits), float(np.mean(hits))
    low, high = (float(binom.ppf(tail, n, share)) / n for tail in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return low, high


class VitPanel(PairMetric):
    """Share of a panel of backbones whose top label of the reconstruction lies in the top n of the original.

    Args:
        backbone: the scoring backbone; with the embedded ViT and `panel` it makes the panel, each weights file once.
        panel: further backbones.
        n: labels of the original that count as right.
    """

    name = "vit-panel"
    title = "Panel of backbones: top label kept"
    range = (0.0, 1.0)
    higher_is_better = True
    kind = "semantic"
    reference = "vitiq; top-n agreement: Russakovsky et al. 2015, DOI 10.1007/s11263-015-0816-y"
    formula = "share of backbones with T_1(q) ⊂ T_n(p), n = 5"
    parameter = "n"

    def __init__(self, backbone: Backbone | None = None, panel: Sequence[Backbone] = (), n: int | str = 5) -> None:
        try:
            self.n = int(n)
        except ValueError as error:
            raise InputError(f"vit-panel@{n} given, expected a number of labels such as vit-panel@5") from error
        if self.n < 1 or not str(n).isascii():
            raise InputError(f"vit-panel@{n} given, expected 1 label or more")
        self._given = [*([backbone] if backbone is not None else []), *panel]
        if self.n != 5:
            self.name = f"vit-panel@{self.n}"

    @property
    def panel(self) -> list[Backbone]:
        """The backbones asked, the embedded one first."""
        from vitiq.models.backbones import load_backbone  # noqa: PLC0415 - torch

        device = str(self._given[0].device) if self._given else "cpu"
        return list({b.weights_sha256: b for b in (load_backbone(device=device), *self._given)}.values())

    def signature(self) -> str:
        """n, and every backbone's signature."""
        return f"{self.name}|n:{self.n}|" + "|".join(f"[{b.signature()}]" for b in self.panel) + "|v1"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Share with its 95 % bootstrap interval and each backbone's answer."""
        answers = {}
        for backbone in self.panel:
            p, q = backbone.probabilities([reference, distorted])
            if self.n > len(backbone.labels):
                raise InputError(
                    f"{self.name} given, but {backbone.name} has {len(backbone.labels)} labels; give fewer"
                )
            answers[backbone.name] = {
                "original": backbone.labels[int(p.argmax())],
                "reconstruction": backbone.labels[int(q.argmax())],
                "kept": in_top(p, q, self.n),
            }
        hits = [bool(answer["kept"]) for answer in answers.values()]
        low, high = share_interval(hits)
        details = {"backbones": len(hits), "interval_95": [low, high], "answers": answers}
        return Score(float(np.mean(hits)), self.signature(), details)
