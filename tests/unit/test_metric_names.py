"""Names of metrics as people write them. Truth: the grammar in `vitiq.metrics.spec`, by hand."""

from __future__ import annotations

import pytest

from vitiq.errors import InputError, UnknownNameError
from vitiq.metrics.scoring import resolve_metrics
from vitiq.metrics.spec import DEFAULT, DEFAULT_SETS, JPEG_AI, MetricName, asked_by_name, named_in, parse_names


def written(names: str | list[str]) -> list[str]:
    return list(map(str, parse_names(names)))


def test_names_keep_their_settings_and_order_and_count_once() -> None:
    assert parse_names(" mse ,, lpips@/a b@c,vit-topk@10%,mse") == [
        MetricName("mse"),
        MetricName("lpips", "/a b@c"),
        MetricName("vit-topk", "10%"),
    ]
    assert written("") == []
    assert written(["mse", "psnr "]) == ["mse", "psnr-rgb"]


def test_groups_and_names_of_other_tools_stand_for_registered_ones() -> None:
    assert written("default") == [*DEFAULT, *DEFAULT_SETS]
    assert written("jpeg-ai-cttc,fsim") == list(JPEG_AI)
    every = written("all")
    assert every[: len(DEFAULT)] == list(DEFAULT)
    assert written("mse,all,default") == ["mse", *(name for name in every if name != "mse")]
    assert [metric.name for metric in resolve_metrics("psnr,mse")] == ["psnr-rgb", "mse"]


def test_what_is_asked_for_by_name_is_kept_apart_from_what_a_group_holds() -> None:
    assert asked_by_name("all, psnr,lpips@/a") == {"psnr-rgb", "lpips"}
    assert named_in("default,vit-topk@10", "vit-topk@10")
    assert named_in("lpips@/a", "lpips")
    assert not named_in("default", "mse")


def test_what_no_metric_takes_is_refused_by_the_name_that_it_has_here() -> None:
    with pytest.raises(InputError, match="'mse@3' given, but mse takes no setting after an @; write mse"):
        resolve_metrics("mse@3")
    with pytest.raises(InputError, match="psnr-rgb takes no setting"):
        resolve_metrics("psnr@3")
    with pytest.raises(UnknownNameError, match="did you mean"):
        resolve_metrics("ssimm")
