"""Training of the generative codec's second synthesis (`vitiq train perceptual`): images that look like images.

Analysis, prior and so every bitstream stay as they are; the finer half of the synthesis is trained further for what
`adversarial.py` offers: squared error, the same masked by texture, features of the embedded ViT, and the verdicts of a
patch discriminator. With a classifier of the latents it also learns to aggregate the features of that (Bai et al. 2022,
arXiv 2112.09300). The file that results holds both syntheses.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Self

import msgspec
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.codecs.transform.latent_classifier import EmbeddedClassifier
from vitiq.codecs.transform.networks.block_dct import BLOCK
from vitiq.codecs.transform.networks.embedded import (
    FORMAT,
    PERCEPTUAL,
    PERCEPTUAL_BLOCKS,
    STANDS_FOR,
    WEIGHTS,
    TransformModel,
)
from vitiq.codecs.transform.networks.residual_dct import Synthesis, powers
from vitiq.errors import InputError
from vitiq.models.backbones import load_backbone
from vitiq.training.adversarial import AdversarialStep, Discriminator, feature_distance, relative_errors
from vitiq.training.checkpoint import Ema, Stateful
from vitiq.training.classifier_beside import put_beside
from vitiq.training.config import Count, NotNegative, Phase, Positive, Share, SteadyConfig, Times, Whole, check_crop
from vitiq.training.crops import Sampler, held_out_crops, in_unit_range
from vitiq.training.engine import Inputs, Recipe, Row
from vitiq.training.hardware import Hardware
from vitiq.training.lattice import SIDE, excess
from vitiq.weights.file import read_weights, stored, write_weights

TRAINED = ("aggregate.", "to_middle.", "base_middle.", "middle.", "to_fine.", "base_fine.", "fine.", "out.")
"""Parts of the synthesis that are trained further: what is aggregated at stride 16, and all of strides 8 and 4."""

VALIDATED = 0.1
"""Quality at which held-out images are coded."""


class PerceptualTrainingConfig(SteadyConfig, frozen=True, kw_only=True):
    """Settings of `configs/perceptual.toml`, in the same words."""

    name = "perceptual"
    crop: Count
    discriminator_rate: Positive
    discriminator_start: Whole
    squared_error: NotNegative
    masked_error: NotNegative
    features: NotNegative
    adversarial: NotNegative
    lattice: NotNegative
    interpolation: NotNegative
    quality_power: Positive
    graphic_share: Share
    largest_shrink: Times
    largest_enlargement: Times = 1.0

    def __post_init__(self) -> None:
        """Refuses crops that do not fit."""
        check_crop(self.crop, BLOCK, SIDE)

    @property
    def phase(self) -> Phase:
        """What is drawn in a step."""
        return Phase(self.steps, self.crop, self.batch)

    @property
    def crop_sizes(self) -> frozenset[int]:
        """Side of crops, in pixels, for `Sampler`."""
        return frozenset([self.crop])

    def small(self) -> Self:
        """Few steps on few small images."""
        steps = {"steps": 4, "batch": 1, "checkpoint_every": 2, "validate_every": 4}
        return msgspec.structs.replace(self, discriminator_start=1, held_out=1, **steps)


class PerceptualRecipe(Recipe[PerceptualTrainingConfig]):
    """The codec's frozen networks and its classifier's, the synthesis in training and its discriminator."""

    config_class = PerceptualTrainingConfig
    weights_file = "codec_embedded.safetensors"
    shipped = MappingProxyType({"codec": WEIGHTS})
    saved_as = "synthesis"
    losses = ("loss", "discriminator_loss", "features", "lattice")
    figures = ("held_out_features", "own_features", "held_out_lattice")

    def __init__(self, config: PerceptualTrainingConfig, inputs: Inputs, hardware: Hardware) -> None:
        self._codec_file, self._classifier_file = inputs.codec or WEIGHTS, inputs.classifier
        self.codec = TransformModel(self._codec_file).to(hardware.device)
        self.classifier = None if inputs.classifier is None else EmbeddedClassifier(inputs.classifier)
        if self.classifier is not None:
            self.classifier.check(self.codec)
            self.classifier.model.to(hardware.device)
        self._backbone = load_backbone().to(hardware.device)
        super().__init__(config, inputs, hardware)
        self.model = self.synthesis = hardware.to_device(self._starting_synthesis())
        self._parallel = hardware.data_parallel(self.synthesis)
        learning = [p for p in self.synthesis.parameters() if p.requires_grad]
        self.optimiser = torch.optim.Adam(learning, lr=config.learning_rate, betas=(0.5, 0.9))
        self._discriminator = Discriminator(config.discriminator_rate, hardware)
        self._synthesis_step = AdversarialStep(
            discriminator=self._discriminator,
            backbone=self._backbone,
            optimiser=self.optimiser,
            parameters=learning,
            weights=config,
            clip=config.gradient_clip,
            hardware=hardware,
            average=False,  # `data_parallel` does
        )
        self.average = Ema(self.synthesis, config.ema)
        self._sampler = Sampler(self.images, self.training, config)
        seed, count = config.seed, config.held_out
        crops = held_out_crops(self.images, self.held_out, self.training, config, seed=seed, count=count)
        self._validation = in_unit_range(crops.to(hardware.device))

    def _starting_synthesis(self) -> Synthesis:
        before = self.codec.synthesis("perceptual")
        if self.config.interpolation < 1 and before.blocks != self.codec.synthesis("mse").blocks:
            raise InputError(
                f"interpolation {self.config.interpolation:g} given, and syntheses of different blocks, which have "
                f"nothing between them; give interpolation = 1.0"
            )
        synthesis = Synthesis(self.classifier.feature_channels if self.classifier else 0, before.blocks)
        known = before.state_dict()
        synthesis.load_state_dict({k: known.get(k, v) for k, v in synthesis.state_dict().items()})
        for name, parameter in synthesis.named_parameters():
            parameter.requires_grad_(name.startswith(TRAINED))
        return synthesis

    def parts(self) -> dict[str, Stateful]:
        """Networks, optimisers and average."""
        return super().parts() | self._discriminator.parts()

    def batch(self, step: int) -> Tensor:
        """Crops of this process, as bytes."""
        indices = self.hardware.local_indices(self.config.batch)
        return self._sampler.batch([self.config.seed, 1, step], self.config.phase, indices)

    def step(self, batch: Tensor, step: int) -> Row:
        """One step of both networks at qualities drawn for each image; the losses see images rolled by a few pixels."""
        config, hardware = self.config, self.hardware
        target = in_unit_range(batch)
        rng = np.random.default_rng([config.seed, 2, step, hardware.rank])
        drawn = rng.uniform(0, 1, len(target)).astype(np.float32) ** config.quality_power
        shift = (int(rng.integers(0, BLOCK)), int(rng.integers(0, BLOCK)))
        quality = powers(torch.from_numpy(drawn).to(hardware.device))
        rate = self.set_rate(step)
        with hardware.mixed_precision():
            latents, features, plain = self._coded(target, quality)
            found: Tensor = self._parallel(latents, quality, features)
            # Backbone and discriminator have grids of their own; where they always met the latents', it showed.
            found, plain, target = (torch.roll(x, shift, dims=(2, 3)) for x in (found, plain.float(), target))
        row = {"discriminator_loss": self._discriminator.step(target, found, plain), "learning_rate": rate}
        if step < config.discriminator_start:
            return row
        found = found.float()
        lattice = excess(found, target)
        row |= self._synthesis_step(found, plain, target, config.lattice * lattice)
        row["lattice"] = float(lattice.detach())
        self.average.update(self.synthesis)
        return row

    @torch.no_grad()
    def _coded(
        self, target: Float[Tensor, "n 3 s s"], quality: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n f g g"] | None, Float[Tensor, "n 3 s s"]]:
        """Dequantised latents, the classifier's features, and what the codec's own synthesis reconstructs."""
        gain = self.codec.gains(quality)
        latents = torch.round(self.codec.analysis(target, quality).float() * gain) / gain
        size = target.shape[2], target.shape[3]
        features = None if self.classifier is None else self.classifier.features(latents, *size, quality)
        return latents, features, self.codec.synthesis("mse")(latents, quality)

    @torch.no_grad()
    def validate(self, done: int) -> Row:  # noqa: ARG002
        """Errors and features of held-out images at one quality; features for the codec's own synthesis too."""
        images = self._validation
        quality = powers(torch.full((len(images),), VALIDATED, device=images.device))
        latents, features, plain = self._coded(images, quality)
        found = self.synthesis(latents, quality, features)
        error, masked = relative_errors(found, plain, images)
        unlike, own = (feature_distance(self._backbone, x, images) for x in (found, plain))
        found_in = {
            "held_out_error": error,
            "held_out_masked": masked,
            "held_out_features": unlike,
            "own_features": own,
            "held_out_lattice": excess(found, images),
            "own_lattice": excess(plain, images),
        }
        return {name: float(value) for name, value in found_in.items()}

    def export(self, done: int, path: Path) -> None:
        """Write the codec's weights file anew, with the second synthesis, and its classifier's beside it.

        Parameters lie `interpolation` of the way from the codec's own synthesis to what was trained, which leaves the
        patterns of adversarial training behind (network interpolation, Wang et al. 2018, section 3.4; arXiv
        1809.00219).
        """
        own, share = self.codec.synthesis("mse").state_dict(), self.config.interpolation
        before, metadata = read_weights(self._codec_file, FORMAT, "codec")
        tensors = {name: value for name, value in before.items() if not name.startswith(PERCEPTUAL)}
        for name, value in self.synthesis.state_dict().items():
            if name.startswith(TRAINED):
                start = own[name] if name in own else torch.zeros_like(value)
                tensors |= stored(PERCEPTUAL + name, torch.lerp(start.to(value), value, share))
        metadata["perceptual_steps"] = metadata.get("perceptual_steps", 0) + done
        reader = self.classifier.weights_sha256 if self.classifier else ""
        # Symbols are decoded as before: files that name the codec's weights, or what those stand for, still can be.
        metadata[STANDS_FOR] = sorted({*metadata.get(STANDS_FOR, ()), self.codec.weights_sha256})
        metadata[PERCEPTUAL_BLOCKS] = self.synthesis.blocks
        write_weights(path, tensors, metadata | {"interpolation": share, "classifier_sha256": reader})
        put_beside(self._classifier_file, path)
