"""Options of the generative codec: its weights, and the search of one image's latents."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Literal

from vitiq.errors import InputError
from vitiq.optimise.settings import SearchOptions
from vitiq.options import option

EMBEDDED = "embedded"
"""The weights where none are given."""

Tune = Literal["psnr", "ms-ssim", "perceptual"]
TUNES: dict[Tune, str] = {"psnr": "mse", "ms-ssim": "ms-ssim", "perceptual": "perceptual"}
"""Losses of the search."""

EFFORTS = (0, 30, 100, 300)
"""Iterations of the search."""

SEARCHES, SEARCH_ONLY = ("effort", "tune", "refine"), ("loss", "optimizer", "learning_rate", "preview_every")
"""Options that ask for a search, and those without a meaning where there is none."""


@dataclass(frozen=True, kw_only=True)
class TransformOptions(SearchOptions):
    """Options of the transform codec."""

    generator: str = option(EMBEDDED, "'embedded', or the path of a weights file of `vitiq train codec`")
    effort: int | None = option(
        None, "optimise this image's latents: 0 no, 1 short, 2, 3 long; default 0, with tune 2", low=0, high=3
    )
    tune: Tune | None = option(None, "what the search optimises: psnr (the default), ms-ssim or perceptual")
    refine: int = option(0, "iterations of the search, instead of effort", low=0)
    learning_rate: float | None = option(
        None, "of the search, in symbols per iteration; if not given 1 for sgd, 0.14 or less for adam", low=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tune is not None and self.loss not in {"mse", TUNES[self.tune]}:
            raise InputError(f"tune {self.tune} and loss {self.loss} given; give one of them")
        if self.tune not in {None, "psnr"} and self.effort == 0 and not self.refine:
            raise InputError(f"tune {self.tune} given with effort 0, which searches nothing; give effort 1 to 3")
        if self.effort is not None and self.refine:
            raise InputError(f"effort {self.effort} and refine {self.refine} given; give one of them")
        defaults = {item.name: item.default for item in fields(self) if item.name in SEARCH_ONLY}
        idle = [f"{name} {getattr(self, name)}" for name in defaults if getattr(self, name) != defaults[name]]
        if idle and not self.iterations:
            how = "effort 1 to 3, refine, or tune ms-ssim or perceptual"
            raise InputError(f"{', '.join(idle)} given, but nothing is searched; ask for a search with {how}")

    def without_search(self) -> dict[str, object]:
        """The options of the same codec without its search."""
        return {name: value for name, value in asdict(self).items() if name not in {*SEARCH_ONLY, *SEARCHES}}

    @property
    def iterations(self) -> int:
        """Of the search; 0 for none."""
        if self.refine:
            return self.refine
        searched = self.tune not in {None, "psnr"}
        return EFFORTS[(2 if searched else 0) if self.effort is None else self.effort]

    @property
    def searched_loss(self) -> str:
        """The loss of the search."""
        return self.loss if self.tune is None else TUNES[self.tune]
