"""Plug-ins from outside: each one module and one entry point, seen by the commands.

Truth: distributions that this module makes or installs into an empty folder on the path; another process runs `vitiq`.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from vitiq.image.io import read_image, write_png
from vitiq.models.vit import VisionTransformer, ViTConfig
from vitiq.types import ImageU8

EXAMPLES = Path(__file__).parents[2] / "examples" / "plugins"

MODULE = '''
import hashlib, os, struct
from dataclasses import dataclass
import numpy as np
import torch
from vitiq.codecs.base import Codec
from vitiq.codecs.entropy_coding import SymbolGroup
from vitiq.codecs.inversion.generators.base import Generator, LatentLayer
from vitiq.codecs.logistic import frequency_tables
from vitiq.filters.base import Filter
from vitiq.metrics.base import PairMetric
from vitiq.options import option
from vitiq.types import Score


class Raw(Codec):
    name, title, extension = "outside-raw", "Raw from outside", ".raw"
    qualities, default_quality = (1,), 1
    quality_help, quality_range = "always 1", (1, 1, 1)

    def compress(self, image, quality, progress=None):
        return b"RAW!" + struct.pack(">HH", *image.shape[:2]) + image.tobytes()

    def decompress(self, data):
        height, width = struct.unpack(">HH", data[4:8])
        return np.frombuffer(data[8:], np.uint8).reshape(height, width, 3).copy()

    @classmethod
    def detect(cls, data):
        return data.startswith(b"RAW!")


class Noisy(Raw):
    name, title = "outside-noisy", "Prints what it does"

    def compress(self, image, quality, progress=None):
        print("encoding")
        os.system("echo a program")
        os.write(1, b"a library")
        return super().compress(image, quality)

    def decompress(self, data):
        print("decoding")
        return super().decompress(data)

    @classmethod
    def detect(cls, data):
        return False


@dataclass(frozen=True, kw_only=True)
class NegativeOptions:
    strength: float = option(1.0, "part of the levels that is turned", low=0, high=1)


class Negative(Filter):
    name, title, Options = "negative", "negative", NegativeOptions

    def apply(self, image, data=None):
        return (image + self.options.strength * (255.0 - 2.0 * image)).astype(np.uint8)


class Tiny(Generator):
    """64 numbers a colour, enlarged; a fixed size, no encoder, no prior."""

    name, resolution, output_range = "tiny", 64, (0.0, 1.0)
    layers = (LatentLayer(3, 4, 4),)
    weights_sha256, weights_bytes = hashlib.sha256(b"tiny").hexdigest(), 0

    def generate(self, latents):
        return torch.nn.functional.interpolate(latents[0] / 8 + 0.5, scale_factor=16, mode="bilinear")


class Mean(PairMetric):
    """Mean difference of levels."""

    name, title, range, higher_is_better = "outside-mean", "Mean difference from outside", (0.0, 255.0), False
    kind, formula, reference, differentiable = "full-reference", "mean |x - y|", "this test", True

    def signature(self):
        return "outside-mean|v1"

    def __call__(self, reference, distorted):
        return Score(float(np.abs(reference.astype(float) - distorted).mean()), self.signature())

    @classmethod
    def loss_class(cls):
        from vitiq.losses import Loss

        class MeanLoss(Loss):
            metric = "outside-mean"

            def forward(self, distorted, reference):
                return self.scores(distorted, reference).mean() / 255

            def _compare(self, distorted, reference):
                return 255 * (distorted - reference).abs().mean(dim=(1, 2, 3))

        return MeanLoss


class Lossless(Mean):
    """Says that it has a loss, and has none."""

    name, title = "outside-lossless", "Without a loss"

    @classmethod
    def loss_class(cls):
        return None


class Static:
    """Every symbol under the same table."""

    exact = True
    tables = frequency_tables()

    def __init__(self, shapes, step):
        self.shapes = shapes

    def walk(self, code, known=None):
        layers = []
        for number, (c, h, w) in enumerate(self.shapes):
            zeros = np.zeros((h * w, c), np.int64)
            group = SymbolGroup(number, slice(0, c), np.arange(h * w), zeros, zeros, zeros + 30)
            layers.append(np.ascontiguousarray(code(group).T).reshape(c, h, w))
        return tuple(layers)
'''
ENTRY_POINTS = """
[vitiq.codecs]
outside-raw = outside_plugin:Raw
outside-noisy = outside_plugin:Noisy
outside-broken = outside_plugin:NotThere
[vitiq.filters]
negative = outside_plugin:Negative
[vitiq.generators]
tiny = outside_plugin:Tiny
[vitiq.entropy_models]
static = outside_plugin:Static
[vitiq.metrics]
outside-mean = outside_plugin:Mean
outside-lossless = outside_plugin:Lossless
"""


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a distribution of one module."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "outside_plugin.py").write_text(MODULE, encoding="utf-8")
    metadata = folder / "outside_plugin-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: outside-plugin\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example packages, installed into a folder."""
    folder = tmp_path_factory.mktemp("installed")
    sources = [shutil.copytree(path, folder / "src" / path.name) for path in EXAMPLES.iterdir() if path.is_dir()]
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--target", str(folder / "site"), *map(str, sources)], check=True, capture_output=True)
    return folder / "site"


