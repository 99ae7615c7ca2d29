"""A tiny data set in the published layout, and archives of it."""

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from bloodcells.datasets.fingerprint import Checksums, hash_files
from bloodcells.datasets.layout import Layout

CLASSES = ("eosinophil", "lymphocyte", "monocyte", "neutrophil")
"""The classes of the data sets that these tests make."""

LAYOUT = Layout("JPEGImages", "labels.csv", ("Annotations",))

FILES = {
    "labels.csv": b",Image,Category\r\n,0,NEUTROPHIL\r\n,1,MONOCYTE\r\n",
    "JPEGImages/BloodImage_00000.jpg": b"first image" * 2000,
    "JPEGImages/BloodImage_00001.jpg": b"second image" * 2000,
    "Annotations/BloodImage_00000.xml": b"<annotation/>",
}
IMAGES = {name: body for name, body in FILES.items() if name != "labels.csv"}


def write(folder: Path, files: Mapping[str, bytes] = FILES) -> Path:
    for name, body in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder


def read(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def checksums(folder: Path, files: Mapping[str, bytes] = FILES) -> Checksums:
    """Return the checksums of the files; `folder` is for temporary use."""
    write(folder, files)
    return hash_files({name: folder / name for name in files})


def tar(files: Mapping[str, bytes], top: str = "dataset-bebbc65/", mode: str = "w:gz") -> bytes:
    """Pack the files below one folder, as GitHub does."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, body in files.items():
            info = tarfile.TarInfo(top + name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def zipped(files: Mapping[str, bytes], top: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(top + name, body)
    return buffer.getvalue()
