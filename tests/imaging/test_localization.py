import pytest
from PIL import Image, ImageDraw

from bloodcells.core.errors import InputError
from bloodcells.core.geometry import Box
from bloodcells.datasets.synthetic.plan import plan_smears
from bloodcells.datasets.synthetic.scene import render
from bloodcells.imaging.cropping import crop_around
from bloodcells.imaging.localization import cell_point, find_cell, find_stain_peaks

PURPLE, PINK, PLASMA = (120, 60, 160), (205, 150, 140), (225, 220, 215)


def smear(size: tuple[int, int], at: tuple[float, float], radius: float) -> Image.Image:
    """Draw a purple disc among pink ones, and a purple speck far from it."""
    image = Image.new("RGB", size, PLASMA)
    draw = ImageDraw.Draw(image)
    for x in range(0, size[0], int(3 * radius)):
        for y in range(0, size[1], int(3 * radius)):
            draw.circle((x, y), radius, fill=PINK)
    draw.circle((size[0] - at[0], size[1] - at[1]), radius / 6, fill=PURPLE)
    draw.circle(at, radius, fill=PURPLE)
    return image


@pytest.mark.parametrize("scale", [0.5, 1, 3])
@pytest.mark.parametrize("at", [(200, 150), (500, 90), (90, 400), (600, 460)])
def test_the_cell_is_found_at_any_position_and_resolution(at: tuple[int, int], scale: float) -> None:
    x, y = at[0] * scale, at[1] * scale
    point = find_cell(smear((int(640 * scale), int(480 * scale)), (x, y), 45 * scale))
    assert abs(point.x - x) < 15 * scale
    assert abs(point.y - y) < 15 * scale


def test_the_strongest_stain_comes_first_and_near_maxima_are_one() -> None:
    image = smear((640, 480), (120, 240), 50)
    image.paste((90, 20, 150), (460, 200, 560, 300))
    first, second, *_ = find_stain_peaks(image)
    assert abs(first.x - 510) < 10
    assert abs(second.x - 120) < 20
    assert first.stain > second.stain


def test_synthetic_cells_of_each_class_are_found() -> None:
    scenes = {smear.cells[0]: smear for smear in plan_smears(20, seed=3) if smear.has_image and len(smear.cells) == 1}
    assert len(scenes) == 5
    for label, scene in scenes.items():
        pixels, boxes = render(scene)
        point = find_cell(Image.fromarray(pixels))
        assert any(box.contains(point) for box in boxes if box.name == "WBC"), label


@pytest.mark.parametrize("scale", [0.5, 1, 3])
def test_a_cell_in_a_box_has_the_stain_that_is_in_the_box(scale: float) -> None:
    image = smear((int(640 * scale), int(480 * scale)), (120 * scale, 240 * scale), 50 * scale)
    strongest = find_cell(image)
    box = Box(*(int(edge * scale) for edge in (60, 180, 190, 300)))
    point = cell_point(image, box)
    assert (point.x, point.y) == ((box.left + box.right) / 2, (box.top + box.bottom) / 2)
    assert point.stain == pytest.approx(strongest.stain)
    elsewhere = cell_point(image, Box(*(int(edge * scale) for edge in (400, 100, 520, 220))))
    assert elsewhere.stain < strongest.stain / 2


@pytest.mark.parametrize("size", [(1, 1), (5000, 3), (3, 5000), (640, 480)])
def test_any_box_in_an_image_has_a_stain(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, PURPLE)
    for box in (Box(0, 0, 1, 1), Box(size[0] - 1, size[1] - 1, *size), Box(0, 0, *size)):
        assert cell_point(image, box).stain > 0


@pytest.mark.parametrize("color", [(200, 200, 200), (0, 0, 0), (120, 220, 120)])
def test_an_image_without_stain_is_an_error(color: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match="no stained cell"):
        find_cell(Image.new("RGB", (64, 48), color))


@pytest.mark.parametrize("size", [(1, 1), (5000, 3), (3, 5000)])
def test_extreme_aspect_ratios_are_handled(size: tuple[int, int]) -> None:
    point = find_cell(Image.new("RGB", size, PURPLE))
    box = crop_around(point, size, 256)
    assert 0 <= point.x <= size[0]
    assert 0 <= point.y <= size[1]
    assert box.right <= size[0]
    assert box.bottom <= size[1]
    assert box.right > box.left
