import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bloodcells.core.errors import InputError
from bloodcells.imaging.loading import open_rgb

WIDTH, HEIGHT = 64, 48
COLORS = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
PICTURE = Image.fromarray(COLORS)
NOISE = np.random.default_rng(1).integers(0, 256, WIDTH * HEIGHT * 8, dtype=np.uint8).tobytes()


def png(path: Path, width: int, height: int, bits: int, channels: int) -> None:
    """Write a PNG of any bit depth, which Pillow cannot."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    row, colour_type = width * channels * bits // 8, {1: 0, 3: 2, 4: 6}[channels]
    lines = b"".join(b"\0" + NOISE[:row] for _ in range(min(height, HEIGHT)))
    head = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, body) for kind, body in parts))


def tiff(path: Path, bits: int, planes: bool) -> None:
    """Write an RGB TIFF of any bit depth, interleaved or planar."""
    size = WIDTH * HEIGHT * bits // 8
    count = 3 if planes else 1
    start = 8 + 2 + 10 * 12 + 4
    tags: list[tuple[int, int, list[int]]] = [
        (256, 4, [WIDTH]),
        (257, 4, [HEIGHT]),
        (258, 3, [bits] * 3),
        (259, 3, [1]),
        (262, 3, [2]),
        (273, 4, [start + 30 + plane * size for plane in range(count)]),
        (277, 3, [3]),
        (278, 4, [HEIGHT]),
        (279, 4, [size * 3 // count] * count),
        (284, 3, [2 if planes else 1]),
    ]
    entries, beyond = b"", b""
    for tag, kind, values in tags:
        body = struct.pack("<" + {3: "H", 4: "I"}[kind] * len(values), *values)
        if len(body) > 4:
            body, beyond = struct.pack("<I", start + len(beyond)), beyond + body
        entries += struct.pack("<HHI", tag, kind, len(values)) + body.ljust(4, b"\0")
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + beyond.ljust(30, b"\0")
    path.write_bytes(head + (NOISE * 3)[: 3 * size])


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp"])
def test_a_color_image_is_read_unchanged(tmp_path: Path, suffix: str) -> None:
    PICTURE.save(tmp_path / f"a.{suffix}", lossless=True)
    image = open_rgb(tmp_path / f"a.{suffix}")
    assert image.mode == "RGB"
    assert np.array_equal(np.asarray(image), COLORS)


def test_transparency_and_palettes_are_converted(tmp_path: Path) -> None:
    PICTURE.convert("RGBA").save(tmp_path / "a.png")
    PICTURE.quantize(64).save(tmp_path / "b.png")
    PICTURE.save(tmp_path / "c.jpg")
    assert np.array_equal(np.asarray(open_rgb(tmp_path / "a.png")), COLORS)
    assert open_rgb(tmp_path / "b.png").mode == open_rgb(tmp_path / "c.jpg").mode == "RGB"


def test_an_8_bit_planar_tiff_is_read(tmp_path: Path) -> None:
    tiff(tmp_path / "a.tif", bits=8, planes=True)
    red = np.asarray(open_rgb(tmp_path / "a.tif"))[..., 0]
    assert red.tobytes() == NOISE[: WIDTH * HEIGHT]


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "is missing"),
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "text": (lambda path: path.write_text("no image"), "is not an image"),
    "folder": (lambda path: path.mkdir(), "can't be read"),
    "loop": (lambda path: path.symlink_to(path.name), "is broken"),
    "gray": (lambda path: PICTURE.convert("L").save(path, "JPEG"), "is grayscale"),
    "black and white": (lambda path: PICTURE.convert("1").save(path, "PNG"), "is grayscale"),
    "gray with alpha": (lambda path: PICTURE.convert("LA").save(path, "PNG"), "is grayscale"),
    "CMYK": (lambda path: PICTURE.convert("CMYK").save(path, "JPEG"), "is CMYK"),
    "Lab": (lambda path: PICTURE.convert("LAB").save(path, "TIFF"), "is LAB"),
    "a program": (lambda path: PICTURE.save(path, "EPS"), "has the format EPS"),
    "16 bits, gray": (lambda path: png(path, WIDTH, HEIGHT, 16, 1), "more than 8 bits"),
    "16 bits, RGB": (lambda path: png(path, WIDTH, HEIGHT, 16, 3), "more than 8 bits"),
    "16 bits, RGBA": (lambda path: png(path, WIDTH, HEIGHT, 16, 4), "more than 8 bits"),
    "16 bits, gray TIFF": (
        lambda path: Image.fromarray(np.zeros((8, 8), np.uint16)).save(path, "TIFF"),
        "more than 8 bits",
    ),
    "16 bits, RGB TIFF": (lambda path: tiff(path, bits=16, planes=False), "more than 8 bits"),
    "16 bits, RGB TIFF in planes": (lambda path: tiff(path, bits=16, planes=True), "more than 8 bits"),
    "floats": (lambda path: Image.fromarray(np.zeros((8, 8), np.float32)).save(path, "TIFF"), "more than 8 bits"),
    "huge": (lambda path: png(path, 10_000, 10_000, 8, 3), "50 million pixels"),
    "a bomb": (lambda path: png(path, 60_000, 60_000, 8, 3), "50 million pixels"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_any_other_file_is_an_error_that_names_it(tmp_path: Path, kind: str) -> None:
    make, expected = WRONG[kind]
    path = tmp_path / "BloodImage_00000.jpg"
    make(path)
    with pytest.raises(InputError, match=expected) as caught:
        open_rgb(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "bmp", "gif", "webp"])
def test_a_truncated_image_is_an_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    PICTURE.save(path)
    whole, body = open_rgb(path).tobytes(), path.read_bytes()
    for end in [*range(0, len(body), len(body) // 40), len(body) - 1]:
        path.write_bytes(body[:end])
        try:
            assert open_rgb(path).tobytes() == whole  # truncated after the last pixel
        except InputError as error:
            assert str(error).startswith(str(path))
