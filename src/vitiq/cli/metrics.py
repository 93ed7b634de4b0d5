"""`vitiq metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vitiq.cli import options as common
from vitiq.cli.common import print_json

if TYPE_CHECKING:
    from vitiq.metrics.base import Metric

ASKS = {
    "full-reference": "a pair",
    "no-reference": "one image",
    "distribution": "two sets",
    "semantic": "a pair",
}
"""What metrics of each kind compare."""


@click.group("metrics")
def command() -> None:
    """List the available metrics, built-in and from plug-ins."""


@command.command("list")
@common.as_json
def list_(as_json: bool) -> None:
    """List metrics by the question they answer: direction, range, what they compare, and whether they can run here."""
    from vitiq import registry  # noqa: PLC0415 - slow to import, as the following
    from vitiq.errors import VitiqError  # noqa: PLC0415
    from vitiq.metrics.questions import question_of  # noqa: PLC0415
    from vitiq.metrics.scoring import metadata  # noqa: PLC0415

    entries: list[dict[str, Any]] = []
    for name in registry.names("metrics"):
        try:
            metric = registry.load("metrics", name)
            question = question_of(metric)
            asks = ASKS["distribution"] if question == "sets" else ASKS.get(metric.kind, metric.kind)
            entries.append({**metadata(metric), "asks": asks, "question": question, "missing": missing(metric)})
        except VitiqError as error:
            click.echo(f"vitiq: {error}", err=True)
    if as_json:
        print_json(entries)
        return
    show(entries)


def show(entries: list[dict[str, Any]]) -> None:
    """A line a metric under its question; ↑ where higher is better, ↓ where lower is."""
    from vitiq.metrics.questions import QUESTIONS  # noqa: PLC0415

    head = ("  name", "range", "compares", "available", "title")
    rows = {
        entry["name"]: (
            f"{'↑' if entry['higher_is_better'] else '↓'} {entry['name']}",
            span(entry),
            entry["asks"],
            "no" if entry["missing"] else "yes",
            entry["title"],
        )
        for entry in entries
    }
    widths = [max(len(row[i]) for row in (head, *rows.values())) + 2 for i in range(4)]

    def line(row: tuple[str, ...]) -> str:
        return "".join(f"{cell:{wide}}" for cell, wide in zip(row[:4], widths, strict=True)) + row[4]

    click.echo(line(head) + "   (↑ higher is better, ↓ lower is)")
    for question, title in QUESTIONS.items():
        own = [entry["name"] for entry in entries if entry["question"] == question]
        if own:
            click.echo(f"\n{title}")
            for name in own:
                click.echo(line(rows[name]))
    if any(entry["missing"] for entry in entries):
        click.echo("")
    for reason in dict.fromkeys(entry["missing"] for entry in entries if entry["missing"]):
        click.echo(f"unavailable: {', '.join(e['name'] for e in entries if e['missing'] == reason)}: {reason}")


def span(entry: dict[str, Any]) -> str:
    """Range with its unit, as people write it."""
    low, high = (f"{float(end):g}".replace("inf", "∞") for end in entry["range"])
    return f"{low} … {high}" + (f" {entry['unit']}" if entry["unit"] else "")


def missing(metric: type[Metric]) -> str | None:
    """Why a metric cannot be used here (weights not fetched, a package or program not installed); None where it can."""
    from vitiq.errors import VitiqError  # noqa: PLC0415 - slow to import
    from vitiq.weights.store import model_info  # noqa: PLC0415

    absent = [name for name in getattr(metric, "models", ()) if not model_info(name).path.exists()]
    if absent:
        return f"run `vitiq models fetch {absent[0]}`"
    try:
        made = metric()
        made.signature()
        made.require()
    except VitiqError as error:
        return str(error)
    return None
