"""Costs of vitiq's own trainings.

Truth: products of small layers counted by hand; tensors of the weights that ship; the formula of Vision Transformers,
which published counts are held against in test_cost.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from torch import nn

from vitiq.cli.cost import command
from vitiq.codecs.transform.networks.embedded import TransformModel
from vitiq.codecs.transform.networks.transform_codec import TransformCodec
from vitiq.cost.answer import OWN, cost
from vitiq.cost.counting import META, OwnTraining, descent, forward, on_meta, operations, size_of
from vitiq.cost.own_models import TRAININGS
from vitiq.cost.transformers import Transformer, forward_flops, parameters
from vitiq.errors import InputError
from vitiq.training.hardware import Hardware
from vitiq.training.recipes import MODELS, codec, generator, perceptual, transgan

WEIGHTS = Path(codec.__file__).parents[2] / "weights"
CONFIGS = Path(codec.__file__).parents[1] / "configs"


@pytest.fixture(scope="module")
def counts() -> dict[str, OwnTraining]:
    return {name: count(None) for name, count in TRAININGS.items()}


def numbers(file: str, *prefixes: str) -> int:
    """Numbers in the tensors of a file that ships, without the scales of 8-bit rows."""
    tensors = load_file(WEIGHTS / file)
    return sum(v.numel() for k, v in tensors.items() if k.startswith(prefixes) and not k.endswith(".scale"))


def test_small_layers_are_counted_as_by_hand() -> None:
    network = on_meta(nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.Flatten(), nn.Linear(4 * 8 * 8, 7)))
    assert size_of(network) == (2 * 9 * 4 + 4) + (256 * 7 + 7)
    images = torch.empty(5, 2, 8, 8, device=META)
    convolution, product = 5 * 8 * 8 * 4 * 2 * 9 * 2, 5 * 256 * 7 * 2
    assert forward(lambda: network(images)) == convolution + product
    # Backward: the last layer's weights and input, the first layer's weights alone.
    step = operations(lambda: descent(network(images).sum(), *network.parameters()))
    assert step == (convolution + product) + 2 * product + convolution
    # What is frozen is passed through to what learns before it, without its own weights' share.
    first = list(network[0].parameters())
    assert operations(lambda: descent(network(images).sum(), *first)) == step - product


def test_parameters_are_those_of_the_weights_that_ship(counts: dict[str, OwnTraining]) -> None:
    found = {name: counted.parameters for name, counted in counts.items()}
    assert found["vit"] == numbers("vit_embedded.safetensors", "")
    assert found["classifier"] == numbers("classifier_embedded.safetensors", "")
    assert found["deblock"] == numbers("deblock_embedded.safetensors", "")
    assert found["generator"] == numbers("generator_embedded.safetensors", "encoder.", "synthesis.", "prior.")
    # The codec's prior is in its file as whole numbers, which give the floats back.
    shipped = TransformModel()
    assert shipped.prior.context is not None
    assert found["context"] == size_of(shipped.prior.context)
    transforms = numbers("codec_embedded.safetensors", "analysis.", "synthesis.", "gains.")
    assert found["codec"] == transforms + size_of(shipped.prior) - found["context"]
    changed = tuple("perceptual." + part for part in perceptual.TRAINED)
    assert found["perceptual"] == numbers("codec_embedded.safetensors", *changed)


def test_what_a_kept_bitstream_freezes_is_not_counted() -> None:
    """Beside the same training without it; the numbers that learn are those that the recipe leaves to learn."""
    kept = TRAININGS["codec"](CONFIGS / "codec_transforms.toml")
    config = codec.CodecTrainingConfig.load(CONFIGS / "codec_transforms.toml")
    model = TransformCodec(config.analysis_blocks, config.synthesis_blocks)
    codec.start_from(model, WEIGHTS / "codec_embedded.safetensors", keeps_bitstream=True)
    groups = codec.make_optimiser(model, config, Hardware(torch.device("cpu"))).param_groups
    learning = [p for group in groups for p in group["params"]]
    assert kept.parameters == sum(p.numel() for p in learning) < size_of(model)
    (stretch,) = kept.stretches
    assert stretch.steps == config.steps
    assert 2 < stretch.flops / (stretch.batch * kept.forward_flops) < 2.95  # 3 where all learns


def test_the_vits_training_is_the_formulas(counts: dict[str, OwnTraining]) -> None:
    student, teacher = (Transformer("ti", 192, depth, 3, 16) for depth in (10, 12))
    found = counts["vit"]
    assert found.parameters == parameters(student)
    assert found.forward_flops == forward_flops(student)
    (steps,) = found.stretches
    assert (steps.steps, steps.batch) == (2000, 16)
    # Readers of the student's tokens, a 192×192 product for two teachers, ten blocks and 197 tokens; no gradient
    # reaches the pixels, so the patches' backward pass is one product, and the teachers have none.
    readers = 2 * 2 * 10 * 197 * 192 * 192
    patches = 2 * 196 * 768 * 192
    an_image = 3 * (forward_flops(student) + readers) - patches + 2 * forward_flops(teacher)
    assert steps.flops == pytest.approx(16 * an_image, rel=0.01)


def test_as_many_pixels_cost_as_much(counts: dict[str, OwnTraining]) -> None:
    first, second = counts["generator"].stretches[:2]
    assert first.batch * 256**2 == second.batch * 512**2
    assert second.flops == pytest.approx(first.flops, rel=1e-6)


def test_a_step_is_about_three_forward_passes_where_all_learns(counts: dict[str, OwnTraining]) -> None:
    for name in ("codec", "generator", "deblock"):
        config = {"codec": 2, "generator": 2, "deblock": 8}[name]
        stretch = counts[name].stretches[1]
        assert stretch.batch == config
        assert stretch.flops / (stretch.batch * counts[name].forward_flops) == pytest.approx(3, abs=0.1)


def test_a_whole_training_is_steps_times_what_a_step_takes(counts: dict[str, OwnTraining]) -> None:
    config = generator.GeneratorTrainingConfig.load()
    steps = [phase.steps for phase in config.all_phases]
    stretches = counts["generator"].stretches
    assert [s.steps for s in stretches[:2]] == steps[:2]
    assert sum(s.steps for s in stretches[2:]) == steps[2]
    assert counts["generator"].flops == sum(s.steps * s.flops for s in stretches)
    turns = {s.what: s.steps for s in counts["transgan"].stretches}
    assert turns["the discriminator"] == turns["the generator"] == transgan.TransGanConfig.load().steps


def test_every_model_that_is_trained_has_a_row(counts: dict[str, OwnTraining]) -> None:
    assert set(OWN) == set(MODELS) == set(counts)


@pytest.mark.parametrize("name", ["context", "transgan"])
def test_the_command(name: str) -> None:
    result = CliRunner().invoke(command, [name, "--on", "h100", "--json"])
    row = json.loads(result.output)
    found = cost(name, "h100")
    assert row["parameters"] == found.parameters
    assert row["training"]["flops"] == found.estimate.flops
    assert row["training"]["hours"] == pytest.approx(found.estimate.flops / (989.4e12 * 0.3) / 3600)
    text = CliRunner().invoke(command, [name, "--on", "h100"]).output
    assert "forward and backward counted" in text
    assert text.count("\n") == 8


def test_the_published_wgan_costs_the_penalty_too() -> None:
    plain, published = TRAININGS["transgan"](None), TRAININGS["transgan"](CONFIGS / "transgan_gpu.toml")
    turns = {s.what: s for s in published.stretches}
    assert turns["the generator"].steps * 4 == turns["the discriminator"].steps
    ratio = turns["the discriminator"].flops / turns["the generator"].flops
    assert ratio > plain.stretches[0].flops / plain.stretches[1].flops


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["resnet50"], "or one of vit, generator, codec"),
        (["codec", "--images", "300M"], "images given for codec, whose training has them in its configuration"),
        (["codec", "--epochs", "3", "--size", "64"], "epochs and size given for codec"),
        (["vit-b/16", "--config", "c.toml"], "which is none of vitiq's trainings"),
        (
            ["codec", "--config", "none.toml"],
            "none.toml: no such file; expected a configuration, or a shipped one: codec, codec_gpu, ",
        ),
        (["codec", "--on", "h101"], "no accelerator 'h101' in the table: did you mean h100"),
        (["vit-b/16", "--epochs", "nan"], "epochs nan given"),
        (["vit-b/16", "--price", "-1"], "price -1 given"),
        (["vit-b/16", "--watts", "inf"], "watts inf given"),
        (["vit-b/16", "--pue", "nan"], "power usage effectiveness nan given"),
        (["vit-b/16", "--utilisation", "nan"], "utilisation nan given"),
        (["vit-b/16", "--images", "9" * 400], "a number expected"),
        (["vit-b/16", "--images", "9" * 300 + "g", "--epochs", "1e9"], "given"),
    ],
)
def test_what_cannot_be_counted_is_refused_in_one_line(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(command, arguments)
    assert isinstance(result.exception, InputError)
    assert said in str(result.exception)
    assert "\n" not in str(result.exception)
