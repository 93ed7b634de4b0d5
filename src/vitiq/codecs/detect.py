"""Which codec wrote a file: asked of the registered codecs by the file's first bytes, whatever its name."""

from __future__ import annotations

from functools import lru_cache

from vitiq import registry
from vitiq.bitstream import container as viq
from vitiq.codecs.base import Codec
from vitiq.errors import BitstreamError, VitiqError, described
from vitiq.foreign import RAISED, guarded
from vitiq.image.formats import FORMATS, HEAD_BYTES, detect, foreign

_NO_CODEC = {"PNG", "TIFF", "BMP", "GIF", "PPM"}
"""Formats of images that no codec here writes."""


def codec_of(data: bytes) -> str:
    """Registered name of the codec that can decode `data`.

    Raises:
        BitstreamError: no registered codec knows it; says what the file looks like instead.
    """
    if not data:
        raise BitstreamError("the file is empty; a compressed image is expected")
    if viq.is_viq(data):
        return _viq_codec(viq.unpack(data).codec)
    classes, broken = _registered(registry.names("codecs"))
    for codec in classes:
        try:
            with guarded(codec.__module__):
                known = codec.detect(data)
        except RAISED as error:  # a plug-in's own: the others are asked all the same
            broken = (*broken, f"{codec.name}, {described(error)}")
            continue
        if known:
            return codec.name
    form = detect(data[:HEAD_BYTES])
    if form in _NO_CODEC:
        raise BitstreamError(
            f"this is a {FORMATS[form].title} image, not a compressed file; use `vitiq encode` on it first"
        )
    other = foreign(data[:HEAD_BYTES])
    if other is not None:
        raise BitstreamError(f"this is {other}")
    titles = ", ".join(sorted({c.title for c in classes if c.extension != ".viq" and _detects(c)}))
    missing = f" (could not be asked: {'; '.join(broken)})" if broken else ""
    raise BitstreamError(
        f"not a compressed image that vitiq knows: it starts with {data[:8].hex(' ')}; "
        f"expected .viq or {titles}, or a format whose plug-in is installed{missing}"
    )


def suffixes_of_codecs() -> frozenset[str]:
    """Suffixes that announce a file which a registered codec decodes, lower case; none that other files have too."""
    classes, _ = _registered(registry.names("codecs"))
    written = {codec.extension.lower() for codec in classes if codec.extension == ".viq" or _detects(codec)}
    same = {suffix for form in FORMATS.values() for suffix in form.suffixes if written & set(form.suffixes)}
    others = {suffix for name in _NO_CODEC for suffix in FORMATS[name].suffixes}
    return frozenset((written | same) - others)


def _viq_codec(key: int | str) -> str:
    """Name of the codec of a container: plugins stand there by name, built-in codecs by number."""
    if isinstance(key, str):
        if key in registry.names("codecs") and getattr(registry.load("codecs", key), "viq_id", None) is not None:
            raise BitstreamError(f"codec name {key!r} given for a .viq file, which has a number; it is damaged")
        return key
    for codec in _registered(registry.names("codecs"))[0]:
        if getattr(codec, "viq_id", None) == key:
            return codec.name
    raise BitstreamError(f".viq codec number {key} is unknown; update vitiq")


def _detects(codec: type[Codec]) -> bool:
    return codec.detect.__func__ is not Codec.detect.__func__  # type: ignore[attr-defined]


@lru_cache(maxsize=4)
def _registered(names: tuple[str, ...]) -> tuple[tuple[type[Codec], ...], tuple[str, ...]]:
    """Classes of the registered codecs, and the names of those that cannot be loaded."""
    found, broken = [], []
    for name in names:
        try:
            found.append(registry.load("codecs", name))
        except VitiqError:
            broken.append(name)
    return tuple(found), tuple(broken)
