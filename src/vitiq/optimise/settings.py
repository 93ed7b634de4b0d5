"""What a search minimises and how: names, weights, options and settings, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vitiq import registry
from vitiq.errors import InputError, near_names
from vitiq.options import device_option, option

if TYPE_CHECKING:
    from vitiq.metrics.base import Metric

OptimiserName = Literal["adam", "sgd"]
OPTIMISERS: tuple[OptimiserName, ...] = ("adam", "sgd")


@dataclass(frozen=True, slots=True)
class Weighting:
    """A distortion: `factor` times a loss, and `mse` times the mean squared error of images in [0, 1].

    The factors bring all distortions to about the scale of the squared error, which the weight of the rate was chosen
    for (`benchmarks/search_losses.py` prints them). The share of squared error keeps brightness and colour in place,
    which the others hardly see.

    Attributes:
        loss: a name that `vitiq.losses.loss` knows.
    """

    loss: str
    factor: float
    mse: float


WEIGHTINGS = {
    "mse": Weighting("mse", 0, 1),
    "mae": Weighting("mae", 1 / 15, 0),
    "rmse": Weighting("rmse", 1 / 25, 0),
    "psnr-rgb": Weighting("psnr-rgb", 1 / 2500, 0),
    "psnr-y": Weighting("psnr-y", 1 / 2500, 1 / 4),
    "ssim": Weighting("ssim", 1 / 10, 1 / 10),
    "ms-ssim": Weighting("ms-ssim", 1 / 20, 1 / 10),
    "vit": Weighting("vit-tokens-locked", 1 / 25, 1 / 4),
    "vit-topk": Weighting("vit-topk", 1 / 60, 1 / 4),
    "vit-tiles": Weighting("vit-tiles", 1 / 15, 1 / 4),
    "perceptual": Weighting("vit-levels", 1 / 25, 1 / 4),
    "fid": Weighting("fid", 1 / 40000, 1 / 4),
    "fid-vit": Weighting("fid-vit", 1 / 60000, 1 / 4),
}
"""By the name of `--loss`; `DEFAULT` for the losses that are not listed."""

DEFAULT = Weighting("", 1 / 25, 1 / 4)


def weighting(name: str) -> Weighting:
    """The distortion of a name: one of `WEIGHTINGS`, or any metric with a loss.

    Raises:
        InputError: no such loss; lists what there is.
    """
    if name in WEIGHTINGS:
        return WEIGHTINGS[name]
    if name not in registry.names("metrics") or not _metric(name).differentiable:
        known = [*WEIGHTINGS, "lpips", "dists"]
        near = near_names(name, known, most=1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise InputError(
            f"loss {name!r} given{meant}, expected one of {', '.join(known)}, or another metric with a loss: "
            "`vitiq metrics list --json` lists which are differentiable"
        )
    return Weighting(name, DEFAULT.factor, DEFAULT.mse)


def networks_of(name: str) -> tuple[str, ...]:
    """Networks (names of the manifest) that a loss looks through, which should then not score the result."""
    found = weighting(name).loss
    if found.startswith("vit-") or found == "fid-vit":
        return ("vit-embedded",)
    if found == "fid":
        return ("inception-fid",)
    return tuple(getattr(_metric(found), "models", ()))


def _metric(name: str) -> type[Metric]:
    found: type[Metric] = registry.load("metrics", name)
    return found


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """Options of every codec that searches what a file holds."""

    loss: str = option(
        "mse",
        "what the search minimises: mse, ssim, ms-ssim, lpips, vit, perceptual, vit-topk, vit-tiles, fid, or another "
        "differentiable metric",
    )
    optimizer: OptimiserName = option("adam", "optimiser (sgd: with the published schedule)")
    learning_rate: float | None = option(None, "initial learning rate; the optimiser's default if not given", low=0)
    seed: int = option(0, "random seed of the search")
    preview_every: int = option(250, "iterations between previews", low=1)
    device: str = device_option()

    def __post_init__(self) -> None:
        weighting(self.loss)

    def search(self, iterations: int) -> SearchSettings:
        """Settings of a search of so many iterations."""
        return SearchSettings(iterations, self.optimizer, self.learning_rate, self.preview_every)


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How latents are searched.

    Attributes:
        iterations: at most this many, at least 1.
        optimiser: `sgd` as the thesis (learning rate 1, momentum 0.9, reduced by 10 on a plateau of
            10 iterations, threshold 1e-4 relative), or `adam` with cosine decay.
        learning_rate: first learning rate; None for 1.0 with sgd, 0.2 with adam.
        preview_every: iterations between preview images.
    """

    iterations: int
    optimiser: OptimiserName = "adam"
    learning_rate: float | None = None
    preview_every: int = 250

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise InputError(f"{self.iterations} iterations given, at least 1 expected")
        if self.preview_every < 1:
            raise InputError(f"a preview every {self.preview_every} iterations given, at least 1 expected")
        if self.optimiser not in OPTIMISERS:
            raise InputError(f"optimiser {self.optimiser!r} given, expected one of {', '.join(OPTIMISERS)}")

    @property
    def rate(self) -> float:
        """The first learning rate."""
        if self.learning_rate is not None:
            return self.learning_rate
        return 1.0 if self.optimiser == "sgd" else 0.2
