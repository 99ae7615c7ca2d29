import builtins
import errno
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bloodcells.core.errors import InputError
from bloodcells.core.files import atomic_folder
from bloodcells.core.geometry import Box
from bloodcells.core.pixels import ARRAY, INDEX, PixelWriter, open_pixels
from bloodcells.imaging.cropping import cut, letterbox

SIZE = 8
CELLS = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)


def write(folder: Path) -> Path:
    writer = PixelWriter(folder, len(CELLS), SIZE)
    for number, cell in enumerate(CELLS):
        writer.add(f"{number}.jpg", (20 + 10 * number, 15), 31.239 - number, Box(number, 2, number + 5, 7), cell)
    writer.close()
    return folder


def test_what_was_written_is_read_in_any_order(tmp_path: Path) -> None:
    pixels = open_pixels(write(tmp_path))
    assert isinstance(pixels.array, np.memmap)
    assert np.array_equal(pixels.array, CELLS)
    assert np.array_equal(pixels.take(["2.jpg", "0.jpg", "2.jpg"]), CELLS[[2, 0, 2]])
    assert (tmp_path / INDEX).read_text().splitlines() == [
        "image,left,top,side,width,height,stain",
        "0.jpg,0,2,5,20,15,31.23",
        "1.jpg,1,2,5,30,15,30.23",
        "2.jpg,2,2,5,40,15,29.23",
    ]
    assert (pixels.smear, pixels.palest) == ((30, 15), 29.23)  # never above the palest, which is 29.239


def test_an_image_that_was_not_prepared_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"9\.jpg"):
        open_pixels(write(tmp_path)).take(["0.jpg", "9.jpg"])


def test_an_array_that_is_none_or_does_not_fit_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    whole = (tmp_path / ARRAY).read_bytes()
    for body in (b"", whole[:50], whole[:-1], b"no array" * 100):
        (tmp_path / ARRAY).write_bytes(body)
        with pytest.raises(InputError, match="dvc repro prepare"):
            open_pixels(tmp_path)
    (tmp_path / ARRAY).write_bytes(whole)
    (tmp_path / INDEX).write_text("image,left,top,side,width,height,stain\n0.jpg,0,2,5,20,15,30\n")
    with pytest.raises(InputError, match="3 cells and an index of 1"):
        open_pixels(tmp_path)
    (tmp_path / ARRAY).unlink()
    with pytest.raises(InputError, match="dvc repro prepare"):
        open_pixels(tmp_path)


@pytest.mark.parametrize("cell", [CELLS[0][:4], CELLS[0].astype(np.float32), CELLS[0][..., :1]])
def test_pixels_of_another_shape_or_type_are_refused(tmp_path: Path, cell: Any) -> None:
    with pytest.raises(ValueError, match="belong"):
        PixelWriter(tmp_path, 1, SIZE).add("a.jpg", (1, 1), 30.0, Box(0, 0, 1, 1), cell)


class FullFile(io.FileIO):
    """A file on a disk that has room for a header alone."""

    def write(self, data: Any) -> int:
        if len(data) > 128:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


def test_a_full_disk_is_an_error_and_no_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mapped array on a full disk ends the process by SIGBUS: no message, and what was begun stays behind."""

    def full(path: Path, mode: str = "r", *_: Any, **__: Any) -> io.FileIO:
        return FullFile(path, mode.replace("b", ""))

    def no_map(*_: Any, **__: Any) -> None:
        raise AssertionError("a mapped array can't say that the disk is full")

    monkeypatch.setattr(Path, "open", full)
    monkeypatch.setattr(np.lib.format, "open_memmap", no_map)
    monkeypatch.setattr(np, "memmap", no_map)
    with pytest.raises(OSError) as caught, atomic_folder(tmp_path / "pixels") as folder:
        write(folder)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "pixels"))
    assert list(tmp_path.iterdir()) == []
    assert builtins.open is io.open


def test_a_square_is_cut_and_scaled() -> None:
    image = Image.new("RGB", (60, 40), (10, 20, 30))
    image.paste((200, 100, 50), (20, 10, 40, 30))
    assert (cut(image, Box(20, 10, 40, 30), 20) == (200, 100, 50)).all()
    assert (cut(image, Box(24, 14, 36, 26), 32) == (200, 100, 50)).all()
    assert (cut(image, Box(0, 0, 18, 18), 32) == (10, 20, 30)).all()
    assert cut(image, Box(0, 0, 40, 40), SIZE).shape == (SIZE, SIZE, 3)


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (50, 50), (640, 1)])
def test_a_whole_frame_keeps_its_shape(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (10, 20, 30))
    result = letterbox(image, 32)
    assert result.shape == (32, 32, 3)
    assert (result == (10, 20, 30)).all()  # the rest has the median's color


def test_a_disc_in_a_whole_frame_stays_round() -> None:
    image = Image.new("RGB", (640, 480), (220, 220, 220))
    image.paste((0, 0, 0), (200, 100, 400, 300))
    rows, columns = np.nonzero(letterbox(image, 160)[..., 0] < 110)
    assert np.ptp(rows) == np.ptp(columns) == 49
    assert rows.min() == 20 + 25
