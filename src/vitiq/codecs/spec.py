"""Codecs as people write them: `avif[tune=psnr,subsampling=4:4:4]@10:90:20`, and the codec that it names.

    NAME[:ARGUMENT][[OPTION=VALUE,…]][+FILTER[[OPTION=VALUE,…]]…][@RATES]

ARGUMENT is the value of the option that the codec itself names (a program, a model); text with signs of the grammar in
it stands in double quotes. RATES are qualities (`10,20`), ranges with both ends (`10:90:10`), `bytes=1500,3000` or
`bpp=0.1,0.5`. Several codecs are separated by commas; a number after a rate is one more rate.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from vitiq import registry
from vitiq.codecs.base import Codec
from vitiq.codecs.defaults import ALIASES
from vitiq.codecs.filtered import FilteredCodec, load_filter
from vitiq.errors import SettingError
from vitiq.options import device_fields
from vitiq.registry import Group
from vitiq.types import Bytes, Quality, Rate, RateKind

MOST_RATES = 10_000


@dataclass(frozen=True, slots=True)
class RateSpec:
    """A rate as it is written; bits per pixel become bytes where the image's size is known.

    Raises:
        SettingError: a number that is not finite.
    """

    kind: RateKind
    value: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise SettingError(f"{self.kind} {self.value:g} given, a finite number expected")

    def at(self, width: int, height: int) -> Rate:
        """The rate for an image of width×height pixels.

        Raises:
            SettingError: an illegal number.
        """
        if self.kind == "bpp":
            return Bytes.per_pixel(self.value, width, height)
        if self.kind == "quality":
            return Quality(self.value)
        return Bytes(self.value)  # type: ignore[arg-type]  # it refuses fractions itself


@dataclass(frozen=True, slots=True)
class FilterSpec:
    """A filter by name with options."""

    name: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CodecSpec:
    """A codec as it is written.

    Attributes:
        name: registered name.
        options: of the codec, as text where they were written.
        argument: text after the name's colon; None for none.
        filters: of the decoded image, in their order.
        rates: as written; () for none.
    """

    name: str
    options: Mapping[str, object] = field(default_factory=dict)
    argument: str | None = None
    filters: tuple[FilterSpec, ...] = ()
    rates: tuple[RateSpec, ...] = ()

    def make(self) -> Codec:
        """The codec.

        Raises:
            UnknownNameError: no such codec or filter.
            SettingError: it does not take one of the options; illegal qualities among the rates.
        """
        factory: type[Codec] = registry.load("codecs", self.name)
        options = dict(self.options)
        if self.argument is not None:
            if factory.argument is None:
                raise SettingError(
                    f"{self.name}:{self.argument} given, but codec {self.name} takes nothing after a colon"
                )
            options = dict(merged(self.name, {factory.argument: self.argument}, options))
        codec: Codec = registry.make("codecs", self.name, **options)
        for rate in self.rates:
            if rate.kind == "quality":
                codec.check_quality(rate.value)
            else:
                rate.at(1024, 1024)
        if not self.filters:
            return codec
        return FilteredCodec(codec, [load_filter(item.name, item.options) for item in self.filters])


def make_codec(name: str, options: Mapping[str, object] | None = None, device: str = "cpu") -> Codec:
    """A codec by its name or by all that `parse_codec` reads, with further options of the codec.

    Args:
        device: for the networks of the codec and of its filters, where they have any.

    Raises:
        UnknownNameError: no such codec.
        SettingError: it does not take one of the options, or torch does not have the device here.
    """
    return on_device(with_options(parse_codec(name), options or {}), device).make()


def with_options(spec: CodecSpec, options: Mapping[str, object]) -> CodecSpec:
    """The codec with further options.

    Raises:
        SettingError: one that it has already, with another value.
    """
    return replace(spec, options=merged(spec.name, spec.options, options))


def merged(name: str, given: Mapping[str, object], more: Mapping[str, object]) -> Mapping[str, object]:
    """Options from two places.

    Args:
        name: of the codec or filter, for messages.

    Raises:
        SettingError: two values of one option.
    """
    for key in given.keys() & more.keys():
        if str(given[key]) != str(more[key]):
            raise SettingError(
                f"{name}: option {key} given twice, as {given[key]} and as {more[key]}; give one of them"
            )
    return {**given, **more}


def on_device(spec: CodecSpec, device: str) -> CodecSpec:
    """The codec with its networks and those of its filters on a device; those without networks stay as they are.

    A device among the options themselves counts.

    Raises:
        UnknownNameError: no such codec or filter.
    """
    if device == "cpu":
        return spec

    def placed(group: Group, name: str, options: Mapping[str, object]) -> Mapping[str, object]:
        names = device_fields(registry.load(group, name).Options)
        return {**dict.fromkeys(names, device), **options}

    filters = tuple(FilterSpec(one.name, placed("filters", one.name, one.options)) for one in spec.filters)
    return replace(spec, options=placed("codecs", spec.name, spec.options), filters=filters)


def parse_codec(text: str) -> CodecSpec:
    """One codec as it is written.

    Raises:
        SettingError: not of the grammar; says where.
    """
    found = parse_codecs(text)
    if len(found) != 1:
        raise SettingError(f"{text!r} names {len(found)} codecs, one expected")
    return found[0]


def parse_codecs(text: str) -> list[CodecSpec]:
    """Codecs as they are written, separated by commas.

    Raises:
        SettingError: not of the grammar; says where.
    """
    chunks: list[str] = []
    for part in _split(text, ","):
        if chunks and _is_rate(part) and len(_split(chunks[-1], "@")) > 1:
            chunks[-1] += "," + part
        elif part.strip():
            chunks.append(part)
    if not chunks:
        raise SettingError(f"no codec named in {text!r}")
    return [_parse(chunk.strip()) for chunk in chunks]


_PART = re.compile(
    r'(?P<name>[\w.-]+)(?::(?P<argument>"[^"]*"|[^"\[\]+@,]+))?(?:\[(?P<options>(?:"[^"]*"|[^"\]])*)\])?'
)
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RATE = re.compile(rf"(?:(?:bpp|bytes|q|quality)=)?{_NUMBER}(?::{_NUMBER}){{0,2}}")


def _is_rate(text: str) -> bool:
    return _RATE.fullmatch(text.strip()) is not None


def _split(text: str, sign: str) -> list[str]:
    """Split at a sign that stands neither in brackets nor in quotes.

    Raises:
        SettingError: a bracket or a quote is not closed.
    """
    parts: list[str] = []
    start, depth, quoted = 0, 0, False
    for place, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif not quoted:
            depth += {"[": 1, "]": -1}.get(letter, 0)
        if letter == sign and depth == 0 and not quoted:
            parts.append(text[start:place])
            start = place + 1
    if quoted or depth:
        raise SettingError(f"{text!r}: a {'quote' if quoted else 'bracket'} is not closed")
    return [*parts, text[start:]]


def _parse(text: str) -> CodecSpec:
    head, *rates = _split(text, "@")
    if len(rates) > 1:
        raise SettingError(f"{text!r}: one @ expected before the rates, {len(rates)} given")
    first, *rest = _split(head, "+")
    name, argument, options = _part(first, text)
    filters = []
    for part in rest:
        filter_name, filter_argument, filter_options = _part(part, text)
        if filter_argument is not None:
            raise SettingError(f"{text!r}: a filter takes options in brackets, nothing after a colon")
        filters.append(FilterSpec(filter_name, filter_options))
    parsed = tuple(_rates(rates[0], text)) if rates else ()
    if rates and not parsed:
        raise SettingError(f"{text!r}: no rate after the @")
    return CodecSpec(ALIASES.get(name, name), options, argument, tuple(filters), parsed)


def _part(text: str, whole: str) -> tuple[str, str | None, dict[str, object]]:
    """Name, argument and options."""
    match = _PART.fullmatch(text.strip())
    if match is None:
        raise SettingError(
            f"{whole!r}: {text!r} is no codec or filter; expected NAME, NAME:VALUE or NAME[OPTION=VALUE,…]"
        )
    options: dict[str, object] = {}
    for item in _split(match["options"] or "", ","):
        key, equals, value = item.strip().partition("=")
        if not item.strip():
            continue
        if not equals or not key.isidentifier():
            raise SettingError(f"{whole!r}: option {item.strip()!r} given, NAME=VALUE expected")
        options = dict(merged(match["name"], options, {key: _unquoted(value)}))
    argument = match["argument"]
    return match["name"], None if argument is None else _unquoted(argument), options


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _rates(text: str, whole: str) -> Iterator[RateSpec]:
    kind: RateKind = "quality"
    for item in text.split(","):
        word, equals, numbers = item.strip().rpartition("=")
        if not _is_rate(item):
            raise SettingError(
                f"{whole!r}: rate {item.strip()!r} given; expected qualities (10,20), a range (10:90:10), "
                f"bytes=1500,3000 or bpp=0.1,0.5"
            )
        if equals:
            kinds: dict[str, RateKind] = {"bpp": "bpp", "bytes": "bytes"}
            kind = kinds.get(word, "quality")
        yield from (RateSpec(kind, value) for value in _range(numbers, whole))


def _range(text: str, whole: str) -> list[float]:
    """One number, or first:last[:step] with both ends."""
    first, *more = (float(number) for number in text.split(":"))
    if not more:
        return [first]
    last, step = more[0], more[1] if len(more) > 1 else 1.0
    count = (last - first) / step if step else -1.0
    if not 0 <= count < MOST_RATES:
        raise SettingError(f"{whole!r}: range {text} given; expected FIRST:LAST:STEP that reaches LAST in few steps")
    return [round(first + step * index, 9) for index in range(int(count + 1e-9) + 1)]
