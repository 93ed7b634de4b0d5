"""What fixed positions, dropout and label smoothing change: short trainings of equal length with and without.

    python benchmarks/training_options.py DATA [DATA …] --teacher VIT -o OUT [--steps 60] [--batch 4] [--seeds 1]
        [--models vit,classifier,transgan]

DATA are folders or .tar files of images, VIT is a checkpoint of ViT-Ti/16. Each training is `vitiq train` with its
shipped configuration, but for the steps, the batch, a short warm-up and, for vit and classifier, 24 held-out images.
Printed are figures on held-out images after the last step, as means over seeds: agreement with the teacher for `vit`
(clean and degraded views) and for `classifier` (by quality level), KID for `transgan`. What is done is kept in OUT: the
same command resumes.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vitiq.training import config
from vitiq.training.engine import Inputs, train
from vitiq.training.recipes import MODELS, load_recipe

CONFIGS = Path(config.__file__).parent / "configs"

CASES: dict[str, list[dict[str, str]]] = {
    "vit": [
        {},
        {"dropout": "0.1"},
        {"label_smoothing": "0.1"},
        {"positions": '"sincos"'},
        {"positions": '"sincos"', "dropout": "0.1", "label_smoothing": "0.1"},
    ],
    "classifier": [{}, {"dropout": "0.1"}, {"label_smoothing": "0.1"}, {"dropout": "0.1", "label_smoothing": "0.1"}],
    "transgan": [{}, {"dropout": "0.1"}, {"label_smoothing": "0.1"}, {"dropout": "0.1", "label_smoothing": "0.1"}],
}

FIGURES = {
    "vit": ("top1_teacher1", "top100_teacher1", "top1_degraded_teacher1", "top100_degraded_teacher1"),
    "classifier": ("top1_q18", "top100_q5", "top100_q18", "top100_q45"),
    "transgan": ("kid_vit",),
}

SHORT = {
    "vit": {"warmup_steps": "5", "held_out": "24"},
    "classifier": {"warmup_steps": "5", "views": "100", "held_out": "24"},
    "transgan": {},
}


def configured(model: str, folder: Path, values: dict[str, str]) -> Path:
    """The shipped configuration with other values where it has them, in a file."""
    text = (CONFIGS / f"{model}.toml").read_text()
    for name, value in values.items():
        text = re.sub(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
    path = folder / "settings.toml"
    path.write_text(text)
    return path


def trained(model: str, options: argparse.Namespace, changed: dict[str, str], seed: int) -> dict[str, float]:
    """The last row of the log of one training."""
    folder = options.output / model
    folder.mkdir(parents=True, exist_ok=True)
    steps = {"steps": str(options.steps), "batch": str(options.batch), "validate_every": str(options.steps)}
    path = configured(
        model, folder, {**SHORT[model], **steps, "checkpoint_every": "1000", "seed": str(seed), **changed}
    )
    for left in ("checkpoint.pt", "log.csv"):
        (folder / left).unlink(missing_ok=True)
    teachers = [options.teacher] if "teacher" in MODELS[model].weights else []
    train(load_recipe(model), Inputs(options.data, folder, path, teachers=teachers), threads=1)
    with (folder / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: float(rows[-1][name]) for name in FIGURES[model]}


def results(model: str, options: argparse.Namespace) -> Iterator[tuple[str, dict[str, float]]]:
    """Each case and its figures."""
    path = options.output / "results.json"
    for changed in CASES[model]:
        found = []
        for seed in range(2026, 2026 + options.seeds):
            key = json.dumps([model, changed, seed, options.steps, options.batch])
            done = json.loads(path.read_text()) if path.exists() else {}
            if key not in done:
                done[key] = trained(model, options, changed, seed)
                path.write_text(json.dumps(done, indent=1))
            found.append(done[key])
        shown = ", ".join(f"{name} {value}".replace('"', "") for name, value in changed.items()) or "none"
        yield shown, {name: float(np.mean([row[name] for row in found])) for name in FIGURES[model]}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--models", default=",".join(CASES))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for model in options.models.split(","):
        names = FIGURES[model]
        print(f"\n| {model}, {options.steps} steps of {options.batch} | " + " | ".join(names) + " |")
        print("|---|" + "---:|" * len(names))
        for case, found in results(model, options):
            print(f"| {case} | " + " | ".join(f"{found[name]:.4f}" for name in names) + " |", flush=True)


if __name__ == "__main__":
    main()
