"""A Vision Transformer that reads the latents of a compressed image instead of its pixels.

Bai et al. 2022, "Towards End-to-End Image Compression and Analysis with Transformers" (AAAI, arXiv 2112.09300). The
latents of the transform codec are close to DCT coefficients, and a ViT's patch embedding is linear, so the classifier
starts from an ordinary ViT: a linear stem brings latents to coefficients, `resample` brings any size to the ViT's grid,
and the patch embedding reads coefficients instead of pixels. No synthesis network runs, no pixel is made. As in that
paper, features of its blocks are also aggregated into a synthesis (`residual_dct.Synthesis`): what the classifier
understood helps to reconstruct.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from vitiq.codecs.transform.networks.block_dct import BLOCK, CHANNELS, basis, colour_matrix
from vitiq.codecs.transform.networks.embedded import TransformModel, quality_of
from vitiq.codecs.transform.networks.resample import cosines, resample
from vitiq.codecs.transform.networks.residual_dct import LEVEL, SPREAD, zero
from vitiq.errors import WeightsError
from vitiq.models.building import as_alone
from vitiq.models.device import shielded
from vitiq.models.imagenet import imagenet_labels
from vitiq.models.vit import Block, VisionTransformer, ViTConfig
from vitiq.weights.file import eight_bit, half, in_float, read_weights, write_weights
from vitiq.weights.kept import kept
from vitiq.weights.store import resolve, sha256_file

FORMAT = "vitiq-latent-classifier-1"
WEIGHTS = Path(__file__).parents[2] / "weights" / "classifier_embedded.safetensors"
COEFFICIENTS = 3 * BLOCK * BLOCK


def feature_blocks(depth: int) -> tuple[int, ...]:
    """Blocks whose tokens a synthesis aggregates: a third, two thirds and all of the way."""
    return tuple(dict.fromkeys(max(0, depth * part // 3 - 1) for part in (1, 2, 3)))


class LatentClassifier(nn.Module):
    """Latents and quality -> logits.

    Args:
        config: of the ViT; patches of 16 pixels.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = nn.Linear(CHANNELS, CHANNELS, bias=False)
        self.embed = nn.Linear(COEFFICIENTS, config.width)
        self.quality = nn.Linear(3, config.width, bias=False)
        zero(self.quality)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + config.grid**2, config.width))
        self.drop = nn.Dropout(0.0)  # unless a training sets it
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        self.head = nn.Linear(config.width, config.classes)

    def patches(self, latents: Float[Tensor, "c h w"], height: int, width: int) -> Float[Tensor, "p f"]:
        """Coefficients of the patches of the resized image, from dequantised latents of height × width pixels.

        Blocks that lie beyond the image are left out.
        """
        latents = latents[:, : -(-height // BLOCK), : -(-width // BLOCK)]
        # Divided afterwards and in place: the same numbers (SPREAD is a power of two), one copy of a large image less.
        coefficients = torch.einsum("jk,khw->jhw", self.stem.weight, latents).div_(SPREAD)
        return resample(coefficients, height, width, self.config.grid).flatten(3).flatten(0, 2).T

    def embedded(self, patches: Float[Tensor, "n p f"], quality: Float[Tensor, "n 3"]) -> Float[Tensor, "n t d"]:
        """Tokens before the first block; `quality` from `powers`."""
        tokens = self.embed(patches) + self.quality(quality)[:, None]
        tokens = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], dim=1)
        placed: Tensor = self.drop(tokens + self.pos_embed)
        return placed

    def forward(self, patches: Float[Tensor, "n p f"], quality: Float[Tensor, "n 3"]) -> Float[Tensor, "n classes"]:
        """Logits; `quality` from `powers`."""
        tokens = self.embedded(patches, quality)
        for block in self.blocks:
            tokens = block(tokens)
        logits: Tensor = self.head(self.norm(tokens[:, 0]))
        return logits

    def features(self, patches: Float[Tensor, "n p f"], quality: Float[Tensor, "n 3"]) -> Float[Tensor, "n c g g"]:
        """Normalised patch tokens after each of `feature_blocks`, one map of their channels."""
        tokens, maps = self.embedded(patches, quality), []
        chosen = feature_blocks(self.config.depth)
        for index, block in enumerate(self.blocks):
            tokens = block(tokens)
            if index in chosen:
                maps.append(nn.functional.layer_norm(tokens[:, 1:], (self.config.width,)))
        return torch.cat(maps, dim=2).transpose(1, 2).reshape(len(tokens), -1, self.config.grid, self.config.grid)


