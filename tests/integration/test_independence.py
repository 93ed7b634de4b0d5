"""Which scores are independent of the codec, from the options of a codec to the page of its study.

Truth: files optimised against a network, scored by it, by its teachers and by a network that took no part; the
manifest names who taught whom.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import vitiq
from program import Vitiq
from vitiq.api.studies import run_study
from vitiq.codecs.spec import make_codec
from vitiq.evaluation.independence import DEPENDENT, RELATIVE, dependent_scores
from vitiq.evaluation.record import Record
from vitiq.evaluation.store import Store
from vitiq.evaluation.worker import optimised_against
from vitiq.image.io import write_png
from vitiq.report.answer import answer
from vitiq.report.model import Model, build_model
from vitiq.report.source import read_study
from vitiq.types import ImageU8
from vitiq.weights.store import model_info

TEACHER, OTHER_TEACHER = "vit_tiny_patch16_224.augreg_in21k_ft_in1k", "deit_tiny_patch16_224"


def scored(small: ImageU8, folder: Path, codec: str, backbone: Path | None = None) -> tuple[Record, Model]:
    """A file of a codec with its scores, and what a report makes of it."""
    write_png(folder / "x.png", small)
    out = folder / "out"
    vitiq.run_study(
        folder / "x.png", codec, out, "vit-topk,vit-js,ssim", backbone=backbone, executor="inline", progress=False
    )
    study = read_study(out)
    ((record, _),) = study.records
    return record, build_model(study.name, [record])


def test_the_network_of_the_loss_is_flagged(small: ImageU8, tmp_path: Path) -> None:
    record, model = scored(small, tmp_path, "generative-mse[refine=2,loss=vit]@20")
    info = model_info("vit-embedded")
    flagged = {"backbone": "vit-embedded", "weights_sha256": info.sha256, "related": list(info.related)}
    assert record.details["optimised_against"] == [flagged]
    assert set(dependent_scores(record)) == {"vit-topk", "vit-js"}
    assert set(model.curves[0].dependent) == {"vit-topk", "vit-js"}
    assert any("marked †" in line for line in answer(model).limits)


def test_a_codec_that_no_network_tuned_is_not_flagged(small: ImageU8, tmp_path: Path) -> None:
    record, model = scored(small, tmp_path, "generative-mse[refine=2]@20")
    assert record.details["optimised_against"] == []
    assert model.curves[0].dependent == {}
    assert not any("†" in line for line in answer(model).limits)
    assert optimised_against(make_codec("jpeg")) == []


def test_networks_that_trained_the_weights_are_flagged(small: ImageU8, tmp_path: Path) -> None:
    vit = model_info("vit-embedded").sha256
    for codec, weights in {"generative": "codec-embedded", "inversion": "generator-embedded"}.items():
        (found,) = optimised_against(make_codec(codec))
        assert found["weights_sha256"] == model_info(weights).sha256
        assert vit in model_info(weights).related
    assert len(optimised_against(make_codec("inversion-vector[loss=vit]"))) == 2
    record, _ = scored(small, tmp_path, "generative@20")
    assert dependent_scores(record) == dict.fromkeys(("vit-topk", "vit-js"), f"{RELATIVE} codec-embedded")


def test_commands_mark_what_the_report_marks(small: ImageU8, tmp_path: Path, vitiq: Vitiq) -> None:
    """They read the rows of the store without the details of encodes."""
    write_png(tmp_path / "x.png", small)
    out = tmp_path / "out"
    codecs = ["generative-mse[refine=1,loss=vit]@10,30,50", "jpeg@10,40,80"]
    run_study(tmp_path / "x.png", codecs, out, "vit-topk,ssim", executor="inline", progress=False)
    label = Store(out).records()[0].label
    assert [set(dependent_scores(r)) for r in Store(out).records(details=False)] == [{"vit-topk"}] * 3 + [set()] * 3
    shown = vitiq("bench", "show", out).out
    assert DEPENDENT in shown
    assert [line.count("†") for line in shown.splitlines() if line.startswith("| ")] == [0, 1, 1, 1, 0, 0, 0]
    results = json.loads(vitiq("bench", "show", out, "--json").out)["results"]
    assert [r["not_independent"] for r in results] == [["vit-topk"]] * 3 + [[]] * 3
    found = json.loads(vitiq("bd", out, "--anchor", "jpeg", "-m", "vit-topk,ssim", "--json").out)
    assert [c["independent"] for c in found["comparisons"]] == [False, True]
    for words in (["--table", "means"], ["--table", "pareto"]):
        rows = json.loads(vitiq("rd", out, *words, "-m", "vit-topk,ssim", "--format", "json").out)
        dependent = {(r["codec"], r["metric"]) for r in rows if not r["independent"]}
        assert dependent == {(label, "vit-topk")}
    rows = json.loads(vitiq("rd", out, "--at", "1", "--nearest", "-m", "vit-topk,ssim", "--format", "json").out)
    assert [r["not_independent"] for r in rows] == ["vit-topk", ""]


@pytest.mark.parametrize(
    ("codec", "name", "flagged"),
    [
        ("generative-mse[refine=2,loss=vit]@20", TEACHER, True),
        ("generative-mse[refine=2,loss=vit]@20", OTHER_TEACHER, True),
        ("generative@20", TEACHER, True),
        ("generative@20", OTHER_TEACHER, False),
    ],
)
def test_teachers_are_flagged_too(
    vitiq_data: Path, small: ImageU8, tmp_path: Path, codec: str, name: str, flagged: bool
) -> None:
    """The embedded ViT has two teachers; the perceptual synthesis was tuned by an earlier one, which had one."""
    record, _ = scored(small, tmp_path, codec, vitiq_data / "weights" / f"{name}.safetensors")
    assert ("vit-topk" in dependent_scores(record)) is flagged
    assert all(found.startswith(RELATIVE) for found in dependent_scores(record).values())
