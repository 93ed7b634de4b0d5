"""Other engines beside ours on the class token of the same networks, one after the other in one process.

    python benchmarks/vit_engines.py --threads 2

Needs onnx, onnxruntime and openvino. Random weights: a ViT-Ti/16 of 10 blocks (the embedded network's size) at 224 px,
eight images at a time, and ViT-B/16 at 224 and 384 px. Resizing is not counted. Every engine computes all tokens of
the last block; ours can give the class token alone, so it has two lines.
Wall-clock, the best of several interleaved rounds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import openvino
import torch

from vitiq.models.backbones.packed import PackedViT
from vitiq.models.vit import VisionTransformer, named_config

NETWORKS = (("vit_tiny_patch16_224", 10, 8), ("vit_base_patch16_224", 12, 8), ("vit_base_patch16_384", 12, 4))


class Features(torch.nn.Module):
    """The network as a graph from pixels to normalised tokens."""

    def __init__(self, model: VisionTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Tokens."""
        return self.model.forward_features(x)


def engines(model: VisionTransformer, x: torch.Tensor, threads: int) -> dict[str, Callable[[], object]]:
    """Calls that give the class tokens of `x`, by name."""
    pixels = x.numpy()
    calls: dict[str, Callable[[], object]] = {"torch float32": lambda: model.forward_features(x)}
    for dtype in (torch.float32, torch.bfloat16):
        ours, name = PackedViT(model, dtype), str(dtype).removeprefix("torch.")
        calls[f"ours {name}, class token"] = lambda ours=ours: ours.forward_class(x)
        calls[f"ours {name}, all tokens"] = lambda ours=ours: ours.forward_features(x)
    core = openvino.Core()
    graph = openvino.convert_model(Features(model), example_input=x)
    for name in ("f32", "bf16"):
        settings = {"INFERENCE_PRECISION_HINT": name, "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        request = core.compile_model(graph, "CPU", settings).create_infer_request()
        calls[f"OpenVINO {name}"] = lambda request=request: request.infer([pixels])
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "model.onnx"
        torch.onnx.export(Features(model), (x,), str(path), dynamo=False, opset_version=17, input_names=["x"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    calls["ONNX Runtime f32"] = lambda: session.run(None, {"x": pixels})
    return calls


def measure(name: str, depth: int, count: int, threads: int, rounds: int) -> None:
    """Print one network's images a second."""
    torch.manual_seed(0)
    config = replace(named_config(name), depth=depth)
    model = VisionTransformer(config).eval()
    x = torch.randn(count, 3, config.image_size, config.image_size)
    calls = engines(model, x, threads)
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for key, call in calls.items():
            start = time.perf_counter()
            call()
            best[key] = min(best[key], time.perf_counter() - start)
    rates = " | ".join(f"{key} {count / seconds:.1f}" for key, seconds in best.items())
    print(f"{name}, {depth} blocks, {count} at a time, images/s: {rates}", flush=True)


def main() -> None:
    """Print all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, openvino {openvino.__version__}, onnxruntime {onnxruntime.__version__}")
    print(f"numpy {np.__version__}, {options.threads} threads")
    with torch.inference_mode():
        for name, depth, count in NETWORKS:
            measure(name, depth, count, options.threads, options.rounds)


if __name__ == "__main__":
    main()
