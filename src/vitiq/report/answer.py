"""The first screen in words: what was compared, what won and at what price, and what the study does not show. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from vitiq.evaluation.independence import MARK, RELATIVE
from vitiq.evaluation.record import Record
from vitiq.report.comparisons import LITTLE_OVERLAP, BdCell, anchor_of, bd_table, headline_columns
from vitiq.report.details import shared_labels
from vitiq.report.left_out import left_out_notes
from vitiq.report.metric_info import number_text
from vitiq.report.model import FEW, Column, Curve, Model, Row, ranked
from vitiq.report.published import published_limits
from vitiq.text import listed

NATURAL = 5.0
"""A no-reference score may be worse than the original's by so much and the image still looks natural."""
LOST = 0.5
"""A chance-corrected semantic score below this has lost more than it kept."""


NEARLY = 1.05
"""Size, over that asked for, up to which a file that is too large is still worth a word."""

NEAREST = "Each file is the closest in size of those that were tried; it may be larger."
"""What a table at equal bytes says of its files."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The first screen's words.

    Attributes:
        headline: what won.
        remarks: what it costs, how sure it is and what speaks against it, each a word or two and a sentence.
        compared: what was compared, on what.
        limits: what the study does not show, a sentence each.
        anchor: curve that BD-rates are taken against; None in a comparison at equal bytes.
        bd: curve -> BD-rate in the headline's metric.
        column: metric of the headline.
    """

    headline: str
    remarks: list[tuple[str, str]]
    compared: str
    limits: list[str]
    column: Column | None
    anchor: int | None = None
    bd: dict[int, BdCell] = field(default_factory=dict)

    @property
    def price(self) -> str:
        """The remarks as one paragraph."""
        return " ".join(f"{name}: {text}" for name, text in self.remarks)


def answer(model: Model) -> Answer:
    """Words for a study at equal bytes or, where every codec has several qualities, of curves."""
    if not model.records:
        return Answer("Nothing to compare yet", [("So far", "No file has been made.")], "", [], None)
    column = model.primary
    if model.levels and column:
        return _at_equal_bytes(model, first_level(model), column)
    for chosen in headline_columns(model):
        anchor = anchor_of(model, chosen)
        if anchor is None:
            continue
        table = bd_table(model, chosen, anchor)
        if any(math.isfinite(cell.percent) for curve, cell in table.items() if curve in model.own):
            return _of_curves(model, chosen, anchor, table)
    if len(model.own) == 1:
        return _alone(model, column)
    return Answer(
        f"{_count(len(model.records), 'file')} of {_count(len(model.own), 'codec')}",
        [("Why", "No two codecs share a size or a range of qualities, so none is ahead of another here.")],
        compared_text(model),
        limits(model),
        column,
    )


def _alone(model: Model, column: Column | None) -> Answer:
    """One codec: what it reaches, and that nothing is said of any other."""
    curve, rows = model.curves[0], [point.row for point in model.points]
    rates = [row.bpp for row in rows]
    values = [row.means[column.info.key].value for row in rows if column]
    reaches = [value for value in values if math.isfinite(value)]
    head = f"{curve.label} alone, at {_range(rates, '.2f')} bits per pixel"
    if column and reaches:
        ends = list(dict.fromkeys(column.text(value) for value in (min(reaches), max(reaches))))
        head += f": {column.info.short} {' to '.join(ends)} {column.info.unit}".rstrip()
    weights = f", and {size_text(curve.shared_bytes)} of weights in every decoder" if curve.shared_bytes else ""
    remarks = [
        ("Cost", f"{seconds_text(rows[0].encode_seconds)} to encode an image{weights}."),
        ("Against what", "There is no other codec here to compare it with."),
    ]
    return Answer(head, remarks, compared_text(model), limits(model), column)


def _range(values: Sequence[float], form: str) -> str:
    return " to ".join(dict.fromkeys(format(value, form) for value in (min(values), max(values))))


