"""Metrics in threads, in forked workers of a DataLoader and on other devices. Truth: the values of one thread."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Timer
from time import sleep
from typing import cast

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from vitiq.errors import InputError
from vitiq.metrics.scoring import resolve_metrics, score_pair
from vitiq.models import threads
from vitiq.models.backbones import load_backbone
from vitiq.models.backbones.base import Backbone, Preprocessing
from vitiq.models.backbones.cache import Cache
from vitiq.models.backbones.packed import PackedViT, PlainViT
from vitiq.models.vit import VisionTransformer, ViTConfig
from vitiq.types import ImageU8
from vitiq.workers import starting_processes

NAMES = "psnr-rgb,ssim,vit-topk,vit-tokens"


def pairs(image: ImageU8) -> list[tuple[ImageU8, ImageU8]]:
    rng = np.random.default_rng(0)
    noise = (rng.normal(0, 3 * i + 1, image.shape) for i in range(6))
    return [(image, np.clip(image + n, 0, 255).astype(np.uint8)) for n in noise]


def values(pair: tuple[ImageU8, ImageU8]) -> list[float]:
    return [score.value for score in score_pair(*pair, resolve_metrics(NAMES)).values()]


class _Scores(Dataset[list[float]]):
    def __init__(self, image: ImageU8) -> None:
        self.pairs = pairs(image)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> list[float]:
        return values(self.pairs[index])


def test_several_threads_find_the_values_of_one(small: ImageU8) -> None:
    expected = [values(pair) for pair in pairs(small)]
    load_backbone()._cache = Cache()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(values, pairs(small) * 2)) == expected * 2


def test_threads_that_start_processes_at_once_leave_all_as_it_was() -> None:
    """The second to come would take the first one's empty `__main__` for the real one, and put that back."""
    main, threads_allowed = sys.modules["__main__"], os.environ.get("OMP_NUM_THREADS")
    entered, leave = Event(), Event()

    def first() -> None:
        with starting_processes():
            entered.set()
            leave.wait(10)

    def second() -> None:
        entered.wait(10)
        Timer(0.2, leave.set).start()
        with starting_processes():
            sleep(0.4)  # longer than the first one stays

    with ThreadPoolExecutor(2) as pool:
        for work in [pool.submit(first), pool.submit(second)]:
            work.result()
    assert sys.modules["__main__"] is main
    assert os.environ.get("OMP_NUM_THREADS") == threads_allowed


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_forked_workers_of_a_data_loader(small: ImageU8) -> None:
    expected = [values(pair) for pair in pairs(small)]  # the network is loaded and its cache is full before the fork
    loader = DataLoader(_Scores(small), batch_size=None, num_workers=2, multiprocessing_context="fork", timeout=120)
    assert [cast(list[float], found) for found in loader] == expected


def test_a_lock_that_was_held_at_the_fork_is_free_in_the_child(small: ImageU8) -> None:
    cache = load_backbone()._cache
    cache.lock.acquire()
    try:
        loader = DataLoader(_Scores(small), batch_size=None, num_workers=1, multiprocessing_context="fork", timeout=120)
        assert len(list(loader)) == 6
    finally:
        cache.lock.release()


def test_a_cache_that_drops_entries_while_others_read(small: ImageU8) -> None:
    cache = Cache(limit=4000)
    images = [np.full((2, 2, 3), i, np.uint8) for i in range(40)]

    def ask(seed: int) -> bool:
        chosen = [images[i] for i in np.random.default_rng(seed).integers(0, 40, 12)]
        found = cache.get("mean", chosen, lambda missing: [np.full(100, image.mean()) for image in missing])
        return all(row[0] == image[0, 0, 0] for row, image in zip(found, chosen, strict=True))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(300)))


def test_torchs_threads_are_as_before_whichever_thread_leaves_last() -> None:
    torch.set_num_threads(3)
    with ThreadPoolExecutor(4) as pool:

        def work(count: int) -> tuple[int, int]:
            with threads.threads(count):
                inside = torch.get_num_threads()
                with threads.one_thread():
                    pass
                again = torch.get_num_threads()
            return inside, again

        counts = [1 + i % 2 for i in range(40)]
        assert list(pool.map(work, counts)) == [(c, c) for c in counts]
        assert {pool.submit(torch.get_num_threads).result() for _ in range(8)} == {3}
    assert torch.get_num_threads() == 3


def test_the_way_of_other_devices_gives_the_same_numbers(small: ImageU8) -> None:
    """What a GPU runs, run here: the network without packing."""
    torch.manual_seed(0)
    model = VisionTransformer(ViTConfig(image_size=32, width=64, depth=2, heads=1, classes=10, distilled=True)).eval()
    x = torch.randn(3, 3, 32, 32)
    with torch.inference_mode():
        packed, plain = PackedViT(model, torch.float32), PlainViT(model)
        for name in ("forward_class", "forward_levels", "forward_features"):
            torch.testing.assert_close(getattr(packed, name)(x), getattr(plain, name)(x), rtol=1e-4, atol=1e-5)
    backbone = Backbone("small", model, tuple("abcdefghij"), Preprocessing(32), "0" * 64, 0)
    before = backbone.logits([small])
    moved = backbone.to(torch.device("meta"))
    assert isinstance(moved._network, PlainViT)
    assert moved.precision == "float32"
    assert moved._inputs([small]).device.type == "meta"
    assert moved._network.forward_class(moved._inputs([small])).shape == (1, 2, 64)
    assert np.array_equal(moved.logits([small]), before), "kept from before"


@pytest.mark.parametrize("device", ["cuda:99", "meta", "toaster"])
def test_a_device_that_is_not_here_is_refused(device: str) -> None:
    with pytest.raises(InputError, match=f"device '{device}' given"):
        load_backbone(device=device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
def test_a_gpu_gives_the_values_of_the_cpu(small: ImageU8) -> None:
    found = load_backbone(device="cuda").logits([small])
    assert np.abs(found - load_backbone().logits([small])).max() < 1e-2