def from_vit(vit: VisionTransformer, codec: TransformModel) -> LatentClassifier:
    """The classifier that reads what the linear part of the codec's synthesis shows, as `vit` would.

    Args:
        vit: for images with mean and standard deviation 0.5, in patches of 16 pixels.
    """
    classifier = LatentClassifier(vit.config)
    state = {k: v for k, v in vit.state_dict().items() if not k.startswith("patch_embed.")}
    weight, bias = (vit.state_dict()[f"patch_embed.proj.{name}"] for name in ("weight", "bias"))
    dct = cosines().float()
    pixels = SPREAD / 127.5
    embed = torch.einsum("dcyx,pc,fy,gx->dpfg", weight, colour_matrix(), dct, dct).flatten(1) * pixels
    shift = LEVEL / 127.5 - 1
    state |= {"embed.weight": embed, "embed.bias": bias + shift * weight.sum(dim=(1, 2, 3))}
    state |= {"stem.weight": torch.einsum("kcyx,jcyx->jk", codec.synthesis("mse").linear.weight, basis())}
    classifier.load_state_dict(state | {"quality.weight": classifier.quality.weight})
    return classifier


class EmbeddedClassifier:
    """The classifier of a weights file, frozen.

    Args:
        path: file of `vitiq train classifier`.
        device: where it runs; None for the CPU.

    Attributes:
        labels: one name a class.
        latent_space: hash of the codec whose latents it reads, see `latent_space`.
        weights_sha256, weights_bytes: of the file.

    Raises:
        WeightsError: the file is missing, damaged or of another format.
    """

    @as_alone()
    def __init__(self, path: Path = WEIGHTS, device: torch.device | None = None) -> None:
        tensors, metadata = read_weights(path, FORMAT, "classifier")
        data = path.read_bytes()
        self.weights_sha256, self.weights_bytes = hashlib.sha256(data).hexdigest(), len(data)
        try:
            self.model = LatentClassifier(ViTConfig(**metadata["config"]))
            self.model.load_state_dict(in_float(tensors))
            self.latent_space = str(metadata["latent_space"])
        except (RuntimeError, KeyError, TypeError) as error:
            raise WeightsError(
                f"{path}: tensors do not fit the latent classifier ({str(error).splitlines()[0]}); reinstall vitiq or "
                f"train the file again with `vitiq train classifier`"
            ) from error
        self.model.eval().requires_grad_(False).to(device)
        self.labels = imagenet_labels()

    @property
    def feature_channels(self) -> int:
        """Channels of `features`."""
        return len(feature_blocks(self.model.config.depth)) * self.model.config.width

    def check(self, codec: TransformModel) -> None:
        """Refuse a codec whose latents mean something else.

        Raises:
            WeightsError: the classifier was trained on latents of other weights.
        """
        own = codec.latent_space
        if own != self.latent_space:
            raise WeightsError(
                f"the classifier reads latents of codec weights {self.latent_space[:12]}…, these are of {own[:12]}…; "
                f"train it for this codec with `vitiq train classifier`"
            )

    @shielded()
    @torch.inference_mode()
    def logits(
        self, latents: Float32[np.ndarray, "c h w"], height: int, width: int, level: int
    ) -> Float32[np.ndarray, " labels"]:
        """Logits of dequantised latents of an image of height × width pixels at a quality level."""
        device = self.model.cls_token.device
        patches = self.model.patches(torch.from_numpy(latents).to(device), height, width)
        found: np.ndarray = self.model(patches[None], quality_of(level).to(device))[0].cpu().numpy()
        return found

    @torch.no_grad()
    def features(
        self, latents: Float[Tensor, "n c h w"], height: int, width: int, quality: Float[Tensor, "n 3"]
    ) -> Float[Tensor, "n k g g"]:
        """What a synthesis aggregates, of dequantised latents of images of height × width pixels."""
        return self.model.features(torch.stack([self.model.patches(y, height, width) for y in latents]), quality)


def find_classifier(sha256: str, codec: Path) -> Path:
    """The classifier that the weights of a codec name: the one that ships, one beside them, or one that is at hand.

    Args:
        sha256: of the classifier's file.
        codec: the codec's file.

    Raises:
        WeightsError: it is not found.
    """
    beside = codec.with_name(WEIGHTS.name)
    for path in (WEIGHTS, beside):
        if path.exists() and sha256_file(path) == sha256:
            return path
    try:
        return resolve(sha256)
    except WeightsError as error:
        raise WeightsError(
            f"{codec}: the codec's perceptual synthesis needs the classifier with sha256 {sha256[:12]}…, which is not "
            f"the one that ships with vitiq; put it at {beside} ({error})"
        ) from error


@kept(2)
def load_classifier(path: Path = WEIGHTS, device: torch.device | None = None) -> EmbeddedClassifier:
    """The classifier of a weights file on a device, read once; the last two are kept.

    Raises:
        WeightsError: as `EmbeddedClassifier`.
    """
    return EmbeddedClassifier(path, device)


def export_weights(classifier: LatentClassifier, space: str, steps: int, path: Path) -> None:
    """Write the matrices of blocks and head as 8-bit whole numbers with a scale a row, all else in half precision."""
    tensors: dict[str, Tensor] = {}
    for name, value in classifier.state_dict().items():
        small = value.ndim == 2 and name.startswith(("blocks.", "head."))
        tensors |= (eight_bit if small else half)(name, value)
    metadata = {"format": FORMAT, "config": asdict(classifier.config), "latent_space": space, "steps": steps}
    write_weights(path, tensors, metadata)
