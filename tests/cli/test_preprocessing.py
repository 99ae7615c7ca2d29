from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from bloodcells.cli.preprocessing import Sample, preprocess
from bloodcells.core.errors import InputError
from bloodcells.core.geometry import Box
from bloodcells.inference.predictor import Predictor
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import MEAN, STD
from tests.cli.slides import MIDDLE, PLASMA, PURPLE, slide
from tests.imaging.test_loading import png


def sample(
    path: Path,
    kind: str = "crop",
    thumbnail: int = 160,
    image_size: tuple[int, int] | None = (640, 480),
    min_stain: float | None = None,
    cell: Box | None = None,
    limits: tuple[float, float] | None = None,
) -> Sample:
    checkpoint = Checkpoint("none", ("a", "b"), kind, 256, 64, MEAN, STD, 1, {})
    predictor = Predictor("none", checkpoint, 1.0, 0.5, 0.05, 100, 1, image_size, min_stain, limits)
    return preprocess(path, predictor, thumbnail, cell)


def test_the_crop_is_measured_in_pixels_of_the_image_and_scaled_to_the_input(tmp_path: Path) -> None:
    one = sample(slide(tmp_path / "a.png", (200, 150)))
    assert one.reasons == one.warnings == ()
    assert one.model_input is not None
    assert abs(one.model_input.box.left - (200 - 128)) < 15
    assert abs(one.model_input.box.top - (150 - 128)) < 15
    assert one.model_input.box.right - one.model_input.box.left == 256
    assert one.model_input.pixels.shape == (64, 64, 3)
    assert tuple(one.model_input.pixels[32, 32]) == PURPLE
    assert one.thumbnail.size == (160, 120)
    assert one.size == (640, 480)


def test_the_full_image_is_the_input_of_a_network_trained_on_full_images(tmp_path: Path) -> None:
    model_input = sample(slide(tmp_path / "a.png", MIDDLE), kind="full").model_input
    assert model_input is not None
    assert model_input.box == Box(0, 0, 640, 480)
    assert tuple(model_input.pixels[32, 32]) == PURPLE
    assert np.allclose(model_input.pixels[0], PLASMA, atol=1)


def test_16_bit_images_are_scaled_as_the_training_images_were(tmp_path: Path) -> None:
    path = slide(tmp_path / "a.png", MIDDLE)
    shallow = sample(path).model_input
    with Image.open(path) as image:
        pixels = (np.asarray(image).astype(np.uint16) * 16).astype(">u2").tobytes()
    png(path, 640, 480, bits=16, channels=3, pixels=pixels)
    with pytest.raises(InputError, match="16"):
        sample(path)
    deep = sample(path, limits=(0, 255 * 16)).model_input
    assert shallow is not None
    assert deep is not None
    assert np.array_equal(deep.pixels, shallow.pixels)


def test_a_cell_in_a_box_is_not_searched_for_and_others_do_not_count(tmp_path: Path) -> None:
    path = slide(tmp_path / "a.png", (180, 240), (460, 240), stain=PURPLE)
    assert any("several cells" in reason for reason in sample(path).reasons)
    one = sample(path, cell=Box(410, 190, 510, 290))
    assert one.reasons == ()
    assert one.model_input is not None
    assert one.model_input.box == Box(332, 112, 588, 368)


def test_a_cell_in_a_box_is_checked_for_its_stain_and_for_the_edge(tmp_path: Path) -> None:
    path = slide(tmp_path / "a.png", (600, 240))
    assert sample(path, cell=Box(540, 180, 640, 300)).reasons == ("the cell is cut off by the edge of the image",)
    assert sample(path, cell=Box(540, 180, 639, 300)).reasons == ()
    (reason,) = sample(path, cell=Box(150, 150, 200, 200)).reasons
    assert reason.startswith("no white cell")


def test_a_blank_image_gives_no_input(tmp_path: Path) -> None:
    Image.new("RGB", (640, 480), (200, 200, 200)).save(tmp_path / "blank.png")
    for kind in ("crop", "full"):
        one = sample(tmp_path / "blank.png", kind)
        assert one.model_input is None
        assert one.reasons == ("no stained cell",)


def test_red_cells_are_not_white_cells(tmp_path: Path) -> None:
    (reason,) = sample(slide(tmp_path / "a.png")).reasons
    assert reason.startswith("no white cell: the strongest stain is")


def test_several_cells_are_reported_with_their_positions(tmp_path: Path) -> None:
    (reason,) = sample(slide(tmp_path / "a.png", (180, 240), (480, 240))).reasons
    assert reason.startswith("several cells: at (1")
    assert " and (4" in reason


def test_lobes_of_one_nucleus_are_one_cell(tmp_path: Path) -> None:
    image = Image.new("RGB", (640, 480), PLASMA)
    for x in (274, 366):
        ImageDraw.Draw(image).circle((x, 240), 30, fill=PURPLE)
    image.save(tmp_path / "a.png")
    assert not sample(tmp_path / "a.png").reasons


def test_a_cell_at_the_edge_is_cut_off(tmp_path: Path) -> None:
    assert sample(slide(tmp_path / "a.png", (635, 240))).reasons == ("the cell is cut off by the edge of the image",)
    assert not sample(slide(tmp_path / "b.png", (580, 240))).reasons


@pytest.mark.parametrize(("size", "warned"), [((1270, 950), True), ((330, 250), True), ((720, 576), False)])
def test_another_magnification_gives_a_warning(tmp_path: Path, size: tuple[int, int], warned: bool) -> None:
    one = sample(slide(tmp_path / "a.png", (size[0] // 2, size[1] // 2), size=size))
    assert bool(one.warnings) is warned
    assert not warned or f"{size[0]}×{size[1]} pixels" in one.warnings[0]


@pytest.mark.parametrize("size", [(64, 48), (320, 240), (1280, 480)])
def test_a_very_different_magnification_is_a_reason_to_abstain(tmp_path: Path, size: tuple[int, int]) -> None:
    one = sample(slide(tmp_path / "a.png", (size[0] // 2, size[1] // 2), size=size))
    assert one.reasons[0].startswith(f"another image size: {size[0]}×{size[1]} pixels, but the network was trained on")
    assert not one.warnings


@pytest.mark.parametrize("known", [(1280, 960), None])
def test_the_size_is_compared_with_that_of_the_training_images(tmp_path: Path, known: tuple[int, int] | None) -> None:
    one = sample(slide(tmp_path / "a.png", (640, 480), size=(1280, 960)), image_size=known)
    assert not any("pixels" in text for text in (*one.reasons, *one.warnings))
    small = sample(slide(tmp_path / "b.png", MIDDLE), image_size=known)
    assert any("trained on 1280×960" in reason for reason in small.reasons) is (known is not None)


def test_a_cell_as_pale_as_training_cells_is_a_cell(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    image = Image.new("RGB", (640, 480), PLASMA)
    ImageDraw.Draw(image).circle(MIDDLE, 50, fill=(210, 185, 205))
    image.save(path)
    (reason,) = sample(path).reasons
    assert reason.startswith("no white cell: the strongest stain is")
    assert not sample(path, min_stain=12.0).reasons
    assert (
        sample(path, min_stain=30.0).reasons == sample(path).reasons
    )  # training on darker cells does not raise the limit


def test_a_file_that_is_not_an_image_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("text")
    with pytest.raises(InputError, match=r"a.jpg is not an image that can be read: fetch it again$"):
        sample(tmp_path / "a.jpg")
