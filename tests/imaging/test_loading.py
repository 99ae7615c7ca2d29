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


def png(path: Path, width: int, height: int, bits: int, channels: int, pixels: bytes = b"") -> None:
    """Write a PNG of any bit depth, which Pillow cannot; without pixels, its first rows are noise."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    row, colour_type = width * channels * bits // 8, {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    pixels = pixels or NOISE[:row] * min(height, HEIGHT)
    lines = b"".join(b"\0" + pixels[start : start + row] for start in range(0, len(pixels), row))
    head = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, body) for kind, body in parts))


def tiff(path: Path, bits: int, planes: bool, order: str = "<", deflate: bool = False, alpha: bool = False) -> None:
    """Write an RGB TIFF of any bit depth, interleaved or planar, with noise as its pixels."""
    channels = 4 if alpha else 3
    count = channels if planes else 1
    body = (NOISE * 4)[: WIDTH * HEIGHT * channels * bits // 8]
    strips = [body[part * len(body) // count : (part + 1) * len(body) // count] for part in range(count)]
    strips = [zlib.compress(strip) for strip in strips] if deflate else strips
    tags: list[tuple[int, int, list[int]]] = [
        (256, 4, [WIDTH]),
        (257, 4, [HEIGHT]),
        (258, 3, [bits] * channels),
        (259, 3, [8 if deflate else 1]),
        (262, 3, [2]),
        (273, 4, [400 + sum(map(len, strips[:part])) for part in range(count)]),
        (277, 3, [channels]),
        (278, 4, [HEIGHT]),
        (279, 4, [len(strip) for strip in strips]),
        (284, 3, [2 if planes else 1]),
        *([(338, 3, [1])] if alpha else []),  # colors are multiplied by their opacity
    ]
    start = 8 + 2 + 12 * len(tags) + 4
    entries, beyond = b"", b""
    for tag, kind, values in tags:
        value = struct.pack(order + {3: "H", 4: "I"}[kind] * len(values), *values)
        if len(value) > 4:
            value, beyond = struct.pack(order + "I", start + len(beyond)), beyond + value
        entries += struct.pack(order + "HHI", tag, kind, len(values)) + value.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(tags)) + entries + bytes(4)
    path.write_bytes((head + beyond).ljust(400, b"\0") + b"".join(strips))


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


DEEP: dict[str, tuple[Callable[[Path], object], str, int]] = {
    "PNG": (lambda path: png(path, WIDTH, HEIGHT, 16, 3), ">", 3),
    "PNG with alpha": (lambda path: png(path, WIDTH, HEIGHT, 16, 4), ">", 4),
    "TIFF": (lambda path: tiff(path, 16, planes=False), "<", 3),
    "TIFF, big-endian": (lambda path: tiff(path, 16, planes=False, order=">"), ">", 3),
    "TIFF, compressed": (lambda path: tiff(path, 16, planes=False, deflate=True), "<", 3),
    "TIFF, compressed, big-endian": (lambda path: tiff(path, 16, planes=False, order=">", deflate=True), ">", 3),
}


@pytest.mark.parametrize("kind", DEEP)
def test_a_16_bit_image_is_scaled_from_the_range_of_the_record(tmp_path: Path, kind: str) -> None:
    make, order, channels = DEEP[kind]
    make(tmp_path / "a")
    rows = (NOISE[: WIDTH * channels * 2] * HEIGHT) if "PNG" in kind else NOISE[: WIDTH * HEIGHT * 6]
    values = np.frombuffer(rows, order + "u2").reshape(HEIGHT, WIDTH, channels)[..., :3].astype(float)
    for black, white in ((0, 65535), (1000, 4095)):
        expected = np.clip((values - black) / (white - black), 0, 1) * 255
        scaled = np.asarray(open_rgb(tmp_path / "a", range=(black, white)))
        assert np.abs(scaled - expected).max() <= 0.5


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_planes_of_a_16_bit_tiff_are_colors(tmp_path: Path, order: str) -> None:
    tiff(tmp_path / "a.tif", 16, planes=True, order=order)
    values = np.frombuffer(NOISE[: WIDTH * HEIGHT * 6], order + "u2").reshape(3, HEIGHT, WIDTH)
    scaled = np.asarray(open_rgb(tmp_path / "a.tif", range=(0, 65535)))
    assert np.abs(scaled - np.moveaxis(values, 0, -1) / 257).max() <= 0.5


def test_an_8_bit_image_is_not_scaled(tmp_path: Path) -> None:
    PICTURE.save(tmp_path / "a.png")
    assert np.array_equal(np.asarray(open_rgb(tmp_path / "a.png", range=(0, 100))), COLORS)


@pytest.mark.parametrize("suffix", ["JPG", "png", "TIF", "WebP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_upright_whatever_its_orientation(tmp_path: Path, suffix: str, orientation: int) -> None:
    """A red corner at the top left of the upright picture, which is 30 wide and 20 high."""
    stored = Image.new("RGB", (30, 20))
    stored.paste((255, 0, 0), (0, 0, 15, 10))
    undo = [None, None, *(Image.Transpose(turn) for turn in (0, 3, 1, 5, 2, 6, 4))][orientation]  # of EXIF 2 to 8
    exif = Image.Exif()
    exif[274] = orientation
    (stored if undo is None else stored.transpose(undo)).save(tmp_path / f"a.{suffix}", exif=exif)
    upright = open_rgb(tmp_path / f"a.{suffix}")
    assert upright.size == (30, 20)
    assert np.asarray(upright)[5, 7, 0] > 200
    assert all(np.asarray(upright)[y, x, 0] < 50 for x, y in ((22, 5), (22, 15), (7, 15)))


def test_damaged_exif_does_not_matter(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    PICTURE.save(tmp_path / "a.webp", lossless=True, exif=exif)
    body = (tmp_path / "a.webp").read_bytes()
    (tmp_path / "a.webp").write_bytes(body.replace(b"MM\0*", b"MX\0*").replace(b"II*\0", b"IX*\0"))
    assert np.array_equal(np.asarray(open_rgb(tmp_path / "a.webp")), COLORS)


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
    "16 bits, gray": (lambda path: png(path, WIDTH, HEIGHT, 16, 1), "is grayscale"),
    "16 bits, gray with alpha": (lambda path: png(path, WIDTH, HEIGHT, 16, 2), "is grayscale"),
    "16 bits, RGB": (lambda path: png(path, WIDTH, HEIGHT, 16, 3), "images.range into the record"),
    "16 bits, RGBA": (lambda path: png(path, WIDTH, HEIGHT, 16, 4), "more than 8 bits"),
    "16 bits, gray TIFF": (
        lambda path: Image.fromarray(np.zeros((8, 8), np.uint16)).save(path, "TIFF"),
        "is grayscale",
    ),
    "16 bits, RGB TIFF": (lambda path: tiff(path, bits=16, planes=False), "more than 8 bits"),
    "16 bits, RGB TIFF in planes": (lambda path: tiff(path, bits=16, planes=True), "more than 8 bits"),
    "floats": (lambda path: Image.fromarray(np.zeros((8, 8), np.float32)).save(path, "TIFF"), "is grayscale"),
    "16 bits, RGB TIFF in compressed planes": (
        lambda path: tiff(path, bits=16, planes=True, deflate=True),
        "in a form that can't be read",
    ),
    "16 bits, RGB TIFF with opacity": (
        lambda path: tiff(path, bits=16, planes=False, alpha=True),
        "in a form that can't be read",
    ),
    "huge": (lambda path: png(path, 10_000, 10_000, 8, 3), "50 million pixels"),
    "a bomb": (lambda path: png(path, 60_000, 60_000, 8, 3), "50 million pixels"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_any_other_file_is_an_error_that_names_it(tmp_path: Path, kind: str) -> None:
    make, expected = WRONG[kind]
    path = tmp_path / "BloodImage_00000.jpg"
    make(path)
    range_ = (0, 4095) if "form" in expected else None
    with pytest.raises(InputError, match=expected) as caught:
        open_rgb(path, range=range_)
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