def vitiq(site: Path, *arguments: object, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vitiq", *map(str, arguments)]
    variables = os.environ | {"PYTHONPATH": str(site)} | environment
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture
def png(tmp_path: Path, small: ImageU8) -> Path:
    write_png(tmp_path / "x.png", small)
    return tmp_path / "x.png"


def test_a_codec_family_with_its_own_format(outside: Path, png: Path, tmp_path: Path, small: ImageU8) -> None:
    listed = vitiq(outside, "codecs", "list").stdout
    assert "Raw from outside" in listed
    assert re.search(r"^\+negative +negative$", listed, re.MULTILINE)
    file = tmp_path / "x.raw"
    vitiq(outside, "encode", png, "-c", "outside-raw", "-o", file, "--quiet")
    assert file.read_bytes().startswith(b"RAW!")
    answer = json.loads(vitiq(outside, "info", file, "--json").stdout)
    assert (answer["codec"], answer["width"], answer["height"]) == ("outside-raw", 96, 80)
    vitiq(outside, "decode", file, "-o", tmp_path / "y.png")
    assert np.array_equal(read_image(tmp_path / "y.png"), small)
    scores = json.loads(vitiq(outside, "score", png, file, "-m", "mse", "--json", "--quiet").stdout)
    assert scores["pairs"][0]["scores"]["mse"]["value"] == 0
    said = vitiq(outside, "encode", png, "-c", "outside-raw", "-q", 2, "-o", tmp_path / "z", code=2).stderr
    assert "always 1" in said


def test_what_a_plugin_prints_is_no_part_of_results(outside: Path, png: Path, tmp_path: Path, small: ImageU8) -> None:
    command = [sys.executable, "-m", "vitiq", "encode", str(png), "-c", "outside-noisy", "-o", "-"]
    variables = os.environ | {"PYTHONPATH": str(outside)}
    done = subprocess.run(command, env=variables, capture_output=True, check=True)
    assert done.stdout.startswith(b"RAW!")
    assert len(done.stdout) == 8 + small.size
    assert {b"encoding", b"a program"} <= set(done.stderr.splitlines())
    (tmp_path / "x.raw").write_bytes(done.stdout)
    assert json.loads(vitiq(outside, "info", tmp_path / "x.raw", "--json").stdout)["codec"] == "outside-raw"
    for executor in ("inline", "processes"):
        words = ["-c", "outside-noisy", "-m", "mse", "--executor", executor, "-o", tmp_path / executor, "--json"]
        answer = vitiq(outside, "bench", png, *words)
        assert json.loads(answer.stdout)
        assert "decoding" in answer.stderr


def test_a_broken_plugin_is_named_and_hurts_nobody(outside: Path, png: Path, tmp_path: Path) -> None:
    said = vitiq(outside, "encode", png, "-c", "outside-broken", code=1).stderr
    assert "outside_plugin:NotThere" in said
    assert len(said.strip().splitlines()) == 1
    (tmp_path / "x.bin").write_bytes(b"nothing that anyone knows")
    said = vitiq(outside, "decode", tmp_path / "x.bin", "-o", tmp_path / "rebuilt.png", code=1).stderr
    assert "outside-broken" in said
    vitiq(outside, "encode", png, "-c", "jpeg", "-o", tmp_path / "x.jpg")


def test_a_filter(outside: Path, png: Path, tmp_path: Path) -> None:
    program = (
        "import sys, json; from vitiq.codecs.spec import make_codec; from vitiq.image.io import read_image\n"
        "image = read_image(sys.argv[1]); a, b = make_codec('jpeg'), make_codec('jpeg+negative')\n"
        "data = b.encode(image); assert data == a.encode(image)\n"
        "assert (b.decode(data) == 255 - a.decode(data)).all()\n"
        "print(json.dumps([b.name, b.label(), b.identity(), b.inspect(data).codec]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(png)],
        env=os.environ | {"PYTHONPATH": str(outside)},
        capture_output=True,
        text=True,
        check=True,
    )
    name, label, identity, codec = json.loads(done.stdout)
    assert (name, label, codec) == ("jpeg+negative", "JPEG + negative", "jpeg")
    assert identity["filters"] == [{"name": "negative", "strength": 1.0}]
    vitiq(outside, "encode", png, "-c", "jpeg+negative", "-o", tmp_path / "x.jpg")
    shown = vitiq(outside, "codecs", "info", "jpeg+negative").stdout
    assert re.search(r"^options of negative\n  strength +part .*from 0 to 1; default 1", shown, re.MULTILINE)


def test_a_metric_and_its_loss(outside: Path, png: Path, tmp_path: Path) -> None:
    assert "Mean difference from outside" in vitiq(outside, "metrics", "list").stdout
    file = tmp_path / "x.viq"
    found = vitiq(outside, "score", png, png, "-m", "outside-mean", "--json", "--quiet").stdout
    assert json.loads(found)["pairs"][0]["scores"]["outside-mean"]["value"] == 0
    search = ("-c", "inversion", "--iterations", 2, "--quiet", "-o", file)
    vitiq(outside, "encode", png, *search, "--loss", "outside-mean")
    vitiq(outside, "decode", file, "-o", tmp_path / "y.png")
    assert read_image(tmp_path / "y.png").shape == (80, 96, 3)
    said = vitiq(outside, "encode", png, *search, "--force", "--loss", "outside-lossless", code=2).stderr
    assert "the metric outside-lossless has no loss" in said


def test_run_and_report_show_them(outside: Path, png: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    metrics = "mse,psnr-rgb,outside-mean"
    comparators = ("--comparators", "outside-raw,jpeg+negative", "--metrics", metrics, "--executor", "inline")
    said = vitiq(outside, "run", png, "-c", "jpeg", *comparators, "-o", out, "--quiet").stdout
    assert "Raw from outside" in said
    assert "JPEG + negative" in said
    with (out / "records.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["codec"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"jpeg", "outside-raw", "jpeg+negative"}
    assert rows["outside-raw"]["reached"] == "false"
    assert float(rows["jpeg+negative"]["mse"]) > 1000 > float(rows["jpeg"]["mse"])
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Raw from outside" in page
    assert "JPEG + negative" in page
    assert "Mean difference from outside" in page


def test_a_generator_of_a_fixed_size_without_encoder_or_prior(outside: Path, png: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.viq"
    assert "tiny, transgan" in vitiq(outside, "codecs", "info", "inversion-vector").stdout
    search = ("--generator", "tiny", "--iterations", 20, "--quiet")
    vitiq(outside, "encode", png, "-c", "inversion-vector", *search, "-o", file)
    vitiq(outside, "decode", file, "--generator", "tiny", "-o", tmp_path / "y.png")
    assert read_image(tmp_path / "y.png").shape == (80, 96, 3)
    assert "generator weights with sha256" in vitiq(outside, "decode", file, "-o", tmp_path / "z.png", code=1).stderr
    said = vitiq(outside, "encode", png, "-c", "inversion", *search, "-o", tmp_path / "z.viq", code=1).stderr
    assert "use codec inversion-vector" in said


def test_an_entropy_model(outside: Path, png: Path, tmp_path: Path) -> None:
    own, file = tmp_path / "own.viq", tmp_path / "x.viq"
    assert "(text: static; default generator)" in vitiq(outside, "codecs", "info", "inversion").stdout
    vitiq(outside, "encode", png, "-c", "inversion", "--iterations", 2, "--quiet", "-o", own)
    vitiq(outside, "encode", png, "-c", "inversion[entropy=static]", "--iterations", 2, "--quiet", "-o", file)
    answer = json.loads(vitiq(outside, "info", file, "--json").stdout)
    assert answer["entropy"] == "static"
    vitiq(outside, "decode", file, "-o", tmp_path / "y.png")
    assert read_image(tmp_path / "y.png").shape == (80, 96, 3)
    assert file.read_bytes() != own.read_bytes()
    said = vitiq(tmp_path, "decode", file, "-o", tmp_path / "z.png", code=1).stderr
    assert "needs the entropy model 'static'" in said


def test_the_example_filter(installed: Path, bundled: dict[str, ImageU8], tmp_path: Path) -> None:
    write_png(tmp_path / "x.png", np.ascontiguousarray(bundled["portrait"][:128, :128]))
    program = (
        "import sys; import numpy as np; from vitiq.codecs.spec import make_codec\n"
        "from vitiq.image.io import read_image; from vitiq.types import Quality\n"
        "image = read_image(sys.argv[1]); data = make_codec('jpeg').encode(image, Quality(10))\n"
        "error = lambda c: float(np.square(make_codec(c).decode(data).astype(float) - image).mean())\n"
        "print(error('jpeg'), error('jpeg+reapply'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "x.png")],
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    plain, filtered = map(float, done.stdout.split())
    assert filtered < 0.95 * plain


def test_the_example_around_a_program(installed: Path, png: Path, tmp_path: Path) -> None:
    if shutil.which("cjxl") is None:
        pytest.skip("cjxl is not installed (Debian: libjxl-tools)")
    vitiq(installed, "encode", png, "-c", "cjxl", "-q", 50, "-o", tmp_path / "x.jxl", "--quiet")
    vitiq(installed, "decode", tmp_path / "x.jxl", "-o", tmp_path / "y.png")
    assert read_image(tmp_path / "y.png").shape == (80, 96, 3)


def test_the_example_around_a_compressai_model(installed: Path, png: Path, tmp_path: Path) -> None:
    program = "import sys, torch; from vitiq_compressai import MyModel; torch.save(MyModel().state_dict(), sys.argv[1])"
    variables = os.environ | {"PYTHONPATH": str(installed)}
    weights, file = tmp_path / "weights.pth", tmp_path / "x.viq"
    subprocess.run([sys.executable, "-c", program, str(weights)], env=variables, check=True)
    vitiq(installed, "encode", png, "-c", f'my-model[weights="{weights}"]', "-o", file)
    answer = json.loads(vitiq(installed, "info", file, "--json").stdout)
    assert (answer["codec"], answer["quality"]) == ("my-model", 1)
    said = vitiq(installed, "decode", file, "-o", tmp_path / "y.png", code=1).stderr
    assert "weights=PATH" in said
    vitiq(installed, "decode", file, "-O", f"weights={weights}", "-o", tmp_path / "z.png")
    vitiq(installed, "decode", file, "-o", tmp_path / "y.png", VITIQ_WEIGHTS_PATH=str(tmp_path))
    assert np.abs(read_image(tmp_path / "y.png").astype(int) - read_image(png)).mean() < 40


@pytest.mark.parametrize("conformance", ["outside", "installed"])
def test_the_conformance_suite_holds_for_plugins(
    conformance: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    site: Path = request.getfixturevalue(conformance)
    suite = Path(__file__).parents[1] / "conformance" / "test_registry.py"
    chosen = (
        "outside-raw or outside-mean or negative or tiny or static"
        if conformance == "outside"
        else "my-model or gmsd or reapply or vit-labelled"
    )
    if conformance == "installed" and shutil.which("cjxl"):
        chosen += " or cjxl"
    weights = tmp_path / "weights.pth"
    if conformance == "installed":
        program = "import sys, torch, vitiq_compressai as v; torch.save(v.MyModel().state_dict(), sys.argv[1])"
        torch.save(VisionTransformer(ViTConfig(32, 16, 64, 1, 1, 3)).state_dict(), tmp_path / "pets.pth")
        (tmp_path / "pets.txt").write_text("cat\ndog\nhorse\n", encoding="utf-8")
        command = [sys.executable, "-c", program, str(weights)]
        subprocess.run(command, env=os.environ | {"PYTHONPATH": str(site)}, check=True)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", str(suite), "-k", chosen]
    variables = os.environ | {"PYTHONPATH": str(site), "VITIQ_WEIGHTS_PATH": str(tmp_path)}
    variables["VITIQ_CONFORMANCE_OPTIONS"] = json.dumps(
        {"my-model": {"weights": str(weights)}, "vit-labelled": {"weights": str(tmp_path / "pets.pth")}}
    )
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
