"""The semantic error map. Truth: arithmetic on small grids; damage put in one known place of a real image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from vitiq.cli.score import command
from vitiq.image.io import read_image, write_png
from vitiq.metrics.semantic.tiles import tiling
from vitiq.metrics.semantic.vit_map import meaning_map, patch_losses, quiet_corners, spread
from vitiq.report.maps import over_image
from vitiq.types import ImageU8


def test_losses_are_the_geometric_mean_of_the_later_levels() -> None:
    distances = np.array([[[9.0, 9.0], [1.0, 0.0], [4.0, 1.0]]])
    assert patch_losses(distances) == pytest.approx(np.array([[2.0, 0.0]]))


def test_corners_take_their_neighbours() -> None:
    grid = np.arange(9.0)[None]
    found = quiet_corners(grid)[0]
    assert found[0, 0] == (1 + 3) / 2
    assert found[2, 2] == (5 + 7) / 2
    assert found[1].tolist() == [3, 4, 5]


@pytest.mark.parametrize(("width", "height"), [(224, 224), (300, 231), (512, 384), (1000, 225), (100, 60)])
def test_a_constant_spreads_to_the_whole_image(width: int, height: int) -> None:
    plan = tiling(width, height, 224)
    for grid in (14, 16, 7):
        found = spread(np.full((len(plan.corners), grid, grid), 0.25), plan)
        cell = {14: 4, 16: 2, 7: 4}[grid]
        assert found.shape == (-(-plan.height // cell), -(-plan.width // cell))
        assert found == pytest.approx(0.25)


def test_the_map_finds_the_damage(bundled: dict[str, ImageU8]) -> None:
    image = bundled["animal"]
    damaged = image.copy()
    damaged[40:136, 300:396] = 128
    found = meaning_map(image, damaged)
    rows, columns = found.loss.shape
    y, x = np.unravel_index(int(found.loss.argmax()), found.loss.shape)
    height, width, _ = image.shape
    assert 40 <= y * height / rows <= 136
    assert 300 <= x * width / columns <= 396
    assert found.attention.sum() == pytest.approx(1, abs=1e-5)
    assert "vit-map|tiles:" in found.signature
    assert not meaning_map(image, image).loss.any()


def test_the_figure_has_four_panels(bundled: dict[str, ImageU8]) -> None:
    image = bundled["graphic"][:100, :160]
    figure = over_image(image, image, np.zeros((3, 5)), np.full((2, 2), 0.25), "q 3")
    titles = [ax.get_title() for ax in figure.axes[:4]]
    assert titles == ["original", "reconstruction, q 3", "semantic error map", "attention rollout, original"]


def test_the_command_draws_files_and_folders(small: ImageU8, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_png(tmp_path / folder / "in" / "x.png", small)
    one = [str(tmp_path / side / "in" / "x.png") for side in "ab"]
    done = CliRunner().invoke(command, [*one, "-m", "mse", "--map", str(tmp_path / "map.png")])
    assert done.exit_code == 0, done.output
    assert read_image(tmp_path / "map.png").shape[1] > 1000
    both = [str(tmp_path / side) for side in "ab"]
    assert CliRunner().invoke(command, [*both, "-m", "mse", "--map", str(tmp_path / "maps")]).exit_code == 0
    assert (tmp_path / "maps" / "in" / "x.png").is_file()
