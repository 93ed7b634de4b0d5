"""The tables of docs/reference/agreement-tables.md, by one command.

    python benchmarks/agreement.py $VITIQ_DATA OUT [--resamples N] [--only aic4,tid2013,meaning]
                                   [--docs docs/reference/agreement-tables.md]

- AIC-4: the published tables in VITIQ_DATA/aic4 (github.com/jpeg-aic/JPEG-AIC-4-datasets): nine metrics, 300 images.
- TID2013: its JPEG images of the odd references in VITIQ_DATA/tid2013_jpeg_odd, scored with the embedded ViT, and with
  ViT-Ti and DeiT-Ti where VITIQ_DATA/weights has them; differences against SSIM, paired.
- Meaning: benchmarks/meaning.py.

A part that has no data here is named and left out. Values are kept in OUT: the same command resumes. --docs replaces
the parts that were made, each of which names its day and commit, and leaves the page's others as they are.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keep import today

from vitiq.evaluation.validate_text import FLATTERY

VITS = {
    "ViT-Ti": "vit_tiny_patch16_224.augreg_in21k_ft_in1k.safetensors",
    "DeiT-Ti": "deit_tiny_patch16_224.safetensors",
}
CODEC = "ssimulacra2,iw-ssim,ms-ssim-y,vif,fsim,nlpd,psnr-hvs,psnr-hvs-m,gmsd,haarpsi,ciede2000,butteraugli,vmaf"
PIXELS = f"psnr-rgb,psnr-y,ssim,ms-ssim,{CODEC},brisque"
READ = (
    "vit-tiles,vit-regions,vit-topk@300,vit-topk,vit-topk-area,vit-tokens,vit-tokens-locked,vit-cls,vit-rbo,vit-js,"
    "vit-prob"
)

Facts = dict[str, Any]
Part = tuple[str, str]
"""Heading and text."""


def run(*words: object) -> str:
    """What a command prints; its progress is shown."""
    print(f"$ {' '.join(map(str, words[1:]))}", file=sys.stderr, flush=True)
    return subprocess.run([str(word) for word in words], check=True, stdout=subprocess.PIPE, text=True).stdout


def validate(folder: Path, out: Path, options: argparse.Namespace, *words: object) -> Facts:
    """`vitiq validate` as JSON."""
    command = [sys.executable, "-m", "vitiq", "validate", folder, "--out", out, "--resamples", options.resamples]
    jobs = [] if options.jobs is None else ["--jobs", options.jobs]
    found: Facts = json.loads(run(*command, *jobs, "--json", *words))
    return found


def correlations(facts: Facts) -> dict[str, Facts]:
    """Each metric's agreement on all images, best first."""
    whole = [line for line in facts["agreement"] if line["of"] == "all"]
    return {line["metric"]: line for line in sorted(whole, key=lambda line: -line["srcc"])}


def less(facts: Facts, metric: str, against: str) -> str:
    """The paired difference of SRCC, bold where it is shown; empty for the metric itself."""
    for d in facts["differences"]:
        if d["measure"] != "srcc" or {d["first"], d["second"]} != {metric, against}:
            continue
        sign = 1 if d["first"] == metric else -1
        low, high = sorted((sign * d["low"], sign * d["high"]))
        text = f"{sign * d['value']:+.3f} [{low:+.3f}, {high:+.3f}]"
        return f"**{text}**" if low > 0 or high < 0 else text
    return ""


def interval(line: Facts, measure: str) -> str:
    low, high = line["intervals_95"][measure]
    return f"{line[measure]:.3f} [{low:.3f}, {high:.3f}]"


def short(name: str) -> str:
    return name.removeprefix("published:")


def aic4(options: argparse.Namespace) -> Part:
    """Agreement, its differences from the best metric's, parts, learned codecs, maps to JND."""
    facts = validate(options.data / "aic4", options.out / "aic4", options, "--quiet")
    found = correlations(facts)
    best = next(iter(found))
    parts = [line for line in facts["agreement"] if line["of"] != "all"]
    names = list(dict.fromkeys(line["distortion"] for line in parts))
    value = {(line["metric"], line["distortion"]): line["srcc"] for line in parts}
    lines = [f"| metric | SRCC | less {short(best)}, paired | KRCC | {' | '.join(names)} |"]
    lines.append("|---|---|---|---:|" + "---:|" * len(names))
    for name, line in found.items():
        cells = " | ".join(f"{value[name, part]:.3f}" for part in names)
        lines.append(
            f"| {short(name)} | {interval(line, 'srcc')} | {less(facts, name, best)} | {line['krcc']:.3f} | {cells} |"
        )
    lines += ["", *FLATTERY, ""]
    lines += ["| metric | pairs | flattered | slighted | flattered less slighted |", "|---|---:|---:|---:|---|"]
    for f in sorted(facts["learned_codecs"], key=lambda f: -f["bias"]):
        low, high = f["interval"]
        shares = f"{100 * f['flattered']:.1f} % | {100 * f['slighted']:.1f} %"
        lines.append(f"| {short(f['metric'])} | {f['pairs']} | {shares} | {f['bias']:.3f} [{low:.3f}, {high:.3f}] |")
    lines += ["", "| metric | root mean square error of the published map, JND |", "|---|---:|"]
    lines += [f"| {short(e['metric'])} | {e['rmse']:.2f} |" for e in sorted(facts["jnd"], key=lambda e: e["rmse"])]
    return "JPEG AIC-4: 300 images, 5 references, 6 codecs, JND", "\n".join(lines)


