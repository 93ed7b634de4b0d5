"""`vitiq classify` on files of the bundled images, with the embedded weights.

Truth: identities (the first label is what the program prints; of a file of `inversion` it is what the embedded ViT
reads in the decoded image) and the images' evident subject.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from vitiq.codecs import labels
from vitiq.codecs.classical.pillow import Jpeg
from vitiq.codecs.inversion.codec import Inversion
from vitiq.codecs.transform.codec import GenerativeMse
from vitiq.models.backbones import load_backbone
from vitiq.models.vit import VisionTransformer
from vitiq.types import ImageU8, Quality


def classify(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vitiq", "classify", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def file(bundled: dict[str, ImageU8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "animal.viq"
    path.write_bytes(GenerativeMse().encode(bundled["animal"], Quality(40)))
    return path


def test_labels_are_read_from_the_file(file: Path) -> None:
    result = classify(file, "--json", "--top", 5)
    assert result.returncode == 0, result.stderr
    labels = json.loads(result.stdout)["labels"]
    shares = [entry["probability"] for entry in labels]
    assert len(labels) == 5
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 1
    assert any("cat" in entry["label"].lower() for entry in labels), labels


def test_people_read_which_classifier_read_the_latents(file: Path) -> None:
    shown = classify(file, "--top", 2)
    wanted = json.loads(classify(file, "--json").stdout)["classifier"]
    assert shown.stdout.splitlines()[0] == f"the latents, read by the classifier {wanted}:"


def test_comparison_reports_time_operations_and_agreement(file: Path) -> None:
    result = classify(file, "--json", "--compare")
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert 0 < answer["flops"] < answer["rebuilt"]["flops"]
    assert 0 <= answer["rebuilt"]["top_100_overlap"] <= 1
    assert answer["rebuilt"]["same_top"] in (True, False)


def test_operations_are_those_of_the_network_however_they_are_done() -> None:
    """Truth: torch's count of the plain network on tensors without numbers."""
    backbone = load_backbone()
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        VisionTransformer(backbone._model.config)(torch.zeros(1, 3, 224, 224))
    image = np.zeros((64, 64, 3), np.uint8)
    found = labels.count_operations(lambda: backbone.logits([image]))
    assert found == pytest.approx(counter.get_total_flops(), rel=0.15), "the last block reads the class token alone"


def test_other_files_are_reported(bundled: dict[str, ImageU8], tmp_path: Path) -> None:
    path = tmp_path / "animal.jpg"
    path.write_bytes(Jpeg().encode(bundled["animal"], Quality(50)))
    result = classify(path)
    assert result.returncode == 1
    assert "no latents" in result.stderr


@pytest.fixture(scope="module")
def inverted() -> Path:
    return Path(__file__).parents[1] / "golden" / "data" / "inversion-image.viq"


def test_files_of_inversion_are_read_in_the_rebuilt_image(inverted: Path) -> None:
    backbone = load_backbone()
    (wanted,) = backbone.logits([Inversion().decode(inverted.read_bytes())])
    result = classify(inverted, "--json", "--compare")
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert (answer["codec"], answer["read"], answer["classifier"]) == ("inversion", "rebuilt image", backbone.name)
    assert answer["labels"][0]["label"] == backbone.labels[int(wanted.argmax())]
    assert answer["flops"] > 0
    assert "rebuilt" not in answer


def test_people_read_that_the_rebuilt_image_was_read(inverted: Path) -> None:
    shown = classify(inverted, "--top", 3)
    assert shown.returncode == 0, shown.stderr
    assert "no classifier reads the latents of this codec" in shown.stdout
    assert len(shown.stdout.splitlines()) == 4


def test_a_damaged_file_of_inversion_is_refused(inverted: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.viq"
    path.write_bytes(inverted.read_bytes()[:-5])
    result = classify(path)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "cut.viq" in result.stderr
