"""A masked transformer over the latents of `inversion` as part of their prior: bits at equal symbols.

    VITIQ_DATA=FOLDER python benchmarks/latent_transformer.py [--images 400] [--steps 800] [--out build/latents]

The transformer reads what a decoder has before a layer (the finer layers masked), over the whole image, and its
features enter the hidden units of today's prior, which it starts as. The control learns the same steps without it, so
the difference of the two is the transformer's. Held-out images; symbols of the encoder at the coarsest step, so all
three count bits of the same symbols. Stopped runs resume.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from goals import ROOT, data_folder, needed
from torch import Tensor, nn

from vitiq.codecs.inversion.generators import Generator, load_generator
from vitiq.codecs.inversion.generators.layered import CHANNELS
from vitiq.codecs.inversion.prior import CLIP, LatentPrior, LayerPrior
from vitiq.codecs.logistic import LOG_SCALE_MAX, LOG_SCALE_MIN
from vitiq.codecs.logistic_bits import logistic_bits
from vitiq.image.geometry import resize
from vitiq.models.tensors import to_tensor
from vitiq.models.vit import Block, ViTConfig, sincos_positions
from vitiq.training.data import ImageSet

SIDE = 256
HELD_OUT = 64
PER_SOURCE = 100
"""Images of each .tar file."""
BATCH = 16
WIDTH, DEPTH, HEADS = 96, 3, 3


def collect(generator: Generator, images: ImageSet, indices: list[int]) -> list[Tensor]:
    """Symbols of the encoder's latents of whole images at SIDE×SIDE pixels, one tensor a layer."""
    rows = []
    for index in indices:
        latents = generator.encode(to_tensor(resize(images[index], SIDE, SIDE)))
        rows.append([torch.round(v[0]) for v in latents or []])
    return [torch.stack(layer) for layer in zip(*rows, strict=True)]


class MaskedTransformer(nn.Module):
    """Known layers of a latent pyramid -> features at stride 32; a layer that is not known yet is masked."""

    def __init__(self) -> None:
        super().__init__()
        config = ViTConfig(width=WIDTH, depth=DEPTH, heads=HEADS)
        self.embed = nn.Linear(CHANNELS[0] + CHANNELS[1], WIDTH)
        self.mask = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.blocks = nn.ModuleList(Block(config) for _ in range(DEPTH))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, coarse: Tensor, middle: Tensor | None) -> Tensor:
        """Features n × WIDTH × h × w from layer 0 (n×8×h/2×w/2) and layer 1 (n×12×h×w), None where masked."""
        wide = F.interpolate(coarse, scale_factor=2).clamp(-CLIP, CLIP) / 4
        own = wide.new_zeros(len(wide), CHANNELS[1], *wide.shape[2:]) if middle is None else middle.clamp(-8, 8) / 4
        tokens = self.embed(torch.cat([wide, own], 1).flatten(2).transpose(1, 2))
        tokens = tokens + sincos_positions(wide.shape[2], wide.shape[3], WIDTH, 0)
        if middle is None:
            tokens = tokens + self.mask
        for block in self.blocks:
            tokens = block(tokens)
        return cast(Tensor, self.norm(tokens)).transpose(1, 2).reshape(len(wide), WIDTH, *wide.shape[2:])


class Model(nn.Module):
    """Today's prior, with the transformer's features or without."""

    def __init__(self, prior: LatentPrior, *, transformer: bool) -> None:
        super().__init__()
        self.prior = LatentPrior(CHANNELS)
        self.prior.load_state_dict(prior.state_dict())
        self.reader = MaskedTransformer() if transformer else None
        units = len(cast(LayerPrior, self.prior.layers[0]).step)
        self.enter = nn.ModuleList([nn.Conv2d(WIDTH, units, 1), nn.Conv2d(WIDTH, 4 * units, 1)])
        for parameter in self.enter.parameters():
            nn.init.zeros_(parameter)

    def bits(self, layers: list[Tensor]) -> Tensor:
        """Bits of each image and layer, n × 3."""
        found = []
        for number, values in enumerate(layers):
            layer = cast(LayerPrior, self.prior.layers[number])
            x = F.conv2d(values.clamp(-CLIP, CLIP), layer.causal.weight * layer.mask, layer.causal.bias, padding=1)
            if layer.parent is not None:
                x = x + F.pixel_shuffle(layer.parent(layers[number - 1].clamp(-CLIP, CLIP)), 2)
            if self.reader is not None and number:
                extra = self.enter[number - 1](self.reader(layers[0], None if number == 1 else layers[1]))
                x = x + (extra if number == 1 else F.pixel_shuffle(extra, 2))
            mean, scale = layer.out(torch.relu(layer.hidden(torch.relu(x)))).chunk(2, 1)
            bits = logistic_bits(values, mean, scale.clamp(LOG_SCALE_MIN, LOG_SCALE_MAX))
            found.append(bits.sum(dim=(1, 2, 3)))
        return torch.stack(found, 1)


def learn(model: Model, layers: list[Tensor], steps: int, path: Path) -> None:
    """Train on the symbols; resumes from `path`."""
    fast = [*model.enter.parameters(), *(model.reader.parameters() if model.reader else [])]
    groups = [{"params": list(model.prior.parameters()), "lr": 2e-4}, {"params": fast, "lr": 1e-3}]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    start = 0
    if path.exists():
        stored = torch.load(path, weights_only=True)
        start = stored["step"]
        for part, name in ((model, "model"), (optimiser, "optimiser"), (schedule, "schedule")):
            part.load_state_dict(stored[name])
    for step in range(start, steps):
        rows = np.random.default_rng([1, step]).integers(0, len(layers[0]), BATCH)
        loss = model.bits([layer[rows] for layer in layers]).sum(1).mean() / 1000
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if (step + 1) % 100 == 0:
            states = [part.state_dict() for part in (model, optimiser, schedule)]
            torch.save({"step": step + 1, **dict(zip(("model", "optimiser", "schedule"), states, strict=True))}, path)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "latents")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    generator = load_generator()
    sources = sorted(needed(data_folder() / "train").glob("*.tar"))
    images = ImageSet.open(sources, given.out / "images", short_side=SIDE, limit=PER_SOURCE)
    training, held_out = images.split(HELD_OUT)
    kept = given.out / f"symbols_{given.images}_{generator.weights_sha256[:8]}_{images.digest[:8]}.pt"
    if not kept.exists():
        with torch.no_grad():
            found = [collect(generator, images, own) for own in (training[: given.images], held_out)]
        torch.save(found, kept)
    layers, held = torch.load(kept, weights_only=True)
    prior = generator.prior
    if prior is None:
        raise SystemExit("the embedded generator has no prior")
    print("| prior | layer 0 | layer 1 | layer 2 | bits an image | against today's |\n|---|---:|---:|---:|---:|---:|")
    today = 0.0
    for name, transformer in (("today's", None), ("today's, trained on", False), ("with the transformer", True)):
        torch.manual_seed(0)
        model = Model(prior, transformer=bool(transformer))
        if transformer is not None:
            learn(model, layers, given.steps, given.out / f"prior_{int(transformer)}_{given.images}_{given.steps}.pt")
        with torch.no_grad():
            mean = model.bits(held).mean(0).tolist()
        today = today or sum(mean)
        cells = " | ".join(f"{value:.0f}" for value in (*mean, sum(mean)))
        print(f"| {name} | {cells} | {100 * (sum(mean) / today - 1):+.2f} % |", flush=True)


if __name__ == "__main__":
    main()
