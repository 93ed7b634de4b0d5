"""`vitiq score`."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vitiq.cli.common import print_json

if TYPE_CHECKING:
    from vitiq.models.backbones import Backbone


def pair_up(reference: Path, distorted: Path) -> tuple[list[tuple[Path, Path]], list[str]]:
    """Pairs of files of two folders by relative stem (or the two files), and what has no partner."""
    from vitiq.errors import InputError  # noqa: PLC0415
    from vitiq.image.io import find_images  # noqa: PLC0415

    if reference.is_dir() != distorted.is_dir():
        raise InputError(f"{reference} and {distorted}: one is a folder, one is not; give two files or two folders")
    if not reference.is_dir():
        return [(reference, distorted)], []
    sides: list[dict[str, Path]] = []
    problems: list[str] = []
    for folder in (reference, distorted):
        found = find_images([folder])
        problems += found.problems
        sides.append({Path(p.name).with_suffix("").as_posix(): p.path for p in found.images})
    left, right = sides
    problems += [f"{left[stem]}: no picture of that name in {distorted}" for stem in left if stem not in right]
    problems += [f"{right[stem]}: no picture of that name in {reference}" for stem in right if stem not in left]
    return [(left[stem], right[stem]) for stem in left if stem in right], problems


@click.command("score")
@click.argument("reference", type=click.Path(path_type=Path))
@click.argument("distorted", type=click.Path(path_type=Path))
@click.option("-m", "--metrics", default="default", show_default=True, help="'default', 'all' or names with commas.")
@click.option(
    "--weights", type=click.Path(path_type=Path), help="Checkpoint of the ViT that judges; embedded if not given."
)
@click.option(
    "--map", "maps", type=click.Path(path_type=Path), help="Draw where meaning was lost: a .png, or a folder."
)
@click.option("--json", "as_json", is_flag=True, help="As JSON on stdout.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def command(  # noqa: PLR0917
    reference: Path,
    distorted: Path,
    metrics: str,
    weights: Path | None,
    maps: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Score DISTORTED against REFERENCE: two pictures, or two folders paired by relative stem."""
    from tqdm import tqdm  # noqa: PLC0415

    from vitiq.errors import InputError  # noqa: PLC0415
    from vitiq.image.io import read_image  # noqa: PLC0415
    from vitiq.metrics.base import SetMetric  # noqa: PLC0415
    from vitiq.metrics.scoring import resolve_metrics, score_pair, score_sets, to_json  # noqa: PLC0415

    backbone = None
    if weights is not None:
        from vitiq.models.backbones import load_backbone  # noqa: PLC0415

        backbone = load_backbone(weights=weights)
    chosen = resolve_metrics(metrics, backbone)
    pairs, problems = pair_up(reference, distorted)
    results: list[dict[str, Any]] = []
    for left, right in tqdm(pairs, disable=quiet or len(pairs) < 2, file=sys.stderr, unit="pair"):
        try:
            scores = score_pair(read_image(left), read_image(right), chosen)
            if maps is not None:
                stem = left.relative_to(reference).with_suffix(".png") if reference.is_dir() else None
                draw_map(left, right, maps if stem is None else maps / stem, backbone)
        except InputError as error:
            problems.append(f"{right}: {error}" if str(right) not in str(error) else str(error))
            continue
        facts = {key: to_json(score) for key, score in scores.items()}
        results.append({"reference": str(left), "distorted": str(right), "scores": facts})
    answer: dict[str, Any] = {"pairs": results}
    if reference.is_dir() and results and any(isinstance(metric, SetMetric) for metric in chosen):
        both = [[read_image(Path(pair[side])) for pair in results] for side in ("reference", "distorted")]
        answer["sets"] = {key: to_json(score) for key, score in score_sets(both[0], both[1], chosen).items()}
    if problems:
        answer["problems"] = problems
    if as_json:
        print_json(answer)
    else:
        show(answer)
    for problem in problems:
        click.echo(f"vitiq: {problem}", err=True)
    if problems:
        sys.exit(1)


def draw_map(left: Path, right: Path, target: Path, backbone: Backbone | None) -> None:
    """Write the picture of where `right` lost what `left` shows (`vitiq.metrics.vit_map`)."""
    import io  # noqa: PLC0415

    from vitiq.image.io import read_image, write_bytes  # noqa: PLC0415
    from vitiq.metrics.vit_map import meaning_map  # noqa: PLC0415
    from vitiq.report.maps import over_picture  # noqa: PLC0415

    original, rebuilt = read_image(left), read_image(right)
    found = meaning_map(original, rebuilt, backbone)
    buffer = io.BytesIO()
    over_picture(original, rebuilt, found.loss, found.attention, right.name).savefig(buffer, format="png")
    write_bytes(target if target.suffix == ".png" else target / f"{left.stem}.png", buffer.getvalue())


def show(answer: dict[str, Any]) -> None:
    """A table a pair for people."""
    for pair in answer["pairs"]:
        click.echo(f"{pair['reference']}  {pair['distorted']}")
        lines(pair["scores"])
    if len(answer["pairs"]) > 1:
        click.echo(f"mean of {len(answer['pairs'])} pairs")
        keys = answer["pairs"][0]["scores"]
        for key in keys:
            values = [p["scores"][key]["value"] for p in answer["pairs"] if key in p["scores"]]
            numbers = [float(v) for v in values if v is not None]
            finite = [v for v in numbers if math.isfinite(v)]
            if finite:
                mean = sum(finite) / len(finite)
                deviation = math.sqrt(sum((v - mean) ** 2 for v in finite) / max(1, len(finite) - 1))
                click.echo(f"  {key:16}{mean:12.4f} ± {deviation:.4f} (n = {len(finite)})")
    if "sets" in answer:
        click.echo("sets")
        lines(answer["sets"])


def lines(scores: dict[str, Any]) -> None:
    """One line a metric; a ViT-Score with its chance level and p-value."""
    for key, score in scores.items():
        value = score["value"]
        shown = f"{float(value):12.4f}" if value is not None else f"{'–':>12}  {score.get('undefined', '')}"
        extra = ""
        if "chance_deviation" in score:
            extra = f"  chance {score['chance']:.2f}, corrected {score['adjusted']:.2f}, p {score['p_value']:.2g}"
        if "original" in score and score["original"] is not None:
            extra = f"  original {float(score['original']):.2f}"
        click.echo(f"  {key:16}{shown}{extra}")
