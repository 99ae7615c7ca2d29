from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from bloodcells.cli.predict.preprocessing import Sample, preprocess
from bloodcells.core.errors import InputError
from bloodcells.core.geometry import Box
from bloodcells.imaging.localization import find_stain_peaks
from bloodcells.inference.predictor import Predictor
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import MEAN, STD
from tests.cli.predict.slides import MIDDLE, PLASMA, PURPLE, slide


def see(
    path: Path,
    kind: str = "crop",
    thumbnail: int = 160,
    image_size: tuple[int, int] | None = (640, 480),
    min_stain: float | None = None,
) -> Sample:
    checkpoint = Checkpoint("none", ("a", "b"), kind, 256, 64, MEAN, STD, 1, {})
    return preprocess(path, Predictor("none", checkpoint, 1.0, 0.5, 0.05, 100, 1, image_size, min_stain), thumbnail)


def test_the_cell_is_cut_in_the_smears_pixels_and_scaled_to_the_input(tmp_path: Path) -> None:
    seen = see(slide(tmp_path / "a.png", (200, 150)))
    assert seen.reasons == seen.warnings == ()
    assert seen.model_input is not None
    assert abs(seen.model_input.box.left - (200 - 128)) < 15
    assert abs(seen.model_input.box.top - (150 - 128)) < 15
    assert seen.model_input.box.right - seen.model_input.box.left == 256
    assert seen.model_input.pixels.shape == (64, 64, 3)
    assert tuple(seen.model_input.pixels[32, 32]) == PURPLE
    assert seen.thumbnail.size == (160, 120)
    assert seen.size == (640, 480)


def test_the_whole_smear_is_shown_to_a_network_that_was_trained_on_whole_ones(tmp_path: Path) -> None:
    shown = see(slide(tmp_path / "a.png", MIDDLE), kind="full").model_input
    assert shown is not None
    assert shown.box == Box(0, 0, 640, 480)
    assert tuple(shown.pixels[32, 32]) == PURPLE
    assert np.allclose(shown.pixels[0], PLASMA, atol=1)


def test_a_blank_image_shows_nothing(tmp_path: Path) -> None:
    Image.new("RGB", (640, 480), (200, 200, 200)).save(tmp_path / "blank.png")
    for kind in ("crop", "full"):
        seen = see(tmp_path / "blank.png", kind)
        assert seen.model_input is None
        assert seen.reasons == ("no stained cell",)


def test_red_cells_are_no_white_cell(tmp_path: Path) -> None:
    (doubt,) = see(slide(tmp_path / "a.png")).reasons
    assert doubt.startswith("no white cell: the strongest stain is")


def test_several_cells_are_told_with_their_places(tmp_path: Path) -> None:
    (doubt,) = see(slide(tmp_path / "a.png", (180, 240), (480, 240))).reasons
    assert doubt.startswith("several cells: at (1")
    assert " and (4" in doubt


def test_lobes_of_one_nucleus_are_one_cell(tmp_path: Path) -> None:
    image = Image.new("RGB", (640, 480), PLASMA)
    for x in (274, 366):
        ImageDraw.Draw(image).circle((x, 240), 30, fill=PURPLE)
    image.save(tmp_path / "a.png")
    assert not see(tmp_path / "a.png").reasons


def test_a_cell_at_the_edge_is_cut_off(tmp_path: Path) -> None:
    assert see(slide(tmp_path / "a.png", (635, 240))).reasons == ("the cell is cut off by the edge of the image",)
    assert not see(slide(tmp_path / "b.png", (580, 240))).reasons


@pytest.mark.parametrize(("size", "warned"), [((1270, 950), True), ((330, 250), True), ((720, 576), False)])
def test_another_magnification_is_warned_of(tmp_path: Path, size: tuple[int, int], warned: bool) -> None:
    seen = see(slide(tmp_path / "a.png", (size[0] // 2, size[1] // 2), size=size))
    assert bool(seen.warnings) is warned
    assert not warned or f"{size[0]}×{size[1]} pixels" in seen.warnings[0]


@pytest.mark.parametrize("size", [(64, 48), (320, 240), (1280, 480)])
def test_a_magnification_far_off_is_no_answer(tmp_path: Path, size: tuple[int, int]) -> None:
    seen = see(slide(tmp_path / "a.png", (size[0] // 2, size[1] // 2), size=size))
    assert seen.reasons[0].startswith(f"{size[0]}×{size[1]} pixels, but the network was trained on 640×480: scale")
    assert not seen.warnings


@pytest.mark.parametrize("known", [(1280, 960), None])
def test_the_size_is_held_against_that_of_the_smears_trained_on(tmp_path: Path, known: tuple[int, int] | None) -> None:
    seen = see(slide(tmp_path / "a.png", (640, 480), size=(1280, 960)), image_size=known)
    assert not any("pixels" in said for said in (*seen.reasons, *seen.warnings))
    small = see(slide(tmp_path / "b.png", MIDDLE), image_size=known)
    assert any("trained on 1280×960" in doubt for doubt in small.reasons) is (known is not None)


def test_a_cell_no_paler_than_those_trained_on_is_a_cell(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    image = Image.new("RGB", (640, 480), PLASMA)
    ImageDraw.Draw(image).circle(MIDDLE, 50, fill=(210, 185, 205))
    image.save(path)
    (doubt,) = see(path).reasons
    assert doubt.startswith("no white cell: the strongest stain is")
    assert not see(path, min_stain=12.0).reasons
    assert see(path, min_stain=30.0).reasons == see(path).reasons  # darker cells alone make no cell of a paler one


def test_a_file_that_is_no_image_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("text")
    with pytest.raises(InputError, match=r"a.jpg is not an image that can be read: fetch it again$"):
        see(tmp_path / "a.jpg")


def test_the_strongest_stain_comes_first_and_neighbours_are_one(tmp_path: Path) -> None:
    path = slide(tmp_path / "a.png", (120, 240), stain=(150, 100, 180))
    image = Image.open(path)
    image.paste(PURPLE, (460, 200, 560, 300))
    points = find_stain_peaks(image)
    assert abs(points[0].x - 510) < 10
    assert abs(points[1].x - 120) < 20
    assert points[0].stain > points[1].stain
