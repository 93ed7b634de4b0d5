"""Costs of training. Truth: counts and hours that the papers state; each test names paper and table."""

from __future__ import annotations

import json
import math

import pytest
from click.testing import CliRunner

from vitiq.cli.cost import command, count_of
from vitiq.cost.accelerators import Accelerator, accelerators, find
from vitiq.cost.estimate import estimate, of_device_hours, training_flops
from vitiq.cost.transformers import counted, forward_flops, parameters, parse_transformer
from vitiq.errors import InputError

JFT = 303e6
"""Images of JFT-300M (Dosovitskiy et al. 2021, section 4.1)."""


@pytest.mark.parametrize(
    ("name", "millions", "gigamacs"),
    # Touvron et al. 2022, "DeiT III", Table 1 and 7 (arXiv 2204.07118): parameters in millions, multiply-adds in 10⁹.
    [
        ("vit-ti/16", 5.7, 1.3),
        ("vit-s/16", 22.0, 4.6),
        ("vit-b/16", 86.6, 17.5),
        ("vit-l/16", 304.4, 61.6),
        ("vit-h/14", 632.1, 167.4),
    ],
)
def test_published_counts(name: str, millions: float, gigamacs: float) -> None:
    model = parse_transformer(name)
    weights, flops = counted(model)
    assert weights == parameters(model)
    assert flops == forward_flops(model)
    assert weights / 1e6 == pytest.approx(millions, abs=0.11)
    assert flops / 2e9 == pytest.approx(gigamacs, abs=0.11)


@pytest.mark.parametrize(
    ("name", "epochs", "exaflops"),
    # Dosovitskiy et al. 2021, Table 6 (arXiv 2010.11929): pre-training on JFT-300M at 224 pixels, in 10¹⁸ operations.
    [
        ("vit-b/32", 7, 55),
        ("vit-b/16", 7, 224),
        ("vit-l/32", 7, 196),
        ("vit-l/16", 7, 783),
        ("vit-l/16", 14, 1567),
        ("vit-h/14", 14, 4262),
    ],
)
def test_published_training_operations(name: str, epochs: int, exaflops: float) -> None:
    total = training_flops(forward_flops(parse_transformer(name)), JFT, epochs)
    assert total / 1e18 == pytest.approx(exaflops, rel=0.03)


def reached_share(flops: float, device_hours: float, device: Accelerator) -> float:
    """Share of a device's peak that a published training reached."""
    return flops / (device_hours * 3600 * device.teraflops * 1e12)


def test_published_hours_of_vit_huge() -> None:
    """Dosovitskiy et al. 2021, Table 2: 2,500 TPUv3-core-days."""
    device, _ = find("tpu-v3")
    total = training_flops(forward_flops(parse_transformer("vit-h/14")), JFT, 14)
    reached = reached_share(total, 2500 * 24, device)
    assert 0.3 < reached < 0.35
    result = estimate(total, device, 512, utilisation=reached)
    assert result.device_hours == pytest.approx(2500 * 24)
    assert result.hours / 24 == pytest.approx(2500 / 512)


