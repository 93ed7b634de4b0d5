"""A CompressAI model as a codec: `compressai:bmshj2018-hyperprior[weights=PATH]`.

CompressAI (Bégaint et al. 2020, arXiv 2011.03029) is not installed with vitiq: it is large, and its releases up to
1.2.8 ask for NumPy below 2. Whatever has its documented interface works here: `compress(x)` gives strings and a shape,
`decompress(strings, shape)` gives `x_hat`, `update()` makes the tables.

The file is a .viq container with the strings as they are, about 50 bytes more. CompressAI's tables come from floats, so
a file is promised to decode on the kind of machine that wrote it only. One's own model: a subclass that gives `build`.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from vitiq.bitstream import container as viq
from vitiq.codecs.viq_codec import Contents, ViqCodec, check_weights
from vitiq.errors import BitstreamError, InputError, MissingDependencyError, WeightsError, first_line
from vitiq.options import option
from vitiq.types import ImageU8, ProgressCallback
from vitiq.weights.store import resolve, sha256_file

# torch is imported where it is used, so that listing codecs stays quick.
# ruff: noqa: PLC0415

HEAD, STRING = 1, 2
"""Sections: quality, shape of the latents, the zoo's model and metric (text), then each string in its order."""

MULTIPLE = 64
"""Sides of what a model codes are multiples of this; images are extended by their last row and column."""


@dataclass(frozen=True, kw_only=True)
class CompressAiOptions:
    """Options of a CompressAI model."""

    model: str = option("bmshj2018-factorized", "name in CompressAI's zoo")
    weights: str = option("", "path of its state dict; {q} in it stands for the quality")
    metric: str = option("mse", "what the model was trained for, as the zoo names it")