def tid2013(options: argparse.Namespace) -> Part:
    """Agreement and its differences from SSIM's, with every network."""
    folder = options.data / "tid2013_jpeg_odd"
    facts = {"embedded ViT": validate(folder, options.out / "tid2013", options, "-m", f"{PIXELS},{READ}")}
    for name, path in vits(options.data).items():
        words = ("-m", f"ssim,{READ}", "--weights", path)
        facts[name] = validate(folder, options.out / f"tid2013-{name}", options, *words)
    first, *rest = facts
    found = correlations(facts[first])
    heads = " | ".join(f"{name} | less SSIM" for name in rest)
    lines = [
        f"| metric | SRCC, {first} | less SSIM, paired | PLCC | {heads} |",
        "|---|---|---|---|" + "---|" * 2 * len(rest),
    ]
    for metric, line in found.items():
        cells = [interval(line, "srcc"), less(facts[first], metric, "ssim"), interval(line, "plcc")]
        for name in rest:
            other = correlations(facts[name]).get(metric)
            known = other is not None and metric != "ssim"
            cells += [f"{other['srcc']:.3f}", less(facts[name], metric, "ssim")] if known and other else ["", ""]
        lines.append(f"| `{metric}` | " + " | ".join(cells) + " |")
    return "TID2013: its JPEG images of twelve references", "\n".join(lines)


def vits(data: Path) -> dict[str, Path]:
    """Further networks whose weights are here; those that are not are named."""
    found = {name: data / "weights" / file for name, file in VITS.items()}
    for name, path in found.items():
        if not path.exists():
            print(f"left out: {name}, no {path}", file=sys.stderr)
    return {name: path for name, path in found.items() if path.exists()}


def meaning(options: argparse.Namespace) -> Part:
    """The table of `meaning.py`."""
    found = vits(options.data)
    panel = [word for path in found.values() for word in ("--panel", path)]
    weights = [word for name, path in found.items() for word in ("--weights", f"{name}={path}")]
    jobs = [] if options.jobs is None else ["--jobs", options.jobs]
    program = Path(__file__).with_name("meaning.py")
    text = run(sys.executable, program, options.data, options.out / "meaning", *panel, *weights, *jobs)
    return "What an image shows, and how it looks", text


PARTS = {"aic4": (aic4, "aic4"), "tid2013": (tid2013, "tid2013_jpeg_odd"), "meaning": (meaning, "kodak_odd")}


HEAD = """# Agreement with people: the tables

Written by `python benchmarks/agreement.py $VITIQ_DATA OUT --docs docs/reference/agreement-tables.md`; what follows from
them is in [which metric for which question](agreement.md). Intervals are 95 %, from resampled references; differences
are paired, bold where the interval does not hold 0.
"""


def renewed(page: str, made: Sequence[str]) -> str:
    """A page's parts, those with these headings replaced by these, further ones after them."""
    parts = {part.partition("\n")[0]: part for part in re.split(r"\n(?=## )", page)[1:]}
    parts |= {part.partition("\n")[0]: part for part in made}
    return "\n".join([HEAD, *(f"{part.strip()}\n" for part in parts.values())])


def main() -> None:
    """Print every table whose data is here, or write them into a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--docs", type=Path, help="Write this page instead of printing.")
    parser.add_argument("-j", "--jobs", type=int)
    options = parser.parse_args()
    made = []
    for name in options.only.split(","):
        part, needs = PARTS[name]
        if (options.data / needs).is_dir():
            heading, text = part(options)
            made.append(f"## {heading}\n\nMade {today()}.\n\n{text.strip()}\n")
        else:
            print(f"left out: {name}, whose data ({needs}) is not here", file=sys.stderr)
    if options.docs:
        before = options.docs.read_text("utf-8") if options.docs.exists() else HEAD
        options.docs.write_text(renewed(before, made), encoding="utf-8")
    else:
        print(HEAD, *made, sep="\n")


if __name__ == "__main__":
    main()
