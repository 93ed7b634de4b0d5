"""An external program as a codec: `cmd:"cjxl {in} {out} -q {q}"`.

The image goes to the program as a PNG or PPM file, its output is the compressed file as it is: real bytes. Words of the
template are split as a shell would, but no shell runs: `{in}`, `{out}` and `{q}` are replaced inside the words, so file
names with spaces or signs stay one argument. How to decode stands in the options; a known program's counterpart
(cjxl and djxl, avifenc and avifdec, …) need not be named.

The file that `encode` gives is the program's own, so only a codec with the same template decodes it; files of formats
that vitiq knows are decoded without it.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vitiq.codecs.base import Codec
from vitiq.errors import BitstreamError, InputError, MissingDependencyError, SettingError, TaskError
from vitiq.image.io import decode_image, png_bytes
from vitiq.options import changed_options, option
from vitiq.programs import run_program
from vitiq.temporary import temporary_folder
from vitiq.types import ImageU8, ProgressCallback

KNOWN_DECODERS: Mapping[str, str] = {
    "cjxl": "djxl {in} {out}",
    "avifenc": "avifdec {in} {out}",
    "cwebp": "dwebp {in} -o {out}",
    "cjpeg": "djpeg -outfile {out} {in}",
    "opj_compress": "opj_decompress -i {in} -o {out}",
}
"""Decoders of programs that are often used."""

SUFFIXES: Mapping[str, str] = {
    "cjxl": ".jxl",
    "avifenc": ".avif",
    "cwebp": ".webp",
    "cjpeg": ".jpg",
    "opj_compress": ".j2k",
}
"""Suffixes of their files, by which they choose the format."""


PLACEHOLDERS: Mapping[str, tuple[str, ...]] = {"encode": ("{in}", "{out}", "{q}"), "decode": ("{in}", "{out}")}
"""What is replaced in each template; a file that is decoded does not say its quality."""

NO_PROGRAM = 'codec cmd needs a program; write cmd:"cjxl {in} {out} -q {q}"'
NO_DECODER = 'codec cmd cannot decode without its template; give decode="PROGRAM {in} {out}"'


@dataclass(frozen=True, kw_only=True)
class CommandOptions:
    """Options of an external program."""

    encode: str = option("", "command that compresses, with {in}, {out} and {q}")
    decode: str = option("", "command that decompresses, with {in} and {out}; found for known programs if empty")
    suffix: str = option("", "suffix of the compressed file; that of known programs, or .bin, if empty")
    exchange: Literal["png", "ppm"] = option("png", "image format exchanged with the program")
    low: float = option(0.0, "worst quality of {q}")
    high: float = option(100.0, "best quality of {q}; less than low if a larger number means a smaller file")
    step: float = option(1.0, "step between qualities", low=1e-6)
    quality: float | None = option(None, "default quality; the middle of the range if not given")
    timeout: float = option(600.0, "seconds after which the program is killed", low=0.1)


class Command(Codec):
    """Programs that compress and decompress a file each. Quality is whatever {q} is to the program.

    Raises:
        InputError: no template, or one without {in} and {out}.
    """

    name = "cmd"
    title = "External program"
    extension = ".bin"
    qualities = (10, 30, 50, 70, 90)
    default_quality = 50
    quality_help = "the number inserted for {q} in the command"
    quality_range = (0, 100, 1)
    Options = CommandOptions
    argument = "encode"

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        chosen = self.options
        self._encode = _words(chosen.encode, "encode") if chosen.encode else []
        program = Path(self._encode[0]).name if self._encode else ""
        decode = chosen.decode or KNOWN_DECODERS.get(program, "")
        self._decode = _words(decode, "decode") if decode else []
        if chosen.low == chosen.high:
            raise InputError(f"codec cmd: qualities from {chosen.low:g} to {chosen.high:g} given, a range expected")
        low, high = sorted((chosen.low, chosen.high))
        self.quality_falls = chosen.low > chosen.high  # type: ignore[misc]
        middle = low + round((high - low) / 2 / chosen.step) * chosen.step
        # Of an instance, since the templates set them.
        self.extension = chosen.suffix or SUFFIXES.get(program, ".bin")  # type: ignore[misc]
        self.quality_range = (low, high, chosen.step)  # type: ignore[misc]
        steps = round((high - low) / chosen.step)
        ladder = [low + round(steps * share) * chosen.step for share in (0.1, 0.3, 0.5, 0.7, 0.9)]
        self.qualities = tuple(dict.fromkeys(ladder))  # type: ignore[misc]
        self.default_quality = middle if chosen.quality is None else chosen.quality  # type: ignore[misc]
        if self._has_one_rate():
            self.qualities = (self.default_quality,)  # type: ignore[misc, assignment]
            self.quality_range = (self.default_quality, self.default_quality, chosen.step)  # type: ignore[misc]
        self.quality_help = f"{low:g} to {high:g}, as {{q}} of {program or 'the program'}"  # type: ignore[misc]
        if not self._is_named():
            self.title = program or Command.title  # type: ignore[misc]

    def compress(self, image: ImageU8, quality: float, progress: ProgressCallback | None = None) -> bytes:
        """The program's file.

        Raises:
            InputError: no template was given, or the disk of temporary files is full.
            MissingDependencyError: the program is not installed.
            TaskError: it failed, took too long, or wrote nothing; with its exit code and last words.
        """
        del progress
        if not self._encode:
            raise InputError(NO_PROGRAM)
        with temporary_folder() as folder:
            given, made = folder / f"in.{self.options.exchange}", folder / f"out{self.extension}"
            write_exchange(given, image)
            self._run(self._encode, given, made, quality)
            return made.read_bytes()

    def decompress(self, data: bytes) -> ImageU8:
        """The image that the decoding program makes of a file.

        Raises:
            InputError: no template to decode with, or the disk of temporary files is full.
            MissingDependencyError: the program is not installed.
            BitstreamError: it failed, took too long, or wrote no image; with its exit code and last words.
        """
        if not self._decode:
            raise InputError(NO_DECODER)
        with temporary_folder() as folder:
            given, made = folder / f"in{self.extension}", folder / f"out.{self.options.exchange}"
            given.write_bytes(data)
            try:
                self._run(self._decode, given, made, None)
                return decode_image(made.read_bytes(), f"output of {self._decode[0]}")[0]
            except (TaskError, InputError) as error:
                raise BitstreamError(str(error)) from error

    def _has_one_rate(self) -> bool:
        """Whether the program is given no quality."""
        return bool(self._encode) and not any("{q}" in word for word in self._encode)

    def _run(self, words: list[str], given: Path, made: Path, quality: float | None) -> None:
        program, path = words[0], _found(words)
        values = {"in": str(given), "out": str(made), "q": "" if quality is None else f"{quality:.10g}"}
        arguments = [path, *(filled(word, values) for word in words[1:])]
        ran = run_program(arguments, given.parent, self.options.timeout, program)
        if ran.code:
            said = f"{program} failed with exit code {ran.code}"
            asked = quality is not None and any("{q}" in word for word in words)
            said += f" at {{q}} = {values['q']}" if asked else ""
            raise TaskError(f"{said}: {ran.said or 'no message'}{self._range_unset() if asked else ''}")
        if not made.is_file() or made.stat().st_size == 0:
            raise TaskError(f"{program} ended with exit code 0 but wrote no {{out}}: {ran.said or 'no message'}")

    def _range_unset(self) -> str:
        """Where qualities are those of no program, as nobody said which it takes: how to say so."""
        chosen, usual = self.options, CommandOptions()
        if (chosen.low, chosen.high) != (usual.low, usual.high):
            return ""
        return f"; {{q}} runs from {chosen.low:g} to {chosen.high:g}: set low and high to what the program takes"

    def check_ready(self, qualities: Sequence[float]) -> None:
        """Refuse where a template is missing, or its program; or several qualities, of which it would know nothing."""
        if self._has_one_rate() and len(set(qualities)) > 1:
            raise InputError(
                f"codec cmd: {self.options.encode!r} has no {{q}}, so it makes one file of an image, and "
                f"{len(set(qualities))} qualities are asked for; give one quality or none, or put {{q}} where the "
                "program takes it"
            )
        for words, said in ((self._encode, NO_PROGRAM), (self._decode, NO_DECODER)):
            if not words:
                raise InputError(said)
            _found(words)

    def identity(self) -> Mapping[str, object]:
        """Both templates, and the sha256 of the programs' files: a new version is another codec."""
        programs = {words[0]: _sha256(words[0]) for words in (self._encode, self._decode) if words}
        return {**super().identity(), "decode": shlex.join(self._decode), "programs": programs}

    def label(self) -> str:
        """The template without its file names; a subclass with a title has that, and the options that differ."""
        if self._is_named():
            return self.title + changed_options(self.options, type(self)().options)
        words = [word for word in self._encode if word not in {"{in}", "{out}"}]
        return shlex.join(words).replace("'{q}'", "{q}") if words else self.title

    def _is_named(self) -> bool:
        """Whether a subclass says what it is called."""
        return type(self).title != Command.title

    def check_quality(self, quality: float) -> None:
        """A number in the range."""
        low, high = sorted((self.options.low, self.options.high))
        if not low <= quality <= high:
            raise SettingError(f"quality {quality:.10g} given for {self.label()}, expected {self.quality_help}")


