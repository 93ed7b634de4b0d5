"""`vitiq score IMAGE` without a reference, and lists grouped by question. Truth: the command contract in the help, and
BRISQUE of the same pixels.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from vitiq import registry
from vitiq.cli.metrics import command as metrics
from vitiq.cli.score import command as score
from vitiq.errors import InputError, MissingDependencyError
from vitiq.image.io import write_png
from vitiq.metrics.base import PairMetric
from vitiq.metrics.perceptual.brisque import Brisque
from vitiq.metrics.perceptual.butteraugli import Butteraugli
from vitiq.metrics.perceptual.cvvdp import Cvvdp
from vitiq.metrics.questions import QUESTIONS, question_of
from vitiq.types import ImageU8, Score


def run(command: object, *words: object, code: int = 0) -> str:
    result = CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False)  # type: ignore[arg-type]
    assert result.exit_code == code, result.output
    return result.stdout


def test_one_image_has_the_scores_that_need_no_other(bundled: dict[str, ImageU8], tmp_path: Path) -> None:
    image = bundled["building"][:200, :240]
    write_png(tmp_path / "x.png", image)
    wanted = Brisque().score_one(image)
    record = json.loads(run(score, tmp_path / "x.png", "--json"))["images"][0]
    assert record["image"] == str(tmp_path / "x.png")
    assert record["scores"]["brisque"]["value"] == pytest.approx(wanted)
    assert set(record["scores"]["brisque"]) == {"value", "signature"}, "nothing compares it with itself"
    text = run(score, tmp_path / "x.png", "-m", "all")
    assert QUESTIONS["alone"] in text
    assert f"{wanted:.4f}" in text
    assert "original" not in text


def test_a_folder_has_a_summary_and_a_broken_file_is_named(bundled: dict[str, ImageU8], tmp_path: Path) -> None:
    for name in ("building", "animal"):
        write_png(tmp_path / f"{name}.png", bundled[name][:100, :100])
    assert "2 images" in run(score, tmp_path, "--quiet")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    result = CliRunner().invoke(score, [str(tmp_path), "--quiet"], catch_exceptions=False)
    assert result.exit_code == 1
    assert "broken.png" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-m", "ssim"), "ssim compares two"),
        (("-m", "ssim,brisque,fid"), "ssim, fid compare two"),
        (("--map", "m.png"), "--map"),
    ],
)
def test_what_needs_two_images_says_so(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    write_png(tmp_path / "x.png", np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(InputError, match=said):
        run(score, tmp_path / "x.png", *words)


def test_lists_are_grouped_with_an_arrow_each() -> None:
    lines = run(metrics, "list").splitlines()
    place = {title: lines.index(title) for title in QUESTIONS.values() if title in lines}
    assert list(place.values()) == sorted(place.values())
    assert len(place) >= 5
    ends = [*list(place.values())[1:], len(lines)]
    for name, arrow, question in (
        ("vit-topk", "↑", "meaning"),
        ("ssim", "↑", "looks"),
        ("lpips", "↓", "looks"),
        ("mse", "↓", "pixels"),
        ("brisque", "↓", "alone"),
        ("fid", "↓", "sets"),
        ("vit-topk-null", "↓", "sets"),
    ):
        number = next(i for i, line in enumerate(lines) if line.startswith(f"{arrow} {name} "))
        titles = list(place)
        assert [t for t, end in zip(titles, ends, strict=True) if place[t] < number < end] == [QUESTIONS[question]]


def test_every_metric_has_a_question_and_one_of_a_plugin_too() -> None:
    for name in registry.names("metrics"):
        assert question_of(registry.load("metrics", name)) != "other"

    class Strange(PairMetric):
        name = "strange"
        kind = "unheard-of"  # type: ignore[assignment]

        def signature(self) -> str:
            return "strange"

        def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
            return Score(0.0, "strange")

    assert question_of(Strange) == "other"


def test_a_pair_is_grouped_too(bundled: dict[str, ImageU8], tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_png(tmp_path / f"{name}.png", bundled["building"][:64, :64] // (1 + (name == "b")))
    text = run(score, tmp_path / "a.png", tmp_path / "b.png", "-m", "mse,ssim,brisque")
    order = [text.index(QUESTIONS[question]) for question in ("looks", "pixels", "alone")]
    assert order == sorted(order)
    assert "↓ mse" in text
    assert "↑ ssim" in text


def test_what_cannot_be_had_here_is_one_line(
    bundled: dict[str, ImageU8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apart from what is not defined for the pair; named metrics have their reason among the problems."""

    def missing(_: object) -> None:
        raise MissingDependencyError("run pip install it")

    monkeypatch.setattr(Cvvdp, "model", missing)
    monkeypatch.setattr(Butteraugli, "require", missing)
    for name in ("a", "b"):
        write_png(tmp_path / f"{name}.png", bundled["building"][:10, :10] // (1 + (name == "b")))
    words = (score, tmp_path / "a.png", tmp_path / "b.png", "-m", "mse,ssim,cvvdp,butteraugli")
    lines = run(*words, code=1).splitlines()
    assert lines[-1] == "  unavailable: cvvdp, butteraugli (what they need: vitiq metrics list)"
    assert lines[-2].startswith("  not defined: ssim: an image of 10×10")
    scores = json.loads(run(*words, "--json", code=1))["pairs"][0]["scores"]
    assert scores["cvvdp"]["undefined"] == "run pip install it"
    assert [name for name, one in scores.items() if one.get("unavailable")] == ["cvvdp", "butteraugli"]