def test_masked_autoencoders_hours_give_a_plausible_share_of_the_peak() -> None:
    """He et al. 2021, Table 2 (arXiv 2111.06377): hours of 800 epochs of ImageNet on 128 TPU v3 cores.

    The encoder sees a quarter of the patches or, with mask tokens, all; the decoder has 8 blocks of width 512.
    """
    device, _ = find("tpu-v3")

    def operations(name: str, tokens: int) -> float:
        model = parse_transformer(name)
        decoder = 8 * (12 * model.tokens * 512**2 + 2 * model.tokens**2 * 512) * 2
        return training_flops(forward_flops(model, tokens) + decoder, 1.281e6, 800)

    for name, hours, masked in [("vit-l/16", 15.4, 42.4), ("vit-h/14", 34.5, 119.6)]:
        tokens = parse_transformer(name).tokens
        seen, whole = operations(name, 1 + (tokens - 1) // 4), operations(name, tokens)
        for total, time in [(seen, hours), (whole, masked)]:
            assert 0.15 < reached_share(total, time * 128, device) < 0.75
        assert whole / seen == pytest.approx(masked / hours, rel=0.35)


def test_energy_of_dinov2() -> None:
    """Oquab et al. 2023, Table 14 (arXiv 2304.07193): 22,016 A100 hours, 400 W, PUE 1.1: 9.7 MWh; 3.7 t."""
    result = of_device_hours(22_016, find("a100")[0], pue=1.1)
    assert result.megawatt_hours == pytest.approx(9.7, abs=0.05)
    assert result.megawatt_hours * 0.385 == pytest.approx(3.7, abs=0.05)


def test_the_thesis_arithmetic_and_what_is_wrong_in_it() -> None:
    """2,500 core-days on 512 cores, rounded up to five days, at 384 dollars an hour: about 46 thousand dollars."""
    days = math.ceil(2500 / 512)
    assert days * 24 * 384 == 46_080
    total = training_flops(forward_flops(parse_transformer("vit-h/14")), JFT, 14)
    # "A minute on Frontera": even at its float64 peak it is thirty hours.
    hours = estimate(total, find("frontera")[0], utilisation=1).hours
    assert 30 < hours < 31


def test_operations_without_their_numbers_are_refused() -> None:
    device = find("a100")[0]
    for wrong in ({"utilisation": 0}, {"utilisation": 1.1}, {"pue": 0.9}, {"count": 0}):
        with pytest.raises(InputError, match="given"):
            estimate(1e18, device, **wrong)


@pytest.mark.parametrize("text", ["vit-h", "vit-x/16", "vit-b/0", "resnet50", "vit-b/16/2", ""])
def test_other_models_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError, match="vit-h/14"):
        parse_transformer(text)


@pytest.mark.parametrize("text", ["tpu-v9", "a100:0", "a100:-1", "a100:x", "", ":8"])
def test_other_devices_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        find(text)


def test_every_device_names_its_source_and_date() -> None:
    for device in accelerators().values():
        assert len(device.source) > 30
        assert device.date[:2] == "20"
        assert device.teraflops > 0
        assert device.watts > 0


@pytest.mark.parametrize(("text", "value"), [("300M", 3e8), ("1.28m", 1.28e6), ("50k", 5e4), ("7", 7), ("1G", 1e9)])
def test_counts(text: str, value: float) -> None:
    assert count_of(text) == pytest.approx(value)


def test_the_command() -> None:
    words = ["vit-h/14", "--images", "303M", "--epochs", "14", "--on", "tpu-v3:512", "--utilisation", "0.32", "--json"]
    result = CliRunner().invoke(command, words)
    found = json.loads(result.output)
    assert found["training"]["hours"] == pytest.approx(117, abs=1)
    assert found["training"]["dollars"] == pytest.approx(60_000, rel=0.01)
    assert found["device"]["count"] == 512
    measured = CliRunner().invoke(command, ["vit-ti/16", "--on", "cpu"])
    assert measured.exit_code == 0
    assert "measured" in measured.output


@pytest.mark.parametrize(
    ("words", "time", "energy", "money"),
    [
        (["vit-ti/16", "--images", "1", "--on", "h100"], "less than 0.001 seconds", "less than 0.001 Wh", "less than"),
        (["codec", "--config", "codec_gpu", "--on", "h100"], "57.4 seconds", "12.3 Wh", "19.6 cents"),
        (
            ["vit-h/14", "--images", "303M", "--epochs", "14", "--on", "tpu-v3:512", "--utilisation", "0.32"],
            "4.89 days (2,504 device-days)",
            "7.27 MWh",
            "60,100 dollars",
        ),
    ],
)
def test_costs_are_shown_in_units_that_fit(words: list[str], time: str, energy: str, money: str) -> None:
    """Truth: the JSON answer, converted by hand (57 seconds are also those of the training's documentation)."""
    shown = CliRunner().invoke(command, words).output
    rows = {line.split()[0]: line.split(maxsplit=1)[1] for line in shown.splitlines()}
    assert rows["time"] == time
    assert rows["energy"].startswith(energy)
    assert rows["money"].startswith(money)
