"""Training of the correction of JPEG artefacts (`vitiq train deblock`): least squared error at all qualities.

Each crop is coded as a JPEG of a quality drawn for it, some a second time, and the network learns its coefficients'
offsets. Squared errors are weighted by what JPEG lost, so that no quality is forgotten: PSNR is a logarithm.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

import msgspec
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from vitiq.filters.deblock.dct import LEVEL, to_coefficients
from vitiq.filters.deblock.embedded import FORMAT, load_corrector
from vitiq.filters.deblock.network import HALF, Corrector, PlaneCorrector, corrected, guide_of
from vitiq.filters.deblock.tables import standard_tables
from vitiq.training.blocking import blocking
from vitiq.training.checkpoint import Ema
from vitiq.training.config import NotNegative, Phase, PhasedConfig, Positive, Share, Whole, check_order
from vitiq.training.crops import Sampler, held_out_crops, phase_at
from vitiq.training.engine import Inputs, Recipe, Row, descend
from vitiq.training.hardware import Hardware
from vitiq.training.jpeg_views import Coded, code, coded_before, draw_tables, subsampled, to_ycc
from vitiq.weights.file import eight_bit, half, write_weights

VALIDATED = (10, 20, 30, 60)
"""Qualities at which held-out crops are corrected."""

SUBSAMPLINGS = ((2, 2), (1, 1), (1, 2))
"""Chroma down and across: 4:2:0, 4:4:4, 4:2:2."""


JpegQuality = Annotated[int, msgspec.Meta(ge=1, le=100)]
"""Of libjpeg."""


class DeblockTrainingConfig(PhasedConfig, frozen=True, kw_only=True):
    """Settings of `configs/deblock.toml`, in the same words."""

    name = "deblock"
    crop_multiple = 16  # blocks of 8×8 pixels of chroma at half the resolution
    cooldown_steps: Whole
    lowest_quality: JpegQuality
    highest_quality: JpegQuality
    twice_share: Share
    chroma_weight: NotNegative
    blocking: NotNegative
    error_floor: Positive

    def __post_init__(self) -> None:
        """Refuses what does not fit together."""
        super().__post_init__()
        check_order("lowest_quality", self.lowest_quality, "highest_quality", self.highest_quality)

    def rate(self, step: int) -> float:
        """Learning rate of 0-based `step`: warm-up, the highest, and a straight way to the last one.

        Held at the highest, a run can be stopped, resumed and made longer; averaged parameters are good at any time.
        """
        high, low, left = self.learning_rate, self.final_learning_rate, self.steps - step
        if step < self.warmup_steps:
            return high * (step + 1) / self.warmup_steps
        return low + (high - low) * min(1.0, left / max(1, self.cooldown_steps))

    def small(self) -> Self:
        """Few steps on few small images."""
        small = (Phase(4, 32, 2), Phase(2, 48, 1))
        every = {"checkpoint_every": 3, "validate_every": 6}
        return msgspec.structs.replace(self, phases=small, warmup_steps=2, cooldown_steps=2, held_out=2, **every)


class DeblockRecipe(Recipe[DeblockTrainingConfig]):
    """The correction of luma and that of chroma, trained together; with no weights to begin from, of nothing."""

    config_class = DeblockTrainingConfig
    weights_file = "deblock_embedded.safetensors"
    losses = ("loss", "luma", "chroma", "blocking")
    figures = tuple(f"luma_gain_{quality}" for quality in VALIDATED)

    def __init__(self, config: DeblockTrainingConfig, inputs: Inputs, hardware: Hardware) -> None:
        super().__init__(config, inputs, hardware)
        model = Corrector()
        if inputs.begin is not None:
            model.load_state_dict(load_corrector(inputs.begin).model.state_dict())
        self.model = self.corrector = hardware.to_device(model)
        self.optimiser = torch.optim.AdamW(
            self.corrector.parameters(), lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True
        )
        self.average = Ema(self.corrector, config.ema)
        self._sampler = Sampler(self.images, self.training, config)
        seed, count = config.seed, config.held_out
        crops = held_out_crops(self.images, self.held_out, self.training, config, seed=seed, count=count)
        self._validation = to_ycc(crops.to(hardware.device))

    def batch(self, step: int) -> Tensor:
        """Crops of this process, as bytes."""
        phase = phase_at(self.config.phases, step)
        return self._sampler.batch([self.config.seed, 1, step], phase, self.hardware.local_indices(phase.batch))

    def step(self, batch: Tensor, step: int) -> Row:
        """One step, each crop at tables of its own."""
        config, hardware = self.config, self.hardware
        rng = np.random.default_rng([config.seed, 2, step])
        factors = SUBSAMPLINGS[int(rng.choice(3, p=(0.7, 0.15, 0.15)))]  # one for all: tensors have one shape
        own = np.random.default_rng([config.seed, 3, step, hardware.rank])
        luma, chroma = self._coded(batch, own, factors)
        with hardware.mixed_precision():
            offsets = self.corrector.luma(luma.quantised, luma.tables)
            guide = _guide(luma, offsets, chroma)
            chroma_offsets = self.corrector.chroma(chroma.quantised, chroma.tables, guide)
        errors = [
            relative_error(luma, offsets.float(), config.error_floor),
            relative_error(chroma, chroma_offsets.float(), config.error_floor / 4),
            relative_blocking(luma, offsets.float(), config.error_floor),
        ]
        loss = errors[0] + config.chroma_weight * errors[1] + config.blocking * errors[2]
        rate = self.set_rate(step)
        norm = descend(loss, self.optimiser, self.corrector.parameters(), config.gradient_clip, average_over=hardware)
        self.average.update(self.corrector)
        values = [float(value.detach()) for value in (loss, *errors)]
        names = ("loss", "luma", "chroma", "blocking", "gradient_norm", "learning_rate")
        return dict(zip(names, [*values, norm, rate], strict=True))

    def _coded(
        self, batch: UInt8[Tensor, "n s s 3"], rng: np.random.Generator, factors: tuple[int, int]
    ) -> tuple[Coded, Coded]:
        """Luma and chroma of a batch, coded by tables drawn for each crop; targets are the pixels before any coding."""
        config = self.config
        clean = to_ycc(batch)
        seen, tables = clean.clone(), []
        for k in range(len(clean)):
            tables.append(draw_tables(rng, config.lowest_quality, config.highest_quality))
            if rng.random() < config.twice_share:
                first = draw_tables(rng, config.lowest_quality, config.highest_quality)
                shift = (int(rng.integers(0, 8)), int(rng.integers(0, 8)))
                seen[k] = coded_before(clean[k], first, shift)
        steps = torch.stack(tables).to(clean)
        luma = code(seen[:, :1], steps[:, :1])
        chroma = code(subsampled(seen[:, 1:], factors), steps[:, [1, 1]])
        return (
            Coded(clean[:, :1], luma.quantised, luma.tables),
            Coded(subsampled(clean[:, 1:], factors), chroma.quantised, chroma.tables),
        )

    def validate(self, done: int) -> Row:  # noqa: ARG002
        """What is gained in PSNR on held-out crops: luma at some qualities, chroma (4:2:0) at the first."""
        return validate(self.corrector, self._validation)

    def export(self, done: int, path: Path) -> None:
        """Both networks."""
        export_weights(self.corrector, self.earlier + done, path)


def relative_error(coded: Coded, offsets: Float[Tensor, "n p 64 i j"], floor: float) -> Tensor:
    """Squared error over JPEG's own, averaged over a batch; `floor`: added to JPEG's, on the 0-255 scale squared.

    Coefficients are compared, which is the same as pixels. Beyond the quantisation intervals, where the correction will
    be clamped, a tenth of the error without the clamp still pulls back.
    """
    steps = coded.tables[..., None, None]
    wanted = to_coefficients(coded.planes) / steps - coded.quantised
    clamped = offsets.clamp(-HALF, HALF)

    def error(found: Tensor) -> Tensor:
        return ((found - wanted) * steps).square().mean(dim=(1, 2, 3, 4))

    lost = error(torch.zeros_like(offsets)) + floor
    return ((error(clamped) + 0.1 * error(offsets)) / lost).mean()


def relative_blocking(coded: Coded, offsets: Float[Tensor, "n 1 64 i j"], floor: float) -> Tensor:
    """What borders of blocks add to the squared error in PSNR-B, over JPEG's squared error as in `relative_error`."""
    plain = corrected(coded.quantised, torch.zeros_like(offsets), coded.tables)
    lost = (plain - coded.planes).square().mean(dim=(1, 2, 3)) + floor
    return (blocking(corrected(coded.quantised, offsets, coded.tables), coded.planes) / lost).mean()


