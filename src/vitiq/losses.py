"""Every differentiable metric as a `torch.nn.Module`: losses of N×3×H×W images in [0, 1].

    from vitiq.losses import MsSsimLoss, loss

    criterion = loss("ms-ssim")            # or MsSsimLoss()
    value = criterion(distorted, reference)  # a scalar; gradients flow to `distorted`
    value.backward()
    criterion.scores(distorted, reference)   # the metric's value for each image, of a ViT but for the resize

Losses of a ViT resize images to its input by torch, the metrics by Pillow: scores of images of another size are up to
0.02 apart (`vit-prob`; the others less), so report the metric.

A metric is called differentiable if and only if it has a loss: those of vitiq are in `LOSSES`, a plug-in's metric gives
its own (`Metric.loss_class`). `STAND_INS` are surrogates for metrics that have no gradient or compare sets of images:
`vit-topk` (relaxed), `fid` and `fid-vit` (of patches). Networks are frozen; weights that do not ship with vitiq (LPIPS,
DISTS, FID) must be fetched first, as for the metric.
"""

from __future__ import annotations

from typing import Any

from vitiq import registry
from vitiq.errors import InputError, PluginError, UnknownNameError, near_names
from vitiq.metrics.fidelity.losses import (
    MaeLoss,
    MseLoss,
    MsSsimLoss,
    MsSsimYLoss,
    PsnrRgbLoss,
    PsnrYLoss,
    RmseLoss,
    SsimLoss,
    SsimSkimageLoss,
    SsimYLoss,
)
from vitiq.metrics.loss import Loss
from vitiq.metrics.measures.fsim import FsimLoss
from vitiq.metrics.measures.gmsd import GmsdLoss
from vitiq.metrics.measures.haarpsi import HaarPsiLoss
from vitiq.metrics.measures.iw_ssim import IwSsimLoss
from vitiq.metrics.measures.nlpd import NlpdLoss
from vitiq.metrics.measures.ssimulacra2 import Ssimulacra2Loss
from vitiq.metrics.measures.vif import VifLoss
from vitiq.metrics.perceptual.losses import DistsLoss, LpipsLoss, LpipsVggLoss, WassersteinLoss
from vitiq.metrics.semantic.vit_losses import (
    VitBcLoss,
    VitClsLoss,
    VitJsLoss,
    VitProbLoss,
    VitTilesLoss,
    VitTokensLockedLoss,
    VitTokensLoss,
)
from vitiq.metrics.semantic.vit_stand_ins import VitLevelsLoss, VitTopKLoss
from vitiq.metrics.sets.losses import PatchFidLoss, PatchFidVitLoss

__all__ = [
    "LOSSES",
    "STAND_INS",
    "DistsLoss",
    "FsimLoss",
    "GmsdLoss",
    "HaarPsiLoss",
    "IwSsimLoss",
    "Loss",
    "LpipsLoss",
    "LpipsVggLoss",
    "MaeLoss",
    "MsSsimLoss",
    "MsSsimYLoss",
    "MseLoss",
    "NlpdLoss",
    "PatchFidLoss",
    "PatchFidVitLoss",
    "PsnrRgbLoss",
    "PsnrYLoss",
    "RmseLoss",
    "SsimLoss",
    "SsimSkimageLoss",
    "SsimYLoss",
    "Ssimulacra2Loss",
    "VifLoss",
    "VitBcLoss",
    "VitClsLoss",
    "VitJsLoss",
    "VitLevelsLoss",
    "VitProbLoss",
    "VitTilesLoss",
    "VitTokensLockedLoss",
    "VitTokensLoss",
    "VitTopKLoss",
    "WassersteinLoss",
    "loss",
    "loss_class",
]

LOSSES: dict[str, type[Loss]] = {
    found.metric: found
    for found in (
        *(MseLoss, RmseLoss, MaeLoss, PsnrRgbLoss, PsnrYLoss, SsimLoss, SsimYLoss, SsimSkimageLoss),
        *(MsSsimLoss, MsSsimYLoss, IwSsimLoss, VifLoss, FsimLoss, GmsdLoss, HaarPsiLoss, NlpdLoss, Ssimulacra2Loss),
        *(LpipsLoss, LpipsVggLoss, DistsLoss, WassersteinLoss),
        *(VitJsLoss, VitBcLoss, VitProbLoss, VitClsLoss, VitTokensLoss, VitTokensLockedLoss, VitTilesLoss),
    )
}
"""The loss of each differentiable metric, by the metric's key."""


STAND_INS: dict[str, type[Loss]] = {
    "vit-topk": VitTopKLoss,
    "vit-levels": VitLevelsLoss,
    "fid": PatchFidLoss,
    "fid-vit": PatchFidVitLoss,
}
"""What is minimised in the place of a metric that is not differentiable or compares sets, by name."""


OF_SEARCHES = {"vit": "vit-tokens-locked", "perceptual": "vit-levels"}
"""Names of `--loss` alone, and the loss that each of them mostly is."""


def loss(name: str, **options: Any) -> Loss:
    """The loss of a metric, or a surrogate.

    Args:
        name: the metric's key: `mse`, `psnr-y`, `ms-ssim`, `lpips`, `vit-tiles`, a plug-in's, …; or one of `STAND_INS`.
        options: of the loss: `backbone` of the ViT losses; `folder` of the weights of LPIPS, DISTS and Wasserstein
            Distortion, `sigma` of the last.

    Raises:
        UnknownNameError: no metric of that name has a loss.
        PluginError: a plug-in's metric gives something else as its loss.
        WeightsError: its weights are not found.
    """
    if not isinstance(name, str):
        raise InputError(f"loss: {type(name).__name__} given, the name of a metric expected")
    return loss_class(name)(**options)


def loss_class(name: str) -> type[Loss]:
    """What `loss` makes. Raises as it does."""
    known: dict[str, type[Loss]] = {**LOSSES, **STAND_INS}
    if name in known:
        return known[name]
    if name not in registry.names("metrics"):
        if name in OF_SEARCHES:
            raise UnknownNameError(
                f"loss {name!r} given, which only searching codecs have (--loss {name}: {OF_SEARCHES[name]} with a "
                f"share of the squared error); give {OF_SEARCHES[name]!r}"
            )
        near = near_names(name, known, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(known)}"
        raise UnknownNameError(f"no loss of the metric {name!r}: {hint}")
    own: object = registry.load("metrics", name).loss_class()
    if own is None:
        raise UnknownNameError(f"the metric {name} has no loss; choose from {', '.join(known)}")
    if not (isinstance(own, type) and issubclass(own, Loss)):
        raise PluginError(f"loss_class of the metric {name} gave {own!r}, a subclass of vitiq.losses.Loss expected")
    return own
