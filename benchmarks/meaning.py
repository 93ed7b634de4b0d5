"""How often does each metric put "means something else" below "looks worse"?

    python benchmarks/meaning.py $VITIQ_DATA OUT [-m METRICS] [--weights NAME=VIT ...] [--panel VIT]

Makes a set of changed images in OUT (Kodak's odd images, one of CLIC 2025, the bundled ones, at most 512 pixels long),
scores it on all cores, and prints the share of right answers as Markdown: 50 % is guessing. Kept values lie in
OUT/values: the same command resumes. With another synthesis it makes another set, of which only the regrown images have
no values yet. --panel adds a network to vit-panel, --weights a whole second set of vit metrics.

Boxes are stated by hand; no network chose them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from forced_choice.changes import STRENGTHS, Face
from forced_choice.trial import (
    CERTAIN,
    KEY,
    KINDS,
    LOCAL,
    Item,
    Subject,
    answers,
    as_opinions,
    fitted,
    make_set,
    questions,
    read_set,
)

from vitiq.analysis.choices import Agreed
from vitiq.cli.progress import ProgressBar
from vitiq.codecs.base import Codec
from vitiq.codecs.spec import make_codec
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.opinion_values import values_of
from vitiq.image.io import read_image
from vitiq.types import Quality

LONGEST = 512
EXAMPLES = Path(__file__).parents[1] / "examples" / "images"

THINGS = {
    "kodim01": (0.28, 0.51, 0.42, 0.90),
    "kodim03": (0.10, 0.14, 0.40, 0.62),
    "kodim05": (0.02, 0.06, 0.28, 0.95),
    "kodim07": (0.43, 0.27, 0.65, 0.66),
    "kodim09": (0.50, 0.28, 0.90, 0.80),
    "kodim11": (0.42, 0.30, 0.84, 0.78),
    "kodim15": (0.48, 0.05, 0.97, 0.85),
    "kodim17": (0.46, 0.56, 0.96, 0.90),
    "kodim19": (0.48, 0.12, 0.78, 0.58),
    "kodim21": (0.40, 0.12, 0.50, 0.62),
    "kodim23": (0.51, 0.20, 0.90, 0.62),
    "validation_b51d5fb537246482ef7a7ab63f093cab": (0.30, 0.18, 0.64, 0.92),
    "animal": (0.18, 0.26, 0.92, 0.92),
    "building": (0.05, 0.05, 0.70, 0.93),
    "portrait": (0.69, 0.00, 0.90, 0.57),
}
"""Image -> box of its object: door, cap, rider, flower, sail, boat, face, ball, tower, tower, parrot, face, …"""

FACES = {
    "kodim15": Face((0.55, 0.24, 0.68, 0.37), (0.62, 0.60, 0.79, 0.72)),
    "validation_b51d5fb537246482ef7a7ab63f093cab": Face((0.37, 0.37, 0.44, 0.45), (0.42, 0.61, 0.55, 0.72)),
    "animal": Face((0.20, 0.27, 0.45, 0.50), (0.50, 0.72, 0.75, 0.92)),
    "portrait": Face((0.375, 0.17, 0.44, 0.215), (0.405, 0.255, 0.48, 0.31)),
}

BLOCK = "largest error of 16×16 pixels"
"""No metric of vitiq: says how far looking for the worst place alone leads."""

REGROWN = "Objects are regrown by `generative` at quality 0, weights (sha256)"

METRICS = (
    "psnr-rgb,ssim,ms-ssim,ssimulacra2,iw-ssim,ms-ssim-y,vif,fsim,nlpd,psnr-hvs,psnr-hvs-m,gmsd,haarpsi,ciede2000,"
    "butteraugli,vmaf,brisque,vit-regions,vit-tiles,vit-tokens,vit-tokens-locked,vit-cls,vit-topk@1,vit-topk@10,"
    "vit-topk,vit-topk-area,vit-rbo,vit-js,vit-prob,vit-panel"
)


def subjects(data: Path) -> list[Subject]:
    """The images at hand, each with what is where."""
    found = [*sorted((data / "kodak_odd").glob("*.png")), *sorted((data / "clic2025").glob("validation_b51d*.png"))]
    found += [EXAMPLES / f"{name}.png" for name in ("animal", "building", "portrait")]
    return [Subject(p.stem, fitted(read_image(p), LONGEST), THINGS.get(p.stem), FACES.get(p.stem)) for p in found]


def changed_set(data: Path, out: Path, codec: Codec) -> list[Item]:
    """The set whose objects are regrown by this codec, in a folder of its own for every synthesis."""
    identity = json.dumps(codec.identity(), sort_keys=True)
    folder = out / f"set-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
    if (folder / KEY).exists():
        return read_set(folder)
    return make_set(subjects(data), folder, lambda image: codec.decode(codec.encode(image, Quality(0))))


def block_errors(items: list[Item], side: int = 16) -> np.ndarray:
    """Largest mean squared error of a block of each image: what looks for the worst place and reads no meaning."""
    found = []
    for item in items:
        a, b = (read_image(path).astype(np.float64) for path in (item.reference, item.file))
        rows, columns = (length // side * side for length in a.shape[:2])
        error = np.square(a - b).mean(axis=2)[:rows, :columns]
        found.append(error.reshape(rows // side, side, columns // side, side).mean(axis=(1, 3)).max())
    return np.array(found)


def table(items: list[Item], values: dict[str, np.ndarray], better: dict[str, bool]) -> str:
    """A row a metric, best first: right answers in all, by kind of change, by strength."""
    whole = answers(items, values, better, CERTAIN)
    kinds = {kind: answers(items, values, better, [kind], resamples=0) for kind in KINDS}
    strengths = {s: answers(items, values, better, CERTAIN, [s], resamples=0) for s in (*STRENGTHS, LOCAL)}
    heads = [f"{kind} ({len(questions(items, [kind]))})" for kind in KINDS] + [
        f"{s} damage" for s in (*STRENGTHS, LOCAL)
    ]
    lines = [f"| metric | all but regrown ({len(questions(items, CERTAIN))}) | " + " | ".join(heads) + " |"]
    lines.append("|---|---|" + "---:|" * len(heads))
    for name in sorted(whole, key=lambda name: -np.nan_to_num(whole[name].share)):
        found = whole[name]
        low, high = (100 * end for end in found.interval)
        cells = [percent(part.get(name)) for part in (*kinds.values(), *strengths.values())]
        lines.append(f"| {name} | {100 * found.share:.0f} % [{low:.0f}, {high:.0f}] | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def percent(found: Agreed | None) -> str:
    return f"{100 * found.share:.0f} %" if found is not None and found.count else "–"


def main() -> None:
    """Make the set, score it, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("-m", "--metrics", default=METRICS)
    parser.add_argument("--weights", action="append", default=[], metavar="NAME=VIT")
    parser.add_argument("--panel", action="append", default=[], type=Path)
    parser.add_argument("-j", "--jobs", type=int)
    options = parser.parse_args()
    codec = make_codec("generative")
    items = changed_set(options.data, options.out, codec)
    first = MetricSpec(options.metrics, None, tuple(options.panel))
    vit = ",".join(m for m in options.metrics.split(",") if m.startswith("vit-") and m != "vit-panel")
    specs = {"": first}
    for text in options.weights:
        name, _, path = text.partition("=")
        specs[f" ({name})"] = replace(first, names=vit, weights=Path(path), panel=())
    values: dict[str, np.ndarray] = {}
    better: dict[str, bool] = {}
    for label, spec in specs.items():
        with ProgressBar("image", total=len(items), label=f"score{label}") as bar:
            found = values_of(
                as_opinions(items),
                spec,
                jobs=options.jobs,
                step=lambda kept, bar=bar: bar.advance(kept=kept),  # type: ignore[misc]
                keep=options.out / "values",
            )
        print(*found.problems, sep="\n", end="", file=sys.stderr)
        values |= {f"{name}{label}": column for name, column in found.values.items()}
        better |= {f"{metric.name}{label}": metric.higher_is_better for metric in spec.make()}
    values[BLOCK], better[BLOCK] = block_errors(items), False
    print(table(items, values, better))
    print(f"\n{REGROWN}: {codec.identity()['weights_sha256']}.")


if __name__ == "__main__":
    main()