def _guide(luma: Coded, offsets: Tensor, chroma: Coded) -> Tensor:
    """Corrected luma at the resolution of chroma, through which no gradient flows."""
    found = corrected(luma.quantised, offsets.detach().float(), luma.tables)
    return guide_of(found, *chroma.planes.shape[2:])


@torch.no_grad()
def validate(model: Corrector, planes: Float[Tensor, "n 3 s s"]) -> Row:
    """Mean gain in dB over JPEG of held-out crops, luma at `VALIDATED`, chroma at the first of them."""
    model.eval()
    row: Row = {}
    for quality in VALIDATED:
        steps = torch.from_numpy(standard_tables(quality)).to(planes).expand(len(planes), 2, 64)
        luma = code(planes[:, :1], steps[:, :1])
        found = _found(model.luma, luma)
        row[f"luma_gain_{quality}"] = _gain(luma, found)
        if quality == VALIDATED[0]:
            chroma = code(subsampled(planes[:, 1:], (2, 2)), steps[:, [1, 1]])
            guide = guide_of(found, *chroma.planes.shape[2:])
            row["chroma_gain"] = _gain(chroma, _found(model.chroma, chroma, guide))
    model.train()
    return row


def _found(model: PlaneCorrector, coded: Coded, guide: Tensor | None = None) -> Tensor:
    whole = len(coded.quantised)
    parts = [slice(start, start + 4) for start in range(0, whole, 4)]
    return torch.cat([_found_part(model, coded, part, guide) for part in parts])


def _found_part(model: PlaneCorrector, coded: Coded, part: slice, guide: Tensor | None) -> Tensor:
    quantised, tables = coded.quantised[part], coded.tables[part]
    offsets = model(quantised, tables, None if guide is None else guide[part])
    return corrected(quantised, offsets, tables)


def _gain(coded: Coded, found: Tensor) -> float:
    """PSNR of corrected planes minus that of decoded ones, averaged over crops."""

    def psnr(planes: Tensor) -> Tensor:
        error = (planes.clamp(-LEVEL, LEVEL - 1) - coded.planes).square().mean(dim=(1, 2, 3))
        return -10 * torch.log10(error.clamp_min(1e-3))

    plain = corrected(coded.quantised, torch.zeros_like(coded.quantised), coded.tables)
    return float((psnr(found) - psnr(plain)).mean())


def export_weights(model: Corrector, steps: int, path: Path) -> None:
    """Write the weights file: kernels of 3×3 pixels in 8 bits, all else in half precision."""
    tensors: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        inner = name.endswith((".first.weight", ".second.weight"))
        tensors |= (eight_bit if inner else half)(name, value)
    write_weights(path, tensors, {"format": FORMAT, "steps": steps})