class CompressAiCodec(ViqCodec):
    """A model of CompressAI's zoo with weights from a path. Quality is the zoo's, a network each.

    A subclass around a model of one's own gives `name`, `title`, and `build`.
    """

    name = "compressai"
    title = "CompressAI"
    qualities = (1, 2, 3, 4, 5, 6, 7, 8)
    default_quality = 3
    quality_help = "1 to 8, higher is better (CompressAI's zoo)"
    quality_range = (1, 8, 1)
    Options = CompressAiOptions
    argument = "model"
    section_names = {STRING: "latents"}  # noqa: RUF012 - a constant
    repeated_kinds = frozenset({STRING})

    def build(self, quality: int) -> Any:
        """A network of a quality without its weights.

        Raises:
            MissingDependencyError: CompressAI is not installed.
            InputError: the zoo has no such model.
        """
        return self._architecture()(quality=quality, metric=self.options.metric, pretrained=False)

    def of_zoo(self) -> bool:
        """Whether the model is one of the zoo; a subclass has its own."""
        return type(self).build is CompressAiCodec.build

    def _architecture(self) -> Any:
        """The function of the zoo that makes the model."""
        try:
            from compressai.zoo import image_models
        except ImportError as error:
            raise MissingDependencyError(
                f"codec {self.name} needs the package compressai ({first_line(error)}); run: pip install compressai"
            ) from error
        if self.options.model not in image_models:
            known = ", ".join(sorted(image_models))
            raise InputError(f"CompressAI's zoo has no model {self.options.model!r}; it has {known}")
        return image_models[self.options.model]

    def check_ready(self, qualities: Sequence[float]) -> None:
        """Refuse where CompressAI, the model or the weights of a quality are missing."""
        if self.of_zoo():
            self._architecture()
        if len(set(qualities)) > 1 and "{q}" not in self.options.weights:
            raise WeightsError(
                f"codec {self.name}: one state dict is one rate, and {len(set(qualities))} qualities are asked for; "
                "give one quality, or a path with {q} for the quality: weights=PATH"
            )
        for quality in qualities or (self.default_quality,):
            self.weights_path(int(quality))

    def weights_path(self, quality: int, prefix: bytes = b"") -> Path:
        """The state dict of a quality.

        Args:
            prefix: first bytes of its sha256, where a file to decode says so: then it is found as all weights are
                (`weights.store.resolve`), unless a path is given.

        Raises:
            WeightsError: none is named or found, or it is no file.
        """
        if prefix and not self.options.weights:
            try:
                return resolve(prefix.hex())
            except WeightsError as error:
                raise WeightsError(f"codec {self.name}: {error}, or give its path: weights=PATH") from error
        path = Path(self.options.weights.replace("{q}", str(quality)))
        if not self.options.weights or not path.is_file():
            named = str(path) if self.options.weights else "none"
            raise WeightsError(f"codec {self.name} needs a state dict, {named} given; give its path: weights=PATH")
        return path

    def network(self, quality: int, path: Path) -> Any:
        """The network of a quality with weights from a path, ready to code; the last four are kept."""
        return _load(self, quality, path)

    def compress(self, image: ImageU8, quality: float, progress: ProgressCallback | None = None) -> bytes:
        """The model's strings in a container."""
        del progress
        import torch.nn.functional as F

        from vitiq.models.tensors import to_tensor

        height, width, _ = image.shape
        path = self.weights_path(int(quality))
        pad = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
        network = self.network(int(quality), path)
        with _alike():
            coded = network.compress(F.pad(to_tensor(image), pad, mode="replicate"))
        strings = [part[0] for part in coded["strings"]]
        rows, columns = (int(side) for side in coded["shape"])
        head = f"{int(quality)} {rows} {columns}{self._named()}".encode()
        parts = [(HEAD, head), *((STRING, part) for part in strings)]
        return self.pack_list(width, height, parts, sha256_file(path))

    def _named(self) -> str:
        """What the head says of the model, so that a decoder needs the weights alone; nothing for one's own."""
        return f" {self.options.model} {self.options.metric}" if self.of_zoo() else ""

    def _of_file(self, file: viq.Container) -> CompressAiCodec:
        """The codec with the model that a file names; this one for files that name none.

        Raises:
            BitstreamError: the zoo has no such model.
        """
        _, _, names = _head(file)
        if not names or not self.of_zoo():
            return self
        made = type(self)(**asdict(self.options) | dict(zip(("model", "metric"), names, strict=True)))
        try:
            made._architecture()
        except InputError as error:
            raise BitstreamError(f"{first_line(error)}; the file is damaged, or of another version") from error
        return made

    def pack_list(self, width: int, height: int, parts: list[tuple[int, bytes]], sha256: str) -> bytes:
        """A file with several sections of one kind."""
        crc = zlib.crc32(b"".join(data for _, data in parts))
        sections = tuple(viq.Section(kind, data) for kind, data in parts)
        return viq.pack(viq.Container(self.name, width, height, bytes.fromhex(sha256)[:8], crc, sections))

    def decompress(self, data: bytes) -> ImageU8:
        """The model's image.

        Raises:
            BitstreamError: damaged, or the model cannot read it.
            WeightsError: other weights than the file was made with.
        """
        from vitiq.models.tensors import to_image

        file = self.unpack(data)
        quality, shape, _ = _head(file)
        path = self.weights_path(quality, file.weights)
        check_weights(file, sha256_file(path), self.name, "give the right ones with weights=PATH")
        strings = [[section.data] for section in file.sections if section.kind == STRING]
        network = self._of_file(file).network(quality, path)
        try:
            with _alike():
                output = network.decompress(strings, shape)["x_hat"]
            return to_image(output[:, :, : file.height, : file.width].float())
        except Exception as error:  # a foreign decoder on untrusted bytes
            raise BitstreamError(f"the model cannot read the file ({first_line(error)}); it is damaged") from error

    def contents(self, file: viq.Container, *, symbols: bool) -> Contents:  # noqa: ARG002
        """Quality and shape of the latents."""
        quality, shape, names = _head(file)
        model = dict(zip(("model", "model_metric"), names, strict=False))
        return Contents(quality, details={**model, "latent_rows": shape[0], "latent_columns": shape[1]})

    def identity(self) -> Mapping[str, object]:
        """The options, the sha256 of the weights at hand, and CompressAI's version."""
        from importlib.metadata import PackageNotFoundError, version

        paths = {str(int(q)): Path(self.options.weights.replace("{q}", str(int(q)))) for q in self.qualities}
        hashes = {quality: sha256_file(path) for quality, path in paths.items() if path.is_file()}
        try:
            package: str | None = version("compressai")
        except PackageNotFoundError:
            package = None
        return {**super().identity(), "weights": hashes, "compressai": package}


