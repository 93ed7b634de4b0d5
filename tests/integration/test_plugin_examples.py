"""The example packages in every command. Truth: what CONTRIBUTING and examples/plugins/README.md promise of plug-ins.

The packages are installed into an empty folder; one further process runs all commands, as click's own runner does.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitiq.image.io import write_png
from vitiq.types import ImageU8

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "plugins"
PACKAGES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())
WEIGHTS = """
import torch, vitiq_compressai
from vitiq.models.vit import VisionTransformer, ViTConfig
torch.manual_seed(0)
torch.save(vitiq_compressai.MyModel().state_dict(), "weights.pth")
config = ViTConfig(image_size=32, patch=16, width=64, depth=1, heads=1, classes=3)
torch.save(VisionTransformer(config).state_dict(), "pets.pth")
"""
RUNNER = """
import json, sys
from click.testing import CliRunner
from vitiq.cli.main import answer, cli
for line in sys.stdin:
    done = CliRunner().invoke(cli, json.loads(line), prog_name="vitiq")
    unexpected = done.exception is not None and not isinstance(done.exception, SystemExit)
    said = answer(done.exception)[0] if unexpected else ""
    print(json.dumps([done.exit_code, done.stdout, done.stderr + said]), flush=True)
"""


class Site:
    """The packages, installed into a folder, and one process that runs commands with them in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        sources = [shutil.copytree(EXAMPLES / name, folder / "src" / name) for name in PACKAGES]
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
        subprocess.run([*command, "--target", str(folder / "site"), *map(str, sources)], check=True)
        self.variables = os.environ | {"PYTHONPATH": str(folder / "site")}
        self.python(WEIGHTS)
        (folder / "pets.txt").write_text("cat\ndog\nhorse\n", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUNNER], cwd=folder, env=self.variables, stdin=-1, stdout=-1, text=True
        )

    def python(self, program: str) -> str:
        """What a program prints."""
        command = [sys.executable, "-c", program]
        return subprocess.run(command, cwd=self.folder, env=self.variables, check=True, stdout=-1, text=True).stdout

    def __call__(self, *words: object, code: int = 0) -> str:
        """Standard output of a command, or what it says where it fails."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([str(word) for word in words]) + "\n")
        self.process.stdin.flush()
        found, out, err = json.loads(self.process.stdout.readline())
        assert found == code, (words, out, err)
        return str(err if code else out)

    def json(self, *words: object) -> Any:
        """Its JSON."""
        return json.loads(self(*words, "--json"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, small: ImageU8) -> Any:
    """The packages, two images and a folder of them."""
    if shutil.which("cjxl") is None:
        pytest.skip("cjxl is not installed (Debian: libjxl-tools)")
    made = Site(tmp_path_factory.mktemp("plugins"))
    (made.folder / "images").mkdir()
    for name, image in {"a": small, "b": np.ascontiguousarray(small[:, ::-1])}.items():
        write_png(made.folder / "images" / f"{name}.png", image)
    yield made
    made.process.communicate()


CODECS = {
    "cjxl": ("cjxl", ".jxl"),
    "my-model": ("my-model[weights=weights.pth]", ".viq"),
    "jpeg": ("jpeg+reapply", ".jpg"),
}


def test_they_are_listed_with_what_they_state(site: Site) -> None:
    listed = {entry["name"] for entry in site.json("codecs", "list")}
    assert {"cjxl", "my-model"} <= listed
    assert "state dict" in site("codecs", "info", "my-model")
    assert "gmsd-plugin" in site("metrics", "list")
    assert site.json("codecs", "info", "jpeg+reapply")["name"] == "jpeg+reapply"
    assert "subsampling" in site("codecs", "info", "jpeg+reapply")


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_in_the_commands_for_files(name: str, site: Site) -> None:
    text, suffix = CODECS[name]
    file = Path(f"one-{name}{suffix}")
    encoded = site.json("encode", "images/a.png", "-c", text, "-o", file)
    assert encoded["bytes"] == (site.folder / file).stat().st_size
    facts = site.json("info", file)
    # A program's file may be of a format that vitiq reads itself.
    assert facts["codec"] in {name, "jxl"}
    assert (facts["width"], facts["height"], facts["bytes"]) == (96, 80, encoded["bytes"])
    options = ("-O", "weights=weights.pth") if name == "my-model" else ()
    site("decode", file, "-o", f"{name}.png", *options)
    scores = site.json("score", "images/a.png", f"{name}.png", "-m", "gmsd-plugin,psnr-rgb")["pairs"][0]["scores"]
    assert 0 < scores["gmsd-plugin"]["value"] < 0.4
    assert scores["psnr-rgb"]["value"] > 14
    if name != "my-model":  # whose weights `score` would find in VITIQ_WEIGHTS_PATH
        assert site.json("score", "images/a.png", file, "-m", "mse")["pairs"][0]["scores"]["mse"]["value"] > 0
    fitted = site.json("encode", "images/a.png", "-c", text, "--bytes", 4000, "-o", f"fit-{name}{suffix}")
    assert fitted["bytes"] <= 4000
    assert site.json("encode", "images/a.png", "-c", text, "--bpp", 9, "-o", f"bpp-{name}{suffix}")["bpp"] <= 9
    site("encode", "images", "-c", text, "-o", f"folder-{name}", "--jobs", 1)
    assert len([*(site.folder / f"folder-{name}").glob("[!.]*")]) == 2
    site("decode", f"folder-{name}", "-o", f"back-{name}", "--jobs", 1, *options)
    assert len([*(site.folder / f"back-{name}").glob("[!.]*")]) == 2


def test_codecs_metric_and_backbone_in_studies_and_reports(site: Site) -> None:
    texts = ("jpeg@20,50,80", "jpeg+reapply@20,50,80", "cjxl@30,60", CODECS["my-model"][0])
    chosen = [word for text in texts for word in ("-c", text)]
    scoring = ("-m", "gmsd-plugin,psnr-rgb,vit-topk@1", "--weights", "vit-labelled:pets.pth", "--executor", "inline")
    site("bench", "images", *chosen, *scoring, "-o", "study", "--quiet")
    rows = site("rd", "study").splitlines()
    for label in ("cjxl", "My model", "re-applied"):
        assert any(label in row for row in rows), label
    assert "gmsd-plugin" in rows[0]
    assert "re-applied" in site("bd", "study", "--anchor", "jpeg", "--metric", "psnr-rgb", "-c", "jpeg+reapply")
    assert "My model" in site("bench", "show", "study")
    site("run", "images/a.png", "-c", "cjxl", "-q", 50, "--comparators", "jpeg+reapply,jpeg", *scoring, "-o", "out")
    page = (site.folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "re-applied" in page
    assert "GMSD" in page
    site("report", "out")


def test_the_metric_and_the_backbone_where_scores_are_made(site: Site) -> None:
    (site.folder / "mos.csv").write_text("distorted,reference,mos\n", encoding="utf-8")
    found = site.json("score", "images", "images", "-m", "gmsd-plugin,vit-topk@1", "--weights", "vit-labelled:pets.pth")
    assert found["summary"]["gmsd-plugin"]["mean"] == 0
    assert "vit-labelled:pets" in found["pairs"][0]["scores"]["vit-topk@1"]["signature"]
    assert "give one each" in site.python(
        "import vitiq, shutil\nshutil.copy('pets.pth', 'other.pth')\nopen('other.txt', 'w').write('cat')\n"
        "try:\n    vitiq.backbone('vit-labelled:other.pth')\nexcept vitiq.WeightsError as error:\n    print(error)\n"
    )
    assert (
        site.python(
            "import vitiq\nprint(vitiq.backbone('vit-labelled:pets.pth').labels, 'gmsd-plugin' in vitiq.list_metrics())"
        )
        == "('cat', 'dog', 'horse') True\n"
    )
    said = site("score", "images", "images", "--weights", "vit-labelled:none.pth", code=1)
    assert "none.pth" in said
    assert len(said.strip().splitlines()) == 1


def test_opinions_are_compared_with_the_metric(site: Site) -> None:
    folder = site.folder / "opinions"
    folder.mkdir()
    lines = ["distorted,reference,mos"]
    for quality in (5, 15, 30, 60, 90):
        site("encode", "images/a.png", "-c", "jpeg", "-q", quality, "-o", f"opinions/{quality}.jpg")
        lines.append(f"{quality}.jpg,../images/a.png,{quality}")
    (folder / "mos.csv").write_text("\n".join(lines), encoding="utf-8")
    agreement = site.json("validate", "opinions", "-m", "gmsd-plugin", "--resamples", 40, "--jobs", 1)["agreement"]
    assert agreement[0]["srcc"] == pytest.approx(1)


def test_the_page_states_the_packages_and_their_lines() -> None:
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    stated = {name: int(lines) for name, lines in re.findall(r"^\| `([\w-]+)` \| (\d+) \|", page, re.MULTILINE)}
    modules = {name: EXAMPLES / name / f"{name.replace('-', '_')}.py" for name in PACKAGES}
    counted = {
        name: sum(bool(line.strip()) for line in path.read_text(encoding="utf-8").splitlines())
        for name, path in modules.items()
    }
    assert stated == counted
