"""`vitiq classify` on files of the bundled images, with the embedded weights.

Truth: identities (the classifier's first label is what the program prints) and the images' evident subject.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vitiq.codecs.classical.pillow import Jpeg
from vitiq.codecs.transform.codec import GenerativeMse
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


def test_comparison_reports_time_operations_and_agreement(file: Path) -> None:
    result = classify(file, "--json", "--compare")
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert 0 < answer["flops"] < answer["rebuilt"]["flops"]
    assert 0 <= answer["rebuilt"]["top_100_overlap"] <= 1
    assert answer["rebuilt"]["same_top"] in (True, False)


def test_other_files_are_reported(bundled: dict[str, ImageU8], tmp_path: Path) -> None:
    path = tmp_path / "animal.jpg"
    path.write_bytes(Jpeg().encode(bundled["animal"], Quality(50)))
    result = classify(path)
    assert result.returncode == 1
    assert "no latents" in result.stderr
