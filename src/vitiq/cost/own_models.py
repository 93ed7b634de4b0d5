"""Parameters and operations of the trainings of vitiq itself, counted from its own configurations and networks.

Each training's step is run on tensors without numbers (torch's meta device) under torch's operation counter: the
forward and backward passes of all that learns and the passes of what is frozen. Multiplied by the steps and batches of
the configuration, this is the whole training; validations, optimisers and elementwise functions are not counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from vitiq.codecs.inversion.generators.layered import encode_layers
from vitiq.codecs.transform.hyper_context import HyperContext
from vitiq.codecs.transform.hyperprior import HYPER_CHANNELS, HYPER_STRIDE
from vitiq.codecs.transform.latent_classifier import LatentClassifier, feature_blocks
from vitiq.codecs.transform.networks.block_dct import BLOCK, CHANNELS
from vitiq.codecs.transform.networks.residual_dct import Analysis, Synthesis
from vitiq.codecs.transform.networks.transform_codec import TransformCodec
from vitiq.cost.counting import (
    META,
    OwnTraining,
    Stretch,
    adversarial,
    adversarial_work,
    all_of,
    descent,
    forward,
    images,
    in_phases,
    on_meta,
    operations,
    size_of,
)
from vitiq.filters.deblock.network import Corrector, guide_of
from vitiq.models.backbones.base import Preprocessing
from vitiq.models.principal_latents import PrincipalLatents
from vitiq.models.transgan import TransGenerator
from vitiq.models.vit import VisionTransformer, ViTConfig
from vitiq.training.generator_adversarial import FINEST
from vitiq.training.jpeg_views import Coded
from vitiq.training.layered_autoencoder import LayeredAutoencoder
from vitiq.training.recipes import classifier, codec, context, deblock, generator, perceptual, transgan, vit
from vitiq.training.teachers import Teacher, soft_loss
from vitiq.training.token_readers import TokenReaders
from vitiq.weights.store import embedded_path

TEACHERS = 2
"""Of the ViT, as for the one that ships."""

CONTEXT_IMAGE = (512, 768)
"""Height and width of the image whose hyper-latents stand for those of all images of `vitiq train context`."""


def of_codec(path: Path | None) -> OwnTraining:
    """`vitiq train codec`; where the bitstream is kept, that of the weights that ship."""
    config = codec.CodecTrainingConfig.load(path)
    made = TransformCodec(config.analysis_blocks, config.synthesis_blocks)
    if config.keeps_bitstream:
        codec.start_from(made, embedded_path(codec.CodecRecipe.weights_file), keeps_bitstream=True)
    model = on_meta(made)

    def run(batch: int, crop: int) -> Tensor:
        # The parts of its forward pass one by one: autocast knows no tensors without numbers.
        quality = torch.empty(batch, 3, device=META)
        latents = model.analysis(images(batch, crop), quality) * model.gains(quality)
        hyper = model.prior.analysis(latents)
        bits = model.prior.bits(latents, latents, hyper, quality), model.prior.hyper_bits(hyper, quality)
        return all_of([*bits, model.synthesis(latents / model.gains(quality), quality)])

    return in_phases(model, config.phases, run)


def of_context(path: Path | None) -> OwnTraining:
    """`vitiq train context`; the analysis of the images before it depends on their number and is not counted."""
    config = context.ContextTrainingConfig.load(path)
    model = on_meta(HyperContext(HYPER_CHANNELS))
    rows, columns = (side // BLOCK // HYPER_STRIDE for side in CONTEXT_IMAGE)

    def run(batch: int) -> Tensor:
        hyper = torch.empty(batch, HYPER_CHANNELS, rows, columns, device=META)
        return all_of(model(hyper, torch.empty(batch, HYPER_CHANNELS, device=META), torch.empty(batch, 3, device=META)))

    work = operations(lambda: descent(run(config.batch), *model.parameters()))
    what = f"hyper-latents of {CONTEXT_IMAGE[1]}×{CONTEXT_IMAGE[0]} pixels"
    return OwnTraining(
        size_of(model), forward(lambda: run(1)), what, (Stretch(config.steps, config.batch, work, what),)
    )


def of_generator(path: Path | None) -> OwnTraining:
    """`vitiq train generator`, with its adversarial phase."""
    config = generator.GeneratorTrainingConfig.load(path)
    model, last = on_meta(LayeredAutoencoder()), config.adversarial
    learning = [p for name, p in model.synthesis.named_parameters() if name.startswith(FINEST)]

    def coded(target: Tensor) -> tuple[list[Tensor], Tensor]:
        return encode_layers(model.encoder, model.synthesis, target, lambda _, latents: latents)

    def run(batch: int, crop: int) -> Tensor:
        latents, found = coded(images(batch, crop))
        return all_of([found, *model.prior.bits(latents, torch.empty(batch, 1, 1, 1, device=META))])

    def plain(target: Tensor) -> tuple[Tensor, ...]:
        latents, _ = coded(target)
        return (*latents, model.synthesis(latents))  # the synthesis as it was before

    first = in_phases(model, config.phases, run)
    both = adversarial_work(last.batch, last.crop, plain, lambda known: model.synthesis(known[:-1]), learning)
    return replace(first, stretches=(*first.stretches, *adversarial(both, last.phase, last.discriminator_alone)))


def of_perceptual(path: Path | None) -> OwnTraining:
    """`vitiq train perceptual` with a classifier whose features are aggregated, as for the weights that ship."""
    config = perceptual.PerceptualTrainingConfig.load(path)
    reader = on_meta(LatentClassifier(ViTConfig(depth=classifier_depth()))).requires_grad_(False)
    features = len(feature_blocks(reader.config.depth)) * reader.config.width
    analysis, own = on_meta(Analysis()), on_meta(Synthesis())
    model = on_meta(Synthesis(features))
    learning = [p for name, p in model.named_parameters() if name.startswith(perceptual.TRAINED)]
    size = (config.crop, config.crop)

    def plain(target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        quality = torch.empty(len(target), 3, device=META)
        latents = analysis(target, quality)
        patches = torch.stack([reader.patches(one, *size) for one in latents])
        return latents, reader.features(patches, quality), own(latents, quality)

    def synthesis(known: Sequence[Tensor]) -> Tensor:
        found: Tensor = model(known[0], torch.empty(len(known[0]), 3, device=META), known[1])
        return found

    work = adversarial_work(config.batch, config.crop, plain, synthesis, learning)
    side, grid = config.crop // BLOCK, reader.config.grid
    latents, seen = torch.empty(1, CHANNELS, side, side, device=META), torch.empty(1, features, grid, grid, device=META)
    return OwnTraining(
        sum(p.numel() for p in learning),
        forward(lambda: synthesis((latents, seen))),
        f"latents of {config.crop}×{config.crop} pixels",
        adversarial(work, config.phase, config.discriminator_start),
    )


def of_vit(path: Path | None) -> OwnTraining:
    """`vitiq train vit` with two teachers; what the generator reconstructs of some views is not counted."""
    config = vit.VitTrainingConfig.load(path)
    student = on_meta(VisionTransformer(ViTConfig(depth=len(config.kept_blocks))))
    own = student.config
    teachers = [
        Teacher(on_meta(VisionTransformer(ViTConfig())).requires_grad_(False), Preprocessing(own.image_size))
        for _ in range(TEACHERS)
    ]
    readers = on_meta(TokenReaders(TEACHERS, own.depth, own.width))

    def step() -> None:
        views = images(config.batch, own.image_size)
        loss, *_ = vit.distillation_loss(config, student, readers, teachers, views)
        descent(loss, *(p for p in (*student.parameters(), *readers.parameters()) if p.requires_grad))

    one = forward(lambda: student(images(1, own.image_size)))
    what = f"an image of {own.image_size}×{own.image_size}"
    return OwnTraining(
        size_of(student), one, what, (Stretch(config.steps, config.batch, operations(step), f"{TEACHERS} teachers"),)
    )


def classifier_depth() -> int:
    """Blocks of the classifier in the shipped configuration."""
    return len(classifier.ClassifierTrainingConfig.load().kept_blocks)


def of_classifier(path: Path | None) -> OwnTraining:
    """`vitiq train classifier`, with the coding of its views and the teacher's reading of them."""
    config = classifier.ClassifierTrainingConfig.load(path)
    reader = on_meta(classifier.Reader(LatentClassifier(ViTConfig(depth=len(config.kept_blocks)))))
    side = round(math.sqrt(config.smallest_view * config.largest_view) / BLOCK) * BLOCK
    analysis, teacher = on_meta(Analysis()), on_meta(VisionTransformer(ViTConfig()))

    def run(batch: int) -> Tensor:
        latents = [torch.empty(CHANNELS, side // BLOCK, side // BLOCK, device=META) for _ in range(batch)]
        found: Tensor = reader(latents, [(side, side)] * batch, torch.empty(batch, 3, device=META))
        return found

    def step() -> None:
        found = run(config.batch)
        descent(soft_loss(found, torch.empty_like(found), config.temperature), *reader.parameters())

    def code() -> None:
        analysis(images(1, side), torch.empty(1, 3, device=META))
        teacher(images(1, teacher.config.image_size))

    return OwnTraining(
        size_of(reader),
        forward(lambda: run(1)),
        f"latents of {side}×{side} pixels",
        (
            Stretch(config.views, 1, forward(code), "views are coded and read by the teacher"),
            Stretch(config.steps, config.batch, operations(step), f"latents of {side}² pixels"),
        ),
    )


def of_deblock(path: Path | None) -> OwnTraining:
    """`vitiq train deblock`; crops are taken as 4:2:0, the most frequent."""
    config = deblock.DeblockTrainingConfig.load(path)
    model = on_meta(Corrector())

    def planes(count: int, batch: int, side: int) -> Coded:
        blocks = torch.empty(batch, count, 64, side // 8, side // 8, device=META)
        pixels, tables = torch.empty(batch, count, side, side, device=META), blocks[..., 0, 0]
        return Coded(pixels, blocks, tables)

    def run(batch: int, crop: int) -> Tensor:
        half = math.ceil(crop / 2 / 8) * 8  # whole blocks
        luma, chroma = planes(1, batch, crop), planes(2, batch, half)
        guide = guide_of(luma.planes, half, half)
        found = (
            (luma, model.luma(luma.quantised, luma.tables)),
            (chroma, model.chroma(chroma.quantised, chroma.tables, guide)),
        )
        return all_of([deblock.relative_error(*pair, config.error_floor) for pair in found])

    return in_phases(model, config.phases, run)


def of_transgan(path: Path | None) -> OwnTraining:
    """`vitiq train transgan`; the generator learns once in `discriminator_steps` steps, from twice as many images."""
    config = transgan.TransGanConfig.load(path)
    made, side = on_meta(TransGenerator(config.shape)), config.shape.resolution
    discriminator = on_meta(transgan.discriminator_of(config))
    principal = on_meta(PrincipalLatents(side, config.latent))

    def sample(count: int) -> Tensor:
        if config.reconstruction:
            principal(images(count // 2, side))
        found: Tensor = made(torch.empty(count, config.latent, device=META))
        return found

    def discriminator_step() -> None:
        real = images(config.batch, side)
        with torch.no_grad():
            fake = sample(config.batch)
        loss = all_of([discriminator(real), discriminator(fake)])
        if config.loss == "wgangp-eps":
            loss = loss + transgan.gradient_penalty(discriminator, real, fake)
        descent(loss, *discriminator.parameters())

    def generator_step() -> None:
        descent(all_of(discriminator(sample(2 * config.batch))), *made.parameters())

    turns, work = config.steps // config.discriminator_steps, operations(discriminator_step)
    return OwnTraining(
        size_of(made),
        forward(lambda: sample(1)),
        f"a latent vector, to {side}×{side} pixels",
        (
            Stretch(config.steps, config.batch, work, "the discriminator"),
            Stretch(turns, 2 * config.batch, operations(generator_step), "the generator"),
        ),
    )


TRAININGS: dict[str, Callable[[Path | None], OwnTraining]] = {
    "codec": of_codec,
    "context": of_context,
    "generator": of_generator,
    "vit": of_vit,
    "classifier": of_classifier,
    "perceptual": of_perceptual,
    "deblock": of_deblock,
    "transgan": of_transgan,
}
"""Each model of `vitiq train`, with its configuration file (None for the shipped one)."""