def _head(file: viq.Container) -> tuple[int, tuple[int, int], list[str]]:
    """Quality, shape of the latents, and the names of model and metric; of one's own model there are none."""
    words = file.section(HEAD).decode("ascii", "replace").split()
    numbers, names = words[:3], words[3:]
    legible = len(numbers) == 3 and len(names) in {0, 2} and all(word.isascii() for word in words)
    if not legible or not all(number.isdigit() and len(number) < 6 for number in numbers):
        raise BitstreamError("quality and latent shape cannot be read; the file is damaged")
    quality, rows, columns = map(int, numbers)
    if not (0 < rows <= file.height + MULTIPLE and 0 < columns <= file.width + MULTIPLE):
        raise BitstreamError(f"latents of {rows}×{columns} do not belong to {file.width}×{file.height} pixels")
    return quality, (rows, columns), names


_networks: dict[tuple[str, int, str, str], Any] = {}
_LOADING = Lock()


def _load(codec: CompressAiCodec, quality: int, path: Path) -> Any:
    key = (codec.name, quality, repr(codec.options), sha256_file(path))
    with _LOADING:
        if key not in _networks:
            while len(_networks) >= 4:
                _networks.pop(next(iter(_networks)))
            _networks[key] = _loaded(codec, quality, path)
        return _networks[key]


def _loaded(codec: CompressAiCodec, quality: int, path: Path) -> Any:
    """The network of a quality; where one state dict stands for all qualities, of the quality that it fits.

    The zoo has two widths, so its lowest and highest quality have them all.
    """
    from vitiq.models.building import as_alone
    from vitiq.weights.checkpoint import read_checkpoint

    checkpoint = read_checkpoint(path)
    qualities = [quality]
    if "{q}" not in codec.options.weights:
        qualities += [int(end) for end in (codec.qualities[0], codec.qualities[-1]) if end != quality]
    failures: list[Exception] = []
    for fitting in qualities:
        with as_alone():
            network = codec.build(fitting)
        try:
            network.load_state_dict(_state(checkpoint))
        except Exception as error:
            failures.append(error)
            continue
        network.eval()
        with as_alone():
            network.update()
        return network
    lines = [line.strip() for line in str(failures[0]).splitlines()[:2]]  # torch names the tensors in the second one
    said = " ".join(lines)[:200] or first_line(failures[0])
    model = codec.options.model if codec.of_zoo() else codec.name
    raise WeightsError(f"{path}: not the state dict of {model} at quality {quality} ({said})") from failures[0]


def _state(checkpoint: Any) -> dict[str, Any]:
    """The tensors of a checkpoint under the names that a model has today.

    CompressAI's scripts save them alone, as "state_dict" of a training or as "network"; after a training on several
    GPUs each name begins with "module.", and names of its early releases are put right by the package itself.
    """
    for key in ("network", "state_dict"):
        checkpoint = checkpoint.get(key, checkpoint)
    state = {name.removeprefix("module."): tensor for name, tensor in checkpoint.items()}
    if "compressai" in sys.modules:
        with suppress(ImportError):
            from compressai.zoo.pretrained import load_pretrained

            return dict(load_pretrained(state))
    return state


@contextmanager
def _alike() -> Iterator[None]:
    """Run a network as its file will be read: scales must come out the same in the encoder and in the decoder.

    Both choose entropy tables by scales that are computed in floating point, and sums are rounded in an order that
    depends on the number of threads.
    """
    import torch

    from vitiq.models.building import as_alone
    from vitiq.models.threads import one_thread

    with torch.no_grad(), as_alone(), one_thread():
        yield
