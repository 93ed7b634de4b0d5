"""Training of the generative codec's second synthesis (`vitiq train perceptual`): images that look like images.

Analysis, prior and so every bitstream stay as they are; the finer half of the synthesis is trained on for what
`adversarial.py` offers: squared error, the same masked by texture, features of the embedded ViT, and the verdicts of a
patch discriminator. With a classifier of the latents it also learns to aggregate the features of that (Bai et al. 2022,
arXiv 2112.09300). The file that results holds both syntheses.

Everything random in a step comes from (seed, step), so a resumed run continues the same sequence.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor, nn

from vitiq.codecs.transform.latent_classifier import WEIGHTS as CLASSIFIER
from vitiq.codecs.transform.latent_classifier import EmbeddedClassifier
from vitiq.codecs.transform.networks.block_dct import BLOCK
from vitiq.codecs.transform.networks.embedded import PERCEPTUAL, TransformModel
from vitiq.codecs.transform.networks.residual_dct import Synthesis, powers
from vitiq.models.backbones import Backbone, load_backbone
from vitiq.training.adversarial import Critic, feature_distance, relative_errors
from vitiq.training.config import read_config
from vitiq.training.crops import Phase, Sampler, in_unit_range
from vitiq.training.curves import draw_curves
from vitiq.training.data import ImageSet
from vitiq.training.hardware import Hardware, batches, hardware
from vitiq.training.loop import CsvLog, Ema, cosine, load_checkpoint, save_checkpoint
from vitiq.weights.file import stored, write_weights

Report = Callable[[int, int, float], None]

TRAINED = ("aggregate.", "to_middle.", "base_middle.", "middle.", "to_fine.", "base_fine.", "fine.", "out.")
"""Parts of the synthesis that are trained on: what is aggregated at stride 16, and all of strides 8 and 4."""


@dataclass(frozen=True, slots=True)
class PerceptualTrainingConfig:
    """Settings of `configs/perceptual.toml`, in the same words."""

    seed: int
    steps: int
    batch: int
    crop: int
    learning_rate: float
    final_learning_rate: float
    discriminator_rate: float
    discriminator_start: int
    gradient_clip: float
    ema: float
    squared_error: float
    masked_error: float
    features: float
    adversarial: float
    interpolation: float
    quality_power: float
    graphic_share: float
    largest_shrink: float
    checkpoint_every: int
    validate_every: int
    held_out: int

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The one phase, for `Sampler`."""
        return (Phase(self.steps, self.crop, self.batch),)


def load_config(path: Path | None = None, *, smoke: bool = False) -> PerceptualTrainingConfig:
    """Read a configuration file (default: the shipped one).

    Raises:
        InputError: the file cannot be read or has unknown or missing keys.
    """
    config = read_config(path, "perceptual", lambda values: PerceptualTrainingConfig(**values))
    if smoke:
        return replace(
            config, steps=4, batch=1, discriminator_start=1, checkpoint_every=2, validate_every=4, held_out=1
        )
    return config


