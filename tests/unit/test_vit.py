"""The Vision Transformer's module.

Truth: parameter counts published with torchvision's models (docs of `vit_b_16`, `vit_b_32`, `vit_l_16`, `vit_l_32`,
`vit_h_14` weights) and with timm's (`deit_tiny_patch16_224`, `deit_small_patch16_224`); else identities of the
architecture (arXiv 2010.11929, section 3.1).
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vitiq.errors import InputError, WeightsError
from vitiq.models.vit import VisionTransformer, ViTConfig, named_config

SMALL = ViTConfig(image_size=32, patch=8, width=24, depth=3, heads=3, classes=7)


def small_model() -> VisionTransformer:
    torch.manual_seed(0)
    return VisionTransformer(SMALL).eval()


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("deit_tiny_patch16_224", 5_717_416),
        ("deit_small_patch16_224", 22_050_664),
        ("vit_base_patch16_224", 86_567_656),
        ("vit_base_patch32_224", 88_224_232),
        ("vit_base_patch16_384", 86_859_496),
        ("vit_large_patch16_224", 304_326_632),
        ("vit_large_patch32_224", 306_535_400),
        ("vit_huge_patch14_224", 632_045_800),
    ],
)
def test_published_shapes_have_their_published_number_of_parameters(name: str, parameters: int) -> None:
    with torch.device("meta"):
        model = VisionTransformer(named_config(name))
    assert sum(value.numel() for value in model.parameters()) == parameters


def test_a_tag_of_timm_does_not_change_the_shape() -> None:
    assert named_config("vit_tiny_patch16_224.augreg_in21k_ft_in1k") == named_config("vit_tiny_patch16_224")


@pytest.mark.parametrize("name", ["vit_giant_patch14_224", "resnet50", "vit_base_patch16_250", "vit_base_patch0_224"])
def test_a_foreign_name_is_refused_with_examples(name: str) -> None:
    with pytest.raises(WeightsError, match=f"'{name}'.*vit_base_patch16_384"):
        named_config(name)


def test_outputs_have_their_shapes_and_agree_with_each_other() -> None:
    model = small_model()
    x = torch.randn(2, 3, 32, 32)
    tokens, hidden = model.forward_hidden(x, (0, 2))
    assert tokens.shape == (2, 17, 24)
    assert [h.shape for h in hidden] == [(2, 17, 24)] * 2
    torch.testing.assert_close(model.norm(hidden[1]), tokens)
    torch.testing.assert_close(model.forward_features(x), tokens)
    torch.testing.assert_close(model(x), model.head(tokens[:, 0]))


def test_patch_tokens_run_row_by_row() -> None:
    model = small_model()
    image = torch.zeros(1, 3, 32, 32)
    image[:, :, 8:16, 24:32] = 1.0
    changed = (model.patch_embed(image) != model.patch_embed(torch.zeros(1, 3, 32, 32))).any(2)
    assert changed.nonzero()[:, 1].tolist() == [1 * 4 + 3]


def test_own_grid_uses_the_stored_position_embeddings() -> None:
    model = small_model()
    assert model.positions(4, 4) is model.pos_embed


@given(rows=st.integers(1, 9), columns=st.integers(1, 9))
def test_interpolation_keeps_constants_and_the_class_token(rows: int, columns: int) -> None:
    model = small_model()
    with torch.no_grad():
        model.pos_embed[:, 1:] = torch.arange(24.0)
        positions = model.positions(rows, columns)
    assert positions.shape == (1, 1 + rows * columns, 24)
    torch.testing.assert_close(positions[:, 0], model.pos_embed[:, 0])
    torch.testing.assert_close(positions[:, 1:], torch.arange(24.0).expand(1, rows * columns, 24))


def test_interpolation_keeps_the_order_of_rows_and_columns() -> None:
    model = small_model()
    with torch.no_grad():
        grid = torch.stack(torch.meshgrid(torch.arange(4.0), torch.arange(4.0), indexing="ij"), -1).reshape(16, 2)
        model.pos_embed[0, 1:, :2] = grid
        positions = model.positions(8, 6)[0, 1:, :2].reshape(8, 6, 2)
    assert bool((positions[1:, :, 0] > positions[:-1, :, 0]).all())
    assert bool((positions[:, 1:, 1] > positions[:, :-1, 1]).all())


def test_other_sizes_of_whole_patches_are_read() -> None:
    assert small_model()(torch.zeros(1, 3, 48, 24)).shape == (1, 7)


def test_a_size_of_broken_patches_is_refused() -> None:
    with pytest.raises(InputError, match=r"30×32 pixels.*multiples of 8"):
        small_model()(torch.zeros(1, 3, 32, 30))