def first_level(model: Model) -> list[Row]:
    """The rows of the first screen: the middle level of bytes."""
    return model.levels[len(model.levels) // 2]


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def compared_text(model: Model) -> str:
    """What was compared, on what."""
    widths = {(width, height) for _, width, height, _ in model.images}
    size = "×".join(map(str, widths.pop())) + " pixels" if len(widths) == 1 else f"{len(widths)} sizes"
    return (
        f"{_count(len(model.images), 'image')} ({size}), {_count(len(model.own), 'codec')}, "
        f"{_count(len(model.records), 'file')}. Rate is the bytes of the whole file."
        + "".join(f" {line}" for line in model.unfinished[:1])
    )


def _at_equal_bytes(model: Model, rows: Sequence[Row], column: Column) -> Answer:
    order = ranked(rows, column)
    fair = [row for row in order if row.reached and math.isfinite(row.means[column.info.key].value)]
    size = number_text(_size(rows), 0)
    if not fair:
        head = f"No codec could write files of {size} bytes for every image"
        return Answer(head, [], compared_text(model), limits(model), column)
    top = fair[0]
    key, name = column.info.key, column.info.short
    shown = column.text(top.means[key].value)
    level = [row for row in fair if column.text(row.means[key].value) == shown]
    names = listed([model.curves[row.curve].label for row in level])
    does = (
        ("keeps" if len(level) == 1 else "keep")
        if column.info.kind == "semantic"
        else ("is" if len(level) == 1 else "are")
    )
    what = "the most meaning" if column.info.kind == "semantic" else "ahead"
    unit = f" {column.info.unit}" if column.info.unit else ""
    against = (
        f", the next best of that size {column.text(fair[len(level)].means[key].value)}"
        if len(fair) > len(level)
        else ""
    )
    headline = f"At about {size} bytes per image, {names} {does} {what}: {name} {shown}{unit}{against}"
    if len(fair) == 1:
        headline = f"Only {names} can write every file in about {size} bytes per image: {name} {shown}{unit}"
    return Answer(headline, _remarks(model, rows, top, column), compared_text(model), limits(model), column)


def _size(rows: Sequence[Row]) -> float:
    asked = [row.asked for row in rows if math.isfinite(row.asked)]
    return asked[0] if asked else rows[0].bytes


def _remarks(model: Model, rows: Sequence[Row], top: Row, column: Column) -> list[tuple[str, str]]:
    curve = model.curves[top.curve]
    timed = [row for row in rows if row.reached and math.isfinite(row.encode_seconds)]
    fastest = min(timed, key=lambda row: row.encode_seconds, default=top)
    cost = f"{seconds_text(top.encode_seconds)} to encode an image"
    if top.encode_seconds > 3 * fastest.encode_seconds:
        cost += f", where {model.curves[fastest.curve].label} takes {seconds_text(fastest.encode_seconds)}"
    if curve.shared_bytes:
        cost += f", and {size_text(curve.shared_bytes)} of weights that every decoder needs"
    remarks = [("Cost", cost + ".")]
    if column.info.key in curve.dependent:
        remarks.append(("Caution", _not_independent(model, rows, curve, column)))
    pixel = model.pixel_metric
    if pixel and pixel is not column:
        leader = next(iter(ranked([row for row in rows if row.reached], pixel)))
        value = f"{pixel.text(leader.means[pixel.info.key].value)} {pixel.info.unit}".strip()
        also = " too" if leader.curve == top.curve else ""
        remarks.append(
            ("In pixels", f"Ahead is {model.curves[leader.curve].label}{also}, with {pixel.info.short} {value}.")
        )
    if close := _nearly_as_small(model, rows, top, column):
        remarks.append(("Close", close))
    return remarks


def _nearly_as_small(model: Model, rows: Sequence[Row], top: Row, column: Column) -> str:
    """Codecs ahead of the winner whose files are a little too large to be compared with it; "" for none."""
    key, direction = column.info.key, column.info.direction
    found = []
    for row in ranked(rows, column):
        ahead = direction * row.means[key].value > direction * top.means[key].value  # False where there is no value
        if not row.reached and row.bytes <= NEARLY * _size(rows) and ahead:
            found.append(
                f"{model.curves[row.curve].label} reaches {column.text(row.means[key].value)} in "
                f"{seconds_text(row.encode_seconds)}, but its files are {excess_text(row.excess)} larger than requested"
            )
    return "; ".join(found) + "." if found else ""


def _not_independent(model: Model, rows: Sequence[Row], curve: Curve, column: Column) -> str:
    key = column.info.key
    whose = "a relative of the network" if curve.dependent[key].startswith(RELATIVE) else "the network"
    text = f"That score is not independent ({MARK}): {curve.label} was optimised against {whose} that gives it."
    others = [row for row in ranked(rows, column) if row.reached and key not in model.curves[row.curve].dependent]
    if others:
        value = column.text(others[0].means[key].value)
        text += " Best of those that were not: "
        text += f"{model.curves[others[0].curve].label} ({value})."
    return text


def _of_curves(model: Model, column: Column, anchor: int, table: dict[int, BdCell]) -> Answer:
    finite = [c for c in table if c in model.own and math.isfinite(table[c].percent)]
    known = sorted(finite, key=lambda c: table[c].percent)
    top, cell = known[0], table[known[0]]
    name = model.curves[anchor].label
    change = "fewer" if cell.percent < 0 else "more"
    headline = (
        f"For the same {column.info.short}, {model.curves[top].label} needs "
        f"{abs(cell.percent):.0f} % {change} bits than {name}"
    )
    remarks = [("Cost", _curve_price(model, top, anchor)), ("How sure", _both_means(cell))]
    caution = []
    if cell.overlap < LITTLE_OVERLAP:
        caution.append(
            f"The curves share only {share_text(cell.overlap)} of their qualities; beyond these nothing is known."
        )
    if column.info.key in model.curves[top].dependent:
        caution.append(
            f"The score is not independent ({MARK}): it comes from a network the codec was optimised against."
        )
    if caution:
        remarks.append(("Caution", " ".join(caution)))
    if len(known) > 1:
        remarks.append(("Next", f"{model.curves[known[1]].label}, with {_percent(table[known[1]].percent)}."))
    return Answer(headline, remarks, compared_text(model), limits(model), column, anchor, table)


def _both_means(cell: BdCell) -> str:
    """How sure the headline's number is: its interval, and the other mean in use."""
    if cell.note:
        spread = f" (95 % interval {_percent(cell.low)} to {_percent(cell.high)})" if math.isfinite(cell.low) else ""
        return f"Mean curve over the images here{spread}; {cell.note}."
    if cell.count == 1:
        return "It is one image."
    text = f"Mean curve over {_count(cell.count, 'image')}"
    if math.isfinite(cell.low):
        text += f" (95 % interval {_percent(cell.low)} to {_percent(cell.high)})"
    if math.isfinite(cell.mean):
        of = f" over the {cell.mean_count} that have one" if cell.mean_count < cell.count else ""
        text += f"; the mean of each image's own change is {_percent(cell.mean)}{of}"
    return text + "."


def _curve_price(model: Model, top: int, anchor: int) -> str:
    text = f"{seconds_text(typical_seconds(model, top))} to encode an image"
    if anchor in model.own:
        text += f" ({model.curves[anchor].label}: {seconds_text(typical_seconds(model, anchor))})"
    shared = model.curves[top].shared_bytes
    return text + (f", and {size_text(shared)} of weights in every decoder." if shared else ".")


def typical_seconds(model: Model, curve: int) -> float:
    """Seconds to encode an image, the median over a codec's settings; NaN of a published curve."""
    seconds = sorted(point.row.encode_seconds for point in model.points if point.curve == curve)
    return seconds[len(seconds) // 2] if seconds else math.nan


def share_text(value: float) -> str:
    """A share for people, in per cent."""
    return f"{value * 100:.0f} %"


def excess_text(value: float) -> str:
    """How much larger than requested, in per cent; never 0, as it is larger."""
    percent = value * 100
    return f"{percent:.0f} %" if percent >= 1 else f"{max(percent, 0.01):.1g} %"


def _percent(value: float) -> str:
    return f"{value:+.0f} %".replace("-", "−")


def percent_text(value: float) -> str:
    """A change in per cent with its sign; a dash where undefined."""
    return "–" if math.isnan(value) else f"{value:+.1f} %".replace("-", "−")


def seconds_text(value: float) -> str:
    """A duration for people."""
    if not math.isfinite(value):
        return "–"
    if value < 1:
        return f"{value * 1000:.0f} ms" if value >= 0.0005 else "< 1 ms"
    return f"{value:.1f} s" if value < 10 else (f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} min")


def size_text(value: float) -> str:
    """Bytes for people, in decimal units."""
    if value < 10_000:
        return f"{value:,.0f} bytes"
    return f"{value / 1e3:,.0f} kB" if value < 1e6 else f"{value / 1e6:,.1f} MB"


def limits(model: Model) -> list[str]:
    """What the study does not show."""
    found = [*model.unfinished]
    if len(model.images) < FEW:
        says = f"{_count(len(model.images), 'image')} {'says' if len(model.images) == 1 else 'say'}"
        found.append(f"{says} nothing about images in general: no interval is given below {FEW}.")
    counts: dict[str, int] = {}
    for curve, _ in model.files:
        counts[model.curves[curve].label] = counts.get(model.curves[curve].label, 0) + 1
    few = {label: count for label, count in counts.items() if count < len(model.images)}
    if few:
        said = listed([f"{label} has {count}" for label, count in few.items()])
        found.append(
            f"{said} of {_count(len(model.images), 'image')}: means over fewer images are not of the same ones."
        )
    found += [*published_limits(model), *left_out_notes(model, model.columns)]
    over = {model.curves[row.curve].label: len(row.over) for rows in model.levels for row in rows if row.over}
    if over:
        missed = [number_text(_size(rows), 0) for rows in model.levels if any(row.over for row in rows)]
        sizes = listed(list(dict.fromkeys(missed)))
        found.append(
            f"No file as small as asked ({sizes} bytes) was found for every image by {listed(list(over))}: "
            "set apart in the table and hollow in charts, not compared."
        )
    dependent = [curve.label for curve in model.curves if curve.dependent]
    if dependent:
        found.append(
            f"Some scores of {listed(dependent)} come from a network that took part in its training (marked {MARK}). "
            "Score with a backbone of your own for an independent view."
        )
    if any(column.info.key.startswith("vit-topk") for column in model.columns):
        found.append("ViT-Score compares label lists of one network; it does not ask people.")
    elif not any(column.info.kind == "semantic" for column in model.columns):
        found.append("No metric here asks what the images mean.")
    search = " They include the search for the size asked for." if model.levels else ""
    typical = "medians over the images, " if len(model.images) > 1 else ""
    found.append(f"Times are {typical}of the machine that made the files.{search}")
    return found


def warnings_of(record: Record) -> list[str]:
    """What a reader must know of one file, in words."""
    found = []
    score = record.scores.get("vit-topk")
    details: Any = score.details if score else {}
    chance, deviation = details.get("chance"), details.get("chance_deviation")
    if score and chance is not None and deviation is not None and score.value <= chance + 2 * deviation:
        found.append(f"At chance level: two random lists share {chance:.2f} ± {deviation:.2f} of their labels.")
    first = details.get("top1")
    if first and first[0] != first[1]:
        natural = record.scores.get("brisque")
        delta = natural.details.get("delta") if natural else None
        if isinstance(delta, int | float) and delta <= NATURAL and float(details.get("adjusted", 1)) < LOST:
            found.append(f"Looks natural, means something else: {first[0]} became {first[1]}.")
    elif first and score and score.value < 0.8:
        kept = shared_labels(details)
        found.append(
            f"Still {first[0]} first, yet {score.value:.2f}: all {details.get('k', 100)} labels count alike, and only "
            f"{kept.likely} of the {kept.total} shared ones have a probability of 1 % or more."
        )
    return found + [_sentence(note, (record.codec, record.label)) for note in record.notes]


def _sentence(note: str, names: Sequence[str]) -> str:
    """A note with a capital letter and a full stop; a name stays as it is written."""
    named = any(note.startswith(name) for name in names)
    return (note if named else note[:1].upper() + note[1:]).rstrip(".") + "."
