from .codecs.base import Codec, FileInfo
from .codecs.classical.command import Command
from .codecs.entropy_coding import EntropyModel, SymbolGroup
from .codecs.inversion.generators.base import Generator, LatentLayer
from .codecs.viq_codec import Contents, ViqCodec
from .codecs.zoo.compressai import CompressAiCodec
from .filters.base import Filter
from .losses import Loss
from .metrics.base import Metric, PairMetric, SetMetric
from .models.backbones.base import Backbone
from .models.backbones.checkpoint import load_checkpoint
from .models.device import device_identity, find_device
from .options import NoOptions, device_option, option
from .types import Bytes, ImageU8, Progress, ProgressCallback, Quality, Rate, Score

__all__ = [
    "Backbone",
    "Bytes",
    "Codec",
    "Command",
    "CompressAiCodec",
    "Contents",
    "EntropyModel",
    "FileInfo",
    "Filter",
    "Generator",
    "ImageU8",
    "LatentLayer",
    "Loss",
    "Metric",
    "NoOptions",
    "PairMetric",
    "Progress",
    "ProgressCallback",
    "Quality",
    "Rate",
    "Score",
    "SetMetric",
    "SymbolGroup",
    "ViqCodec",
    "device_identity",
    "device_option",
    "find_device",
    "load_checkpoint",
    "option",
]
