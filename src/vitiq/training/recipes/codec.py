"""Training of the transform codec (`vitiq train codec`): its bitstream and its synthesis for least squared error.

Minimises bits per pixel + λ · MSE (0-255 scale) with a quality drawn for each image, so that one network serves all
rates.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Annotated, Self

import msgspec
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from vitiq.codecs.transform.hyperprior import Hyperprior
from vitiq.codecs.transform.hyperprior_integer import export_hyperprior
from vitiq.codecs.transform.networks.block_dct import BLOCK
from vitiq.codecs.transform.networks.embedded import (
    FORMAT,
    LATENT_SPACE,
    PERCEPTUAL,
    PERCEPTUAL_BLOCKS,
    STANDS_FOR,
    TransformModel,
)
from vitiq.codecs.transform.networks.transform_codec import TransformCodec, error_weight
from vitiq.errors import InputError, WeightsError
from vitiq.training.checkpoint import Ema
from vitiq.training.classifier_beside import named_classifier, put_beside
from vitiq.training.config import Count, Finite, NotNegative, Phase, PhasedConfig, Positive, check_crop
from vitiq.training.crops import Sampler, in_unit_range, phase_at, random_crop, stacked
from vitiq.training.engine import Inputs, Recipe, Row, clip_and_step
from vitiq.training.hardware import Hardware
from vitiq.training.lattice import SIDE, excess
from vitiq.training.replay import Replay
from vitiq.weights.file import half, read_weights, stored, write_weights

log = logging.getLogger(__name__)

VALIDATED = (0.15, 0.5, 0.85)
"""Qualities at which held-out images are coded."""


LOW_SHARE = 0.13
"""Of the images, those coded at qualities below 0, where any are."""

DECODING, SHARED = ("gains.", "integer."), ("synthesis.linear.", "synthesis.stem.", "synthesis.wide.")
"""Names, in a weights file, of what decodes symbols, and of what the perceptual synthesis shares with the other."""


class CodecTrainingConfig(PhasedConfig, frozen=True, kw_only=True):
    """Settings of `configs/codec.toml`, in the same words."""

    name = "codec"
    crop_multiple = BLOCK
    linear_rate: Positive
    balance: Finite
    lowest: Annotated[float, msgspec.Meta(ge=-1, le=0)]
    lattice: NotNegative
    keeps_bitstream: bool
    analysis_blocks: tuple[Count, Count]
    synthesis_blocks: tuple[Count, Count, Count]

    def __post_init__(self) -> None:
        """Refuses what does not fit together."""
        super().__post_init__()
        if self.lattice:
            check_crop(min(self.crop_sizes), BLOCK, SIDE)

    def small(self) -> Self:
        """Few steps on few small images."""
        steps = {"warmup_steps": 2, "checkpoint_every": 3, "validate_every": 6}
        return msgspec.structs.replace(self, phases=(Phase(4, 64, 2), Phase(2, 128, 1)), held_out=2, **steps)


class CodecRecipe(Recipe[CodecTrainingConfig]):
    """Analysis, prior and synthesis, trained together; without weights to begin from, they start as the block DCT."""

    config_class = CodecTrainingConfig
    weights_file = "codec_embedded.safetensors"
    losses = ("loss", "train_bpp")
    figures = tuple(f"{name}_{t}" for name in ("psnr", "bpp") for t in VALIDATED)

    def __init__(self, config: CodecTrainingConfig, inputs: Inputs, hardware: Hardware) -> None:
        super().__init__(config, inputs, hardware)
        model = TransformCodec(config.analysis_blocks, config.synthesis_blocks)
        self._begin = inputs.begin
        if config.keeps_bitstream and inputs.begin is None:
            raise InputError("keeps_bitstream given without weights; give those whose bitstream is kept with --begin")
        self._classifier_file: Path | None = None
        if inputs.begin is not None:
            start_from(model, inputs.begin, keeps_bitstream=config.keeps_bitstream)
            if hardware.is_main_process:
                self._keep_or_say(inputs.begin, TransformModel(inputs.begin))
        self.model = self.codec = hardware.to_device(model)
        self.optimiser = make_optimiser(self.codec, config, hardware)
        self.average = Ema(self.codec, config.ema)
        parallel = hardware.data_parallel(self.codec)
        compute = partial(gradients, config, parallel, hardware)
        self._gradients = Replay(compute, tuple(p for p in self.codec.parameters() if p.requires_grad), hardware)
        self._sampler = Sampler(self.images, self.training, config)
        crop, rng = config.phases[0].crop, np.random.default_rng(config.seed)
        large = [i for i in self.held_out if min(self.images.shape(i)) >= crop] or self.training[:1]
        crops = stacked([random_crop(rng, self.images[i], crop, 1.0) for i in large])
        self._validation = in_unit_range(crops).to(hardware.device)

    def _keep_or_say(self, path: Path, known: TransformModel) -> None:
        """What becomes of a perceptual synthesis in the weights begun from."""
        if self.config.keeps_bitstream:
            self._classifier_file = named_classifier(path, known)
        elif known.has_perceptual:
            log.warning(
                "%s has a perceptual synthesis, which is not trained on here: the weights that result have none, and "
                "rebuild for least squared error alone; `vitiq train perceptual` makes another",
                path,
            )

    def batch(self, step: int) -> Tensor:
        """Crops of this process, as bytes."""
        phase = phase_at(self.config.phases, step)
        return self._sampler.batch([self.config.seed, 1, step], phase, self.hardware.local_indices(phase.batch))

    def step(self, batch: Tensor, step: int) -> Row:
        """One step at qualities drawn for each image."""
        config = self.config
        rng = np.random.default_rng([config.seed, 2, step, self.hardware.rank])
        torch.manual_seed(int(rng.integers(0, 2**31)))
        drawn = rng.uniform(0, 1, len(batch))
        if config.lowest < 0:
            drawn = np.where(rng.random(len(batch)) < LOW_SHARE, config.lowest * drawn, drawn)
        t = torch.from_numpy(drawn.astype(np.float32)).to(self.hardware.device)
        rate = self.set_rate(step)
        figures = self._gradients(batch, t)
        norm = clip_and_step(self.optimiser, self._gradients.parameters, config.gradient_clip)
        self.average.update(self.codec)
        names = ("loss", "mse", "train_bpp", "hyper_bpp", "gradient_norm")
        return dict(zip(names, torch.stack([*figures, norm]).tolist(), strict=True)) | {"learning_rate": rate}

    def validate(self, done: int) -> Row:  # noqa: ARG002
        """PSNR and bits per pixel of held-out crops."""
        return validate(self.codec, self._validation)

    def export(self, done: int, path: Path) -> None:
        """All networks, and the prior in integers; where the bitstream is kept, its classifier's weights beside it."""
        before = self._begin if self.config.keeps_bitstream else None
        export_weights(self.codec, self.earlier + done, path, before)
        put_beside(self._classifier_file, path)


