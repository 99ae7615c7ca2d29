import errno
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bloodcells.core.errors import InputError
from bloodcells.core.files import atomic_folder
from bloodcells.core.geometry import Box
from bloodcells.core.prepared_cells import ARRAY, INDEX, PixelWriter, open_pixels

SIZE = 8
CELLS = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)


def write(folder: Path) -> Path:
    writer = PixelWriter(folder, len(CELLS), SIZE)
    for number, cell in enumerate(CELLS):
        writer.add(f"{number}.jpg", (20 + 10 * number, 15), 31.239 - number, Box(number, 2, number + 5, 7), cell)
    writer.close()
    return folder


def test_cells_are_read_in_any_order(tmp_path: Path) -> None:
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
    assert (pixels.image_size, pixels.min_stain) == ((30, 15), 29.23)  # rounded down from 29.239


def test_an_image_that_was_not_prepared_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"9\.jpg"):
        open_pixels(write(tmp_path)).take(["0.jpg", "9.jpg"])


def test_a_damaged_array_or_one_that_does_not_fit_its_index_is_an_error(tmp_path: Path) -> None:
    write(tmp_path)
    whole = (tmp_path / ARRAY).read_bytes()
    for body in (b"", whole[:50], whole[:-1], b"no array" * 100):
        (tmp_path / ARRAY).write_bytes(body)
        with pytest.raises(InputError, match="dvc repro prepare"):
            open_pixels(tmp_path)
    (tmp_path / ARRAY).write_bytes(whole)
    (tmp_path / INDEX).write_text("image,left,top,side,width,height,stain\n0.jpg,0,2,5,20,15,30\n")
    with pytest.raises(InputError, match="3 cells but 1 in its index"):
        open_pixels(tmp_path)
    (tmp_path / ARRAY).unlink()
    with pytest.raises(InputError, match="dvc repro prepare"):
        open_pixels(tmp_path)


@pytest.mark.parametrize("cell", [CELLS[0][:4], CELLS[0].astype(np.float32), CELLS[0][..., :1]])
def test_pixels_of_the_wrong_shape_or_type_are_an_error(tmp_path: Path, cell: Any) -> None:
    with pytest.raises(ValueError, match="expected uint8 pixels"):
        PixelWriter(tmp_path, 1, SIZE).add("a.jpg", (1, 1), 30.0, Box(0, 0, 1, 1), cell)


class FullFile(io.FileIO):
    """A file on a disk that has room only for the header."""

    def write(self, data: Any) -> int:
        if len(data) > 128:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


def test_a_full_disk_is_an_error_and_not_a_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing to a memory-mapped array on a full disk ends the process with SIGBUS, and leaves a partial file."""

    def full(path: Path, mode: str = "r", *_: Any, **__: Any) -> io.FileIO:
        return FullFile(path, mode.replace("b", ""))

    def no_map(*_: Any, **__: Any) -> None:
        raise AssertionError("a memory-mapped array can't report a full disk")

    monkeypatch.setattr(Path, "open", full)
    monkeypatch.setattr(np.lib.format, "open_memmap", no_map)
    monkeypatch.setattr(np, "memmap", no_map)
    with pytest.raises(OSError) as caught, atomic_folder(tmp_path / "pixels") as folder:
        write(folder)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "pixels"))
    assert list(tmp_path.iterdir()) == []
