"""The classifier of latents, beside the embedded ViT and the teacher reading the rebuilt image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from goals import ROOT, Figure, kodak, needed, short, teachers

from vitiq.codecs.labels import overlap, read_rebuilt
from vitiq.codecs.transform.codec import GenerativeMse
from vitiq.codecs.transform.labels import read_latents
from vitiq.codecs.transform.latent_classifier import load_classifier
from vitiq.models.backbones import load_backbone
from vitiq.training.data import ImageSet
from vitiq.training.recipes.classifier import VALIDATED, ClassifierTrainingConfig
from vitiq.types import Quality


def part(data: Path) -> Iterator[Figure]:
    """Agreement with the teacher's reading of the original; operations at 768×512."""
    codec, classifier, own = GenerativeMse(), load_classifier(), load_backbone()
    real = teachers(data)
    whole = ImageSet.open([needed(data / "train")], ROOT / "build" / "images-512", short_side=512)
    _, held_out = whole.split(ClassifierTrainingConfig.load().held_out)
    images = [whole[i] for i in held_out]
    wanted = real[0].logits(images)
    for level in VALIDATED:
        files = [codec.encode(image, Quality(level)) for image in images]
        bits = 8 * sum(map(len, files)) / sum(image[..., 0].size for image in images)
        found = {"the classifier": [read_latents(codec, f, classifier).logits for f in files]}
        rebuilt = [codec.decode(f) for f in files]
        for backbone in (own, real[0]):
            found[f"{short(backbone)} on the rebuilt image"] = list(backbone.logits(rebuilt))
        note = f"quality {level}, {bits:.3f} bpp, {len(images)} held-out images, against ViT-Ti on the original"
        for name, logits in found.items():
            same = np.mean([a.argmax() == b.argmax() for a, b in zip(logits, wanted, strict=True)])
            shared = np.mean([overlap(a, b) for a, b in zip(logits, wanted, strict=True)])
            yield Figure(f"classify: top-1 agreement of {name}", 100 * float(same), unit=" %", note=note)
            yield Figure(f"classify: top-100 overlap of {name}", float(shared), note=note)
        first, other = found["the classifier"], found[f"{short(own)} on the rebuilt image"]
        same = np.mean([a.argmax() == b.argmax() for a, b in zip(first, other, strict=True)])
        name = "classify: top-1 agreement of the classifier with the embedded ViT on the rebuilt image"
        yield Figure(name, 100 * float(same), unit=" %", note=f"quality {level}")

    file = codec.encode(kodak(data)[0], Quality(18))
    note = "768×512, quality 18"
    counted = read_latents(codec, file, classifier, count_flops=True).flops / 1e9
    yield Figure("classify: GFLOP from the latents", counted, note=f"{note}, networks after entropy decoding")
    counted = read_rebuilt(codec, file, own, count_flops=True).flops / 1e9
    yield Figure("classify: GFLOP from the rebuilt image", counted, note=f"{note}, with entropy decoding")