@torch.no_grad()
def validate(model: TransformCodec, images: Float[Tensor, "n 3 s s"]) -> Row:
    """Mean PSNR and bits per pixel of held-out images, with rounded symbols, at some qualities."""
    model.eval()
    row: Row = {}
    area = images.shape[2] * images.shape[3]
    for t in VALIDATED:
        psnr, bpp = 0.0, 0.0
        for target in torch.split(images, 4):
            coded = model(target, torch.full((len(target),), t, device=target.device))
            error = (coded.rebuilt.clamp(0, 1) - target).square().mean(dim=(1, 2, 3))
            psnr += float((-10 * torch.log10(error.clamp_min(1e-10))).sum())
            bpp += float(coded.latent_bits.sum() + coded.hyper_bits.sum()) / area
        row |= {f"psnr_{t}": psnr / len(images), f"bpp_{t}": bpp / len(images)}
    model.train()
    return row


def export_weights(model: TransformCodec, steps: int, path: Path, keeping: Path | None = None) -> None:
    """Write the codec's weights file: transforms in 8 and 16 bits, float32 gains, and the prior in integers.

    Args:
        keeping: weights whose bitstream the model kept. Their prior, gains and perceptual synthesis are copied, and the
            file stands for theirs.
    """
    tensors: dict[str, Tensor] = {}
    for part, module in (("analysis.", model.analysis), ("synthesis.", model.synthesis)):
        for name, value in module.state_dict().items():
            tensors |= stored(part + name, value)
    for name, value in model.prior.analysis.state_dict().items():
        tensors |= half("hyper_analysis." + name, value)
    for name, value in model.gains.state_dict().items():
        tensors[f"gains.{name}"] = value.cpu().contiguous()
    for name, array in export_hyperprior(model.prior).items():
        tensors[f"integer.{name}"] = torch.from_numpy(array.copy(order="C"))
    metadata: dict[str, object] = {"format": FORMAT, "steps": steps}
    if keeping is not None:
        known = TransformModel(keeping)
        before, known_metadata = read_weights(keeping, FORMAT, "codec")
        tensors |= {name: value for name, value in before.items() if name.startswith((*DECODING, *SHARED, PERCEPTUAL))}
        metadata = {
            **known_metadata,
            **metadata,
            STANDS_FOR: sorted({*known.stands_for, known.weights_sha256}),
            LATENT_SPACE: known.latent_space,
        }
        if known.has_perceptual:
            metadata[PERCEPTUAL_BLOCKS] = known.synthesis("perceptual").blocks
    write_weights(path, tensors, metadata)