class Trainer:
    """The codec's frozen networks and its classifier's, the synthesis in training and its discriminator."""

    def __init__(
        self,
        config: PerceptualTrainingConfig,
        model: TransformModel,
        classifier: EmbeddedClassifier | None,
        judge: Backbone,
        place: Hardware,
    ) -> None:
        self.config, self.model, self.judge, self.place = config, model.to(place.device), judge.to(place.device), place
        self.classifier = classifier
        if classifier is not None:
            classifier.check(model)
            classifier.model.to(place.device)
        self.synthesis = Synthesis(classifier.feature_channels if classifier else 0)
        known = model.synthesis("perceptual").state_dict()
        self.synthesis.load_state_dict({k: known.get(k, v) for k, v in self.synthesis.state_dict().items()})
        self.synthesis.requires_grad_(False)
        for name, parameter in self.synthesis.named_parameters():
            parameter.requires_grad_(name.startswith(TRAINED))
        self.synthesis = place.place(self.synthesis)
        self._spread = place.spread(self.synthesis)
        learns = [p for p in self.synthesis.parameters() if p.requires_grad]
        self.painter = torch.optim.Adam(learns, lr=config.learning_rate, betas=(0.5, 0.9))
        self.critic = Critic(config.discriminator_rate, place)
        self.average = Ema(self.synthesis, config.ema)

    def parts(self) -> dict[str, Any]:
        """Everything that a checkpoint holds."""
        critic = {"discriminator": self.critic.network, "critic": self.critic.optimiser}
        return {name: getattr(self, name) for name in ("synthesis", "painter", "average")} | critic

    @torch.no_grad()
    def latents(
        self, target: Float[Tensor, "n 3 s s"], quality: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n f g g"] | None, Float[Tensor, "n 3 s s"]]:
        """Dequantised latents, the classifier's features, and what the codec's own synthesis paints."""
        gain = self.model.gains(quality)
        latents = torch.round(self.model.analysis(target, quality).float() * gain) / gain
        size = target.shape[2], target.shape[3]
        features = None if self.classifier is None else self.classifier.features(latents, *size, quality)
        return latents, features, self.model.synthesis("mse")(latents, quality)

    def losses(
        self, painted: Float[Tensor, "n 3 s s"], plain: Float[Tensor, "n 3 s s"], target: Float[Tensor, "n 3 s s"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Squared error and masked error, both relative to the codec's own synthesis, and 1 - cosine of features."""
        error, masked = relative_errors(painted, plain, target)
        return error, masked, feature_distance(self.judge, painted, target)

    def step(
        self, target: Float[Tensor, "n 3 s s"], t: Float[Tensor, " n"], step: int, shift: tuple[int, int] = (0, 0)
    ) -> dict[str, float]:
        """One step of both networks, whose judges see images rolled by `shift` pixels; returns what is logged."""
        config, quality = self.config, powers(t)
        rate = cosine(step, config.steps, 1, config.learning_rate, config.final_learning_rate)
        self.painter.param_groups[0]["lr"] = rate
        with self.place.mixed_precision():
            latents, features, plain = self.latents(target, quality)
            plain = plain.float()
            painted = self._spread(latents, quality, features)
            # Judges have grids of their own; where they always met that of the latents, patterns grew on it.
            painted, plain, target = (torch.roll(x, shift, dims=(2, 3)) for x in (painted, plain, target))
        row = {"critic_loss": self.critic.learn(target, painted, plain), "learning_rate": rate}
        if step < config.discriminator_start:
            return row
        with self.place.mixed_precision():
            error, masked, unlike = self.losses(painted.float(), plain, target)
        verdict = self.critic.objection(painted.float(), plain)
        loss = config.squared_error * error + config.masked_error * masked
        loss = loss + config.features * unlike + config.adversarial * verdict
        self.painter.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(self.painter.param_groups[0]["params"], config.gradient_clip)
        if bool(torch.isfinite(norm)):
            self.painter.step()
        self.average.update(self.synthesis)
        logged = {"loss": loss, "error": error, "masked": masked, "features": unlike, "verdict": verdict}
        logged["gradient_norm"] = norm
        return row | {name: float(value.detach()) for name, value in logged.items()}

    @torch.no_grad()
    def validate(self, images: Float[Tensor, "n 3 s s"], t: float) -> dict[str, float]:
        """The two losses on held-out images at one quality, for both syntheses."""
        quality = powers(torch.full((len(images),), t, device=images.device))
        latents, features, plain = self.latents(images, quality)
        painted = self.synthesis(latents, quality, features)
        error, masked, unlike = self.losses(painted, plain, images)
        _, _, own = self.losses(plain, plain, images)
        names = ("held_out_error", "held_out_masked", "held_out_features", "own_features")
        return dict(zip(names, map(float, (error, masked, unlike, own)), strict=True))


def export_weights(trainer: Trainer, codec: Path, path: Path) -> None:
    """Write the codec's weights file anew, with the second synthesis.

    Its parameters lie `interpolation` of the way from the codec's own synthesis to what was trained, which leaves the
    patterns of adversarial training behind (network interpolation, Wang et al. 2018, arXiv 1809.00219, section 3.4).
    """
    own, share = trainer.model.synthesis("mse").state_dict(), trainer.config.interpolation
    with safe_open(str(codec), framework="pt") as file:
        metadata = file.metadata()
        tensors = {k: file.get_tensor(k) for k in file.keys() if not k.startswith(PERCEPTUAL)}  # noqa: SIM118
    for name, value in trainer.synthesis.state_dict().items():
        if name.startswith(TRAINED):
            start = own[name] if name in own else torch.zeros_like(value)
            tensors |= stored(PERCEPTUAL + name, torch.lerp(start.to(value), value, share))
    reader = trainer.classifier.weights_sha256 if trainer.classifier else ""
    facts = json.loads(metadata["vitiq_config"])
    facts["perceptual_steps"] = facts.get("perceptual_steps", 0) + trainer.config.steps
    facts |= {"interpolation": share, "classifier_sha256": reader}
    write_weights(path, tensors, facts)


def train_perceptual(
    config_path: Path | None,
    data: Sequence[Path],
    codec: Path,
    out: Path,
    *,
    classifier: Path | None = None,
    smoke: bool = False,
    threads: int | None = None,
    report: Report | None = None,
) -> Path:
    """Train, or resume training, the second synthesis; returns the weights file.

    Args:
        config_path: TOML configuration; None for the shipped one.
        data: folders or .tar files of training images.
        codec: weights file of `vitiq train codec`.
        out: run folder; holds the checkpoint, `log.csv`, the cache of images and the weights.
        classifier: weights of `vitiq train classifier` for this codec, whose features are aggregated; None for none.
            The weights that are written need it beside them, where it is copied to.
        smoke: a few steps, for tests.
        threads: CPU threads; None leaves torch's choice.

    Raises:
        InputError: the configuration or the data cannot be used.
        WeightsError: the weights of the codec or of the classifier cannot be used.
    """
    config = load_config(config_path, smoke=smoke)
    if threads is not None:
        torch.set_num_threads(threads)
    model, reader = TransformModel(codec), None if classifier is None else EmbeddedClassifier(classifier)
    out.mkdir(parents=True, exist_ok=True)
    if classifier is not None and not (copy := out / CLASSIFIER.name).exists():
        shutil.copyfile(classifier, copy)
    with hardware() as place:
        images = place.first(lambda: ImageSet.open(data, out / "images", short_side=512))
        training, held_out = images.split(config.held_out)
        sampler, phase = Sampler(images, training, config), config.phases[0]
        judged = Sampler(images, [i for i in held_out if min(images.shape(i)) >= config.crop] or training, config)
        held = in_unit_range(judged.batch([config.seed], Phase(1, config.crop, config.held_out)).to(place.device))
        judge = load_backbone()
        torch.manual_seed(config.seed)
        trainer = Trainer(config, model, reader, judge, place)
        start = load_checkpoint(out / "checkpoint.pt", trainer.parts())
        log, weights = CsvLog(out / "log.csv", start) if place.leads else None, out / "codec_embedded.safetensors"

        def make(step: int) -> Tensor:
            return sampler.batch([config.seed, 1, step], phase, place.share(config.batch))

        for step, images_of_step in enumerate(batches(make, start, config.steps, place), start):
            target = in_unit_range(images_of_step)
            rng = np.random.default_rng([config.seed, 2, step, place.rank])
            drawn = rng.uniform(0, 1, len(target)).astype(np.float32) ** config.quality_power
            shift = (int(rng.integers(0, BLOCK)), int(rng.integers(0, BLOCK)))
            row = trainer.step(target, torch.from_numpy(drawn).to(place.device), step, shift)
            done = step + 1
            if log is None:
                continue
            if done % config.validate_every == 0 or done == config.steps:
                with trainer.average.applied(trainer.synthesis):
                    row |= trainer.validate(held, 0.1)
            log.write(done, row)
            if done % config.checkpoint_every == 0 or done == config.steps:
                save_checkpoint(out / "checkpoint.pt", done, trainer.parts())
                lines = ("loss", "critic_loss", "features"), ("held_out_features", "own_features")
                draw_curves(log.rows, *lines).savefig(out / "curves.png")
                with trainer.average.applied(trainer.synthesis):
                    export_weights(trainer, codec, weights)
            if report is not None:
                report(done, config.steps, row.get("loss", float("nan")))
    return weights