def _found(words: list[str]) -> str:
    """The whole path of a template's program, which runs in another folder than the one it is named from."""
    program = words[0]
    path = shutil.which(program)
    if path is None:
        raise MissingDependencyError(f"program {program!r} is not found; install it, or give its whole path")
    return str(Path(path).absolute())


def _words(template: str, what: str) -> list[str]:
    try:
        words = shlex.split(template)
    except ValueError as error:
        raise InputError(f"codec cmd: {what} template {template!r} cannot be split into words ({error})") from error
    if not words or not all(any(name in word for word in words) for name in ("{in}", "{out}")):
        raise InputError(f"codec cmd: {what} template {template!r} given, a program with {{in}} and {{out}} expected")
    known = PLACEHOLDERS[what]
    unknown = [name for name in re.findall(r"\{[^\W\d]\w*\}", template) if name not in known]
    if unknown:
        raise InputError(
            f"codec cmd: {what} template {template!r} has {', '.join(dict.fromkeys(unknown))}, "
            f"which nothing stands for; known are {', '.join(known)}"
        )
    return words


def filled(word: str, values: Mapping[str, str]) -> str:
    """A word with its placeholders replaced, in one pass, so that what is put in is not read again."""
    return re.sub(r"\{(in|out|q)\}", lambda match: values[match[1]], word)


def write_exchange(path: Path, image: ImageU8) -> None:
    """Write the image that a program reads: PNG (fast, lossless) or PPM."""
    if path.suffix == ".png":
        path.write_bytes(png_bytes(image, 1))
        return
    from PIL import Image  # noqa: PLC0415 - imported where used

    Image.fromarray(image).save(path)


def _sha256(program: str) -> str | None:
    found = shutil.which(program)
    return None if found is None else hashlib.sha256(Path(found).read_bytes()).hexdigest()
