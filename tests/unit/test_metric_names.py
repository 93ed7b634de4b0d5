"""Names of metrics as people write them. Truth: the grammar in `vitiq.metrics.spec`, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitiq.errors import InputError, SettingError, UnknownNameError
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.metrics.scoring import chosen_names, resolve_metrics
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


def test_a_setting_with_a_comma_stands_between_quotation_marks() -> None:
    text = """mse, lpips@"/a, b" ,vit-topk@10,dists@"c"d,e",lpips-vgg@"f"""
    names = parse_names(text)
    assert [name.setting for name in names] == [None, "/a, b", "10", 'c"d,e', '"f']
    assert [name.base for name in names] == ["mse", "lpips", "vit-topk", "dists", "lpips-vgg"]
    assert parse_names(",".join(map(str, names))) == names, "as they go to workers"
    assert asked_by_name(text) == {"mse", "lpips", "vit-topk", "dists", "lpips-vgg"}
    with pytest.raises(UnknownNameError, match=r"""'b' after 'lpips@/a': .*: 'lpips@"/a,b"'"""):
        resolve_metrics("mse,lpips@/a,b")
    with pytest.raises(UnknownNameError, match="did you mean"):
        resolve_metrics("wasserstein@4,ssimm")


@pytest.mark.parametrize("names", ["lpips@/a,lpips@/b", "lpips@/a,mse,lpips", ["dists", "dists@/a"]])
def test_two_metrics_of_one_name_are_refused(names: str | list[str]) -> None:
    """Scores are kept by name: the last one took the place of the first."""
    with pytest.raises(SettingError, match=r"given, both are called (lpips|dists) and scores are kept by name"):
        resolve_metrics(names)


def test_two_spellings_of_a_metric_are_one_and_what_is_named_stands_for_a_groups(tmp_path: Path) -> None:
    assert [str(name) for name in chosen_names(f"lpips@{tmp_path},lpips@{tmp_path}/,mse")] == [
        f"lpips@{tmp_path}",
        "mse",
    ]
    assert [str(name) for name in chosen_names("vit-rbo,vit-rbo@0.98,vit-rbo@.9")] == ["vit-rbo", "vit-rbo@.9"]
    for names in ("all,lpips@/a", "lpips@/a,all"):
        made = resolve_metrics(names)
        assert [name for name in map(str, chosen_names(names)) if name.startswith("lpips@") or name == "lpips"] == [
            "lpips@/a"
        ]
        assert len({metric.name for metric in made}) == len(made)
        assert MetricSpec(names).spellings(made)["lpips"] == "lpips@/a"


def test_what_no_metric_takes_is_refused_by_the_name_that_it_has_here() -> None:
    with pytest.raises(InputError, match="'mse@3' given, but mse takes no setting after an @; write mse"):
        resolve_metrics("mse@3")
    with pytest.raises(InputError, match="psnr-rgb takes no setting"):
        resolve_metrics("psnr@3")
    with pytest.raises(UnknownNameError, match="did you mean"):
        resolve_metrics("ssimm")