def make_optimiser(model: TransformCodec, config: CodecTrainingConfig, hardware: Hardware) -> torch.optim.AdamW:
    """AdamW; the transforms' linear parts learn slower."""
    learning = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    linear = [p for n, p in learning if n.endswith("linear.weight") and "prior" not in n]
    chosen = {id(p) for p in linear}
    rest = [p for _, p in learning if id(p) not in chosen]
    groups = [{"params": rest, "share": 1.0}, {"params": linear, "share": config.linear_rate}]
    fused = hardware.device.type == "cuda"
    return torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=0.0, fused=fused)


def start_from(model: TransformCodec, path: Path, *, keeps_bitstream: bool = False) -> None:
    """Give a model the weights of an exported file; residual blocks that the file lacks start as nothing.

    Args:
        keeps_bitstream: what decodes symbols, and what the perceptual synthesis shares, is not trained on.

    Raises:
        WeightsError: the file cannot be used.
    """
    known = TransformModel(path)
    model.prior = Hyperprior(context=known.prior.context is not None)
    parts = (model.analysis, model.gains, model.prior, model.synthesis)
    for own, module in zip(parts, (known.analysis, known.gains, known.prior, known.synthesis("mse")), strict=True):
        values = own.state_dict()
        strange = module.state_dict().keys() - values.keys()
        if strange:
            raise WeightsError(f"{path}: {min(strange)} given, which is more blocks than are trained; train others")
        own.load_state_dict(values | module.state_dict())
    if keeps_bitstream:
        model.gains.requires_grad_(False)
        model.prior.requires_grad_(False)
        model.prior.analysis.requires_grad_(True)
        for name, _ in known.synthesis("mse").named_parameters():
            if f"synthesis.{name}".startswith(SHARED):
                model.synthesis.get_parameter(name).requires_grad_(False)


def gradients(
    config: CodecTrainingConfig,
    model: TransformCodec,
    hardware: Hardware,
    images: UInt8[Tensor, "n s s 3"],
    t: Float[Tensor, " n"],
) -> tuple[Tensor, ...]:
    """Leave the gradients of a batch in the model's parameters.

    Returns:
        Loss, squared error, bits per pixel, and those of them that the hyper-latents take.
    """
    target = in_unit_range(images)
    with hardware.mixed_precision():
        coded = model(target, t)
    weight, pixels = error_weight(t), target.shape[2] * target.shape[3]
    error = (coded.rebuilt - target).square().mean(dim=(1, 2, 3)) * 255**2
    bpp = (coded.latent_bits.sum(dim=1) + coded.hyper_bits) / pixels
    loss = ((bpp + weight * error) / weight**config.balance).mean()
    torch.autograd.backward(loss + config.lattice * excess(coded.rebuilt, target) if config.lattice else loss)
    return loss.detach(), error.detach().mean(), bpp.detach().mean(), coded.hyper_bits.detach().mean() / pixels
