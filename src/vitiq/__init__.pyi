from . import losses
from .api.coding import codec, decode, encode, inspect, list_codecs
from .api.metrics import backbone, list_metrics, metric, torchmetric
from .api.scoring import load_image, score, score_folder, score_sets
from .api.studies import run_study
from .errors import (
    BitstreamError,
    InputError,
    MissingDependencyError,
    PluginError,
    SettingError,
    StoreError,
    TaskError,
    UndefinedError,
    UnknownNameError,
    VitiqError,
    WeightsError,
)

__version__: str

__all__ = [
    "BitstreamError",
    "InputError",
    "MissingDependencyError",
    "PluginError",
    "SettingError",
    "StoreError",
    "TaskError",
    "UndefinedError",
    "UnknownNameError",
    "VitiqError",
    "WeightsError",
    "backbone",
    "codec",
    "decode",
    "encode",
    "inspect",
    "list_codecs",
    "list_metrics",
    "load_image",
    "losses",
    "metric",
    "run_study",
    "score",
    "score_folder",
    "score_sets",
    "torchmetric",
]
