"""Training of the context of hyper-latents (`vitiq train context`), for a codec whose networks stay as they are.

The hyper-latents of all images are made once, each at a few random qualities; the context then learns to code them in
the fewest bits. The weights file is the codec's with the context's tensors added, and decodes the codec's files too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Self

import msgspec
import numpy as np
import torch
from jaxtyping import Float, Int16
from torch import Tensor

from vitiq.codecs.logistic import LOG_SCALE_MAX, LOG_SCALE_MIN
from vitiq.codecs.logistic_bits import logistic_bits
from vitiq.codecs.transform.hyper_context import HyperContext
from vitiq.codecs.transform.hyper_context_integer import PREFIX
from vitiq.codecs.transform.hyperprior import HYPER_CHANNELS, LEADING
from vitiq.codecs.transform.hyperprior_integer import LEVELS, export_tensors
from vitiq.codecs.transform.networks.embedded import FORMAT, INTEGER, STANDS_FOR, WEIGHTS, TransformModel, quality_of
from vitiq.files import open_output
from vitiq.training.checkpoint import Ema
from vitiq.training.classifier_beside import named_classifier, put_beside
from vitiq.training.config import Count, DistillationConfig
from vitiq.training.data import ImageSet, digest_of, kept_arrays
from vitiq.training.engine import Inputs, Recipe, Row, clip_and_step
from vitiq.training.hardware import Hardware
from vitiq.weights.file import read_weights, write_weights

LARGEST_SHIFT = 48
"""Pixels that are cut off an image at the top and at the left, at most: hyper-latents then lie elsewhere in it."""


class ContextTrainingConfig(DistillationConfig, frozen=True, kw_only=True):
    """Settings of `configs/context.toml`, in the same words."""

    name = "context"
    qualities: Count

    def small(self) -> Self:
        """Few steps on few hyper-latents."""
        steps = {"steps": 4, "warmup_steps": 1, "checkpoint_every": 2, "validate_every": 4}
        return msgspec.structs.replace(self, batch=2, held_out=1, qualities=1, **steps)


class ContextRecipe(Recipe[ContextTrainingConfig]):
    """The codec's frozen networks, hyper-latents of the images, and the context in training."""

    config_class = ContextTrainingConfig
    weights_file = "codec_embedded.safetensors"
    shipped = MappingProxyType({"codec": WEIGHTS})
    losses = ("loss",)
    saved_as = "context"
    figures = ("held_out_bits", "held_out_saving")

    def __init__(self, config: ContextTrainingConfig, inputs: Inputs, hardware: Hardware) -> None:
        self._codec_file = inputs.codec or WEIGHTS
        self._codec = TransformModel(self._codec_file)
        super().__init__(config, inputs, hardware)
        main = hardware.is_main_process
        self._classifier_file = named_classifier(self._codec_file, self._codec) if main else None
        self.model = self.context = hardware.to_device(_started(HyperContext(HYPER_CHANNELS)))
        self.optimiser = torch.optim.AdamW(
            self.context.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.average = Ema(self.context, config.ema)
        grids = hardware.main_first(lambda: collected(self.images, self._codec, config, inputs.out))
        self._grids, self._held_out = _split(grids, frozenset(self.held_out))
        self._shapes = sorted(self._grids)
        sizes = np.array([len(self._grids[shape]) * shape[0] * shape[1] for shape in self._shapes], dtype=np.float64)
        self._shares = sizes / sizes.sum()

    def batch(self, step: int) -> Tensor:
        """Hyper-latents of one size, and in front of each its quality, as another channel."""
        rng = np.random.default_rng([self.config.seed, 1, step])
        grids = self._grids[self._shapes[int(rng.choice(len(self._shapes), p=self._shares))]]
        which = rng.integers(0, len(grids), self.config.batch)
        return torch.from_numpy(np.stack([grids[i] for i in which[self.hardware.local_indices(len(which))]]))

    def step(self, batch: Tensor, step: int) -> Row:
        """One step of the context; the loss is the share of bits that are left."""
        config = self.config
        rate = self.set_rate(step)
        self.optimiser.zero_grad(set_to_none=True)
        before, after = self._bits(batch)
        loss = (after / before).mean()
        torch.autograd.backward(loss)
        norm = clip_and_step(self.optimiser, list(self.context.parameters()), config.gradient_clip)
        self.average.update(self.context)
        return {"loss": float(loss.detach()), "gradient_norm": float(norm), "learning_rate": rate}

    def _bits(self, batch: Int16[Tensor, "n zq i j"]) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        """Bits of the hyper-latents of each image without and with the context."""
        quality = torch.cat([quality_of(int(level)) for level in batch[:, 0, 0, 0]]).to(self.hardware.device)
        hyper = batch[:, 1:].to(self.hardware.device).float()
        prior = self._codec.prior.to(self.hardware.device)
        means, log_scales = prior.hyper_mean(quality), prior.hyper_log_scale(quality)
        mean, log_scale = means[:, :, None, None], log_scales[:, :, None, None]
        change, wider = self.context(hyper, means, quality)
        before, after = (
            logistic_bits(hyper, m, s.clamp(LOG_SCALE_MIN, LOG_SCALE_MAX)).sum(dim=(1, 2, 3))
            for m, s in ((mean, log_scale), (mean + change, log_scale + wider))
        )
        return before, after

    @torch.no_grad()
    def validate(self, done: int) -> Row:  # noqa: ARG002
        """Bits of the hyper-latents of held-out images, and the share of them that the context saves."""
        before, after = 0.0, 0.0
        for grids in self._held_out.values():
            for start in range(0, len(grids), self.config.batch):
                bits = self._bits(torch.from_numpy(np.stack(grids[start : start + self.config.batch])))
                before, after = before + float(bits[0].sum()), after + float(bits[1].sum())
        return {"held_out_bits": after, "held_out_saving": 1 - after / before if before else 0.0}

    def export(self, done: int, path: Path) -> None:
        """Write the codec's weights file anew with the context's tensors, and its classifier's beside it.

        It stands for the codec's own file too, unless that had another context.
        """
        tensors, metadata = read_weights(self._codec_file, FORMAT, "codec")
        tensors = {name: value for name, value in tensors.items() if not name.startswith(INTEGER + PREFIX)}
        own = {PREFIX + name: value for name, value in self.context.state_dict().items()}
        tensors |= {INTEGER + name: torch.from_numpy(value) for name, value in export_tensors(own).items()}
        before = set(metadata.get(STANDS_FOR, ())) if self._codec.integer_prior.context is None else set()
        stands_for = sorted(before | {self._codec.weights_sha256})
        write_weights(path, tensors, metadata | {"context_steps": done, STANDS_FOR: stands_for})
        put_beside(self._classifier_file, path)


def _started(context: HyperContext) -> HyperContext:
    """A context whose leading channels are predicted by the mean of their neighbours."""
    with torch.no_grad():
        for number in range(1, len(context.passes)):
            linear = context.get_parameter(f"passes.{number}.linear")
            linear[:, :LEADING] = 1 / len(linear)
    return context


def collected(
    images: ImageSet, codec: TransformModel, config: ContextTrainingConfig, folder: Path
) -> dict[str, np.ndarray]:
    """Hyper-latents of all images under `IMAGE_QUALITY`, made once and kept in a file of the run folder.

    Its name comes from what they were made of: other images, another codec or other qualities have a file of their own.
    """
    key = digest_of([images.digest, codec.weights_sha256, config.seed, config.qualities])[:12]
    path = folder / f"hyper-latents-{key}.npz"
    kept = kept_arrays(path)
    if kept is not None:
        return kept
    found = {}
    for index in range(len(images)):
        rng = np.random.default_rng([config.seed, index])
        parts = rng.permutation(config.qualities)
        for part in parts:
            level = min(LEVELS - 1, int(LEVELS * (part + rng.random()) / config.qualities))
            down, across = (int(v) for v in rng.integers(0, LARGEST_SHIFT, 2))
            image = images[index]
            image = image if min(image.shape[:2]) < 2 * LARGEST_SHIFT else image[down:, across:]
            _, hyper = codec.analyse_image(np.ascontiguousarray(image), level)
            found[f"{index}_{level}"] = np.rint(hyper).astype(np.int16)
    with open_output(path) as file:
        np.savez_compressed(file, **found)
    return found


def _split(
    grids: Mapping[str, Int16[np.ndarray, "_ _ _"]], held_out: frozenset[int]
) -> tuple[dict[tuple[int, int], list[np.ndarray]], dict[tuple[int, int], list[np.ndarray]]]:
    """Grids by their size, with the quality as a first channel: those to learn from, and those held out."""
    parts: tuple[dict[tuple[int, int], list[np.ndarray]], ...] = ({}, {})
    for name, grid in grids.items():
        index, level = map(int, name.split("_"))
        height, width = grid.shape[1:]
        quality = np.full((1, height, width), level, dtype=np.int16)
        into = parts[index in held_out]
        into.setdefault((height, width), []).append(np.concatenate([quality, grid]))
    return parts[0] or parts[1], parts[1]
