"""Settings of trainings that do not fit are refused where they are read.

Truth: what the networks take (blocks of 8×8 pixels at half the resolution, strides of 16 and 64 pixels, spectra of 64).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vitiq.cost.own_models import of_codec
from vitiq.errors import InputError
from vitiq.training.config import SHIPPED as CONFIGS
from vitiq.training.recipes import load_recipe


@pytest.mark.parametrize(
    ("model", "line", "changed", "said"),
    [
        ("deblock", "crop = 64", "crop = 13", "crop = 13 given, a multiple of 16 pixels expected"),
        ("deblock", "crop = 96", "crop = 0", "phases[1].crop = 0 given: Expected `int` >= 1"),
        ("deblock", "lowest_quality = 4", "lowest_quality = 99", "lowest_quality = 99 and highest_quality = 95 given"),
        (
            "deblock",
            "highest_quality = 95",
            "highest_quality = 400",
            "highest_quality = 400 given: Expected `int` <= 100",
        ),
        ("deblock", "steps = ", "steps = 0 # ", "phases: 2 of 0 steps in all given, one step or more expected"),
        (
            "deblock",
            "largest_shrink = 1.5",
            "largest_shrink = 0.5",
            "largest_shrink = 0.5 given: Expected",
        ),
        ("codec", "crop = 192", "crop = 100", "crop = 100 given, a multiple of 16 pixels expected"),
        ("codec_transforms", "crop = ", "crop = 48 # ", "crop = 48 given, a multiple of 16 pixels from 64 on expected"),
        ("codec", "learning_rate = 5e-4", "learning_rate = inf", "learning_rate = inf given: Expected `float` <= 1.79"),
        ("codec", "balance = ", "balance = nan # ", "balance = nan given: Expected `float` >= "),
        ("perceptual", "crop = 224", "crop = 100", "crop = 100 given, a multiple of 16 pixels from 64 on expected"),
        ("generator", "crop = 256", "crop = 40", "crop = 40 given, a multiple of 64 pixels expected"),
        ("generator", "lambda_low = ", "lambda_low = 1 # ", "lambda_low = 1 and lambda_high = 0.0016 given"),
        (
            "classifier",
            "smallest_view = ",
            "smallest_view = 999 # ",
            "smallest_view = 999 and largest_view = 320",
        ),
        ("classifier", "kept_blocks = ", "kept_blocks = [0, 99] # ", "kept_blocks[1] = 99 given: Expected `int` <= 11"),
        ("vit", "kept_blocks = ", "kept_blocks = [3, 3] # ", "kept_blocks = [3, 3] given, rising numbers expected"),
        ("vit", "kept_blocks = ", "kept_blocks = [] # ", "kept_blocks = [] given: Expected `array` of length >= 1"),
        ("vit", "temperatures = ", "temperatures = [1.0, 0.0] # ", "temperatures[1] = 0.0 given: Expected `float` > 0"),
        ("transgan", "discriminator_width = ", "discriminator_width = 33 # ", "discriminator_width = 33 given: widths"),
    ],
)
def test_settings_that_do_not_fit_are_said_with_what_was_given_and_what_is_expected(
    model: str, line: str, changed: str, said: str, tmp_path: Path
) -> None:
    text, path = (CONFIGS / f"{model}.toml").read_text(), tmp_path / "settings.toml"
    assert line in text
    path.write_text(re.sub(f"^{line}", changed, text, flags=re.MULTILINE))
    kind = load_recipe(model.partition("_")[0]).config_class
    with pytest.raises(InputError, match=r"settings\.toml: not a .* training configuration") as caught:
        kind.load(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_without_phases_has_nothing_to_learn(tmp_path: Path) -> None:
    """But for the generator, whose adversarial phase is then alone."""
    for model in ("deblock", "codec", "generator"):
        head, *_ = (CONFIGS / f"{model}.toml").read_text().partition("[[phases]]")
        tail = (CONFIGS / f"{model}.toml").read_text().rpartition("[adversarial]")
        (tmp_path / "none.toml").write_text(f"phases = []\n{head}{''.join(tail[1:]) if tail[1] else ''}")
        kind = load_recipe(model).config_class
        if model == "generator":
            assert kind.load(tmp_path / "none.toml").steps > 0
            continue
        with pytest.raises(InputError, match="phases: 0 of 0 steps in all given, one step or more expected"):
            kind.load(tmp_path / "none.toml")


def test_the_cost_of_settings_that_do_not_fit_is_refused_as_well(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text((CONFIGS / "codec.toml").read_text().replace("crop = 192", "crop = 100"))
    with pytest.raises(InputError, match=r"settings\.toml: .*crop = 100 given, a multiple of 16 pixels expected"):
        of_codec(path)
