import os
from pathlib import Path

import pytest

from bloodcells.core.errors import InputError
from bloodcells.datasets.tables import Table, read_table


def read(tmp_path: Path, text: str | bytes) -> Table:
    path = tmp_path / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(path)


@pytest.mark.parametrize(
    "text",
    [
        "Image,Category\na.jpg,monocyte\n",
        "\ufeffImage,Category\r\na.jpg,monocyte\r\n",  # Excel: CSV UTF-8
        "Image;Category\na.jpg;monocyte\n",
        "Image|Category\na.jpg|monocyte",
        "sep=;\r\nImage;Category\r\na.jpg;monocyte\r\n",
        '"sep=\t"\r\nImage\tCategory\r\na.jpg\tmonocyte\r\n',
        "Image,Category\ra.jpg,monocyte\r",
        "\n,,\nImage,Category,,\n,,,\na.jpg,monocyte,,,,\n,\n\n",
        'Image, Category\na.jpg, "monocyte" \n',
        '"Image" ,"Category"\n"a.jpg" ,"monocyte"\n',
        "Image\tCategory\r\na.jpg\tmonocyte\r\n".encode("utf-16"),  # Excel: Unicode text
        "\ufeffImage;Category\na.jpg;monocyte\n".encode("utf-16-be"),
    ],
)
def test_the_same_table_in_other_forms(tmp_path: Path, text: str | bytes) -> None:
    table = read(tmp_path, text)
    assert table.columns == ("Image", "Category")
    assert [row.cells for row in table.rows] == [("a.jpg", "monocyte")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    table = read(tmp_path, "Image;Größe µm\nü.jpg;12,5\n".encode(encoding))
    assert table.column("größe µm") == ["12,5"]
    assert table.column("IMAGE") == ["ü.jpg"]


@pytest.mark.parametrize(
    ("text", "columns", "cells"),
    [
        ("Image;x;y\na.jpg;1,5;2,5\nb.jpg;3,5;4,5\n", ("Image", "x", "y"), ("a.jpg", "1,5", "2,5")),
        ("Image;Size, mm\na.jpg;1,5\n", ("Image", "Size, mm"), ("a.jpg", "1,5")),
        ("Image;Cell;Size (mm, px, %)\na;m;1,5\n", ("Image", "Cell", "Size (mm, px, %)"), ("a", "m", "1,5")),
        ('Image,Category\na,"x; y; z"\nb,"u; v"\n', ("Image", "Category"), ("a", "x; y; z")),
        ('Image,Category\na,"NEUTROPHIL, Eosinophil"\n', ("Image", "Category"), ("a", "NEUTROPHIL, Eosinophil")),
        ("Image;Category;Note\na\nb;x\n", ("Image", "Category", "Note"), ("a", "", "")),
        ('Image,Lens\na,2" wide\n', ("Image", "Lens"), ("a", '2" wide')),
    ],
)
def test_the_separator_is_what_fits(
    tmp_path: Path, text: str, columns: tuple[str, ...], cells: tuple[str, ...]
) -> None:
    table = read(tmp_path, text)
    assert (table.columns, table.rows[0].cells) == (columns, cells)


def test_notes_of_several_lines_are_read_and_counted(tmp_path: Path) -> None:
    table = read(tmp_path, 'Image,Category,Note\n1,m,"two, or\nlines, ""marks"""\n\n2,,a\x0cb\u2028c\x1cd\n3,m,\n')
    assert [row.line for row in table.rows] == [2, 5, 6]
    assert table.column("note")[0] == 'two, or\nlines, "marks"'


SWALLOWING = [
    '1,a\n2,"a\n' + "3,a\n" * 40,  # to the end of the file
    '1,a\n2,"a\n3,a\n4,"a, b"\n5,a\n',  # to the next quotation mark
    '1,a\n2,"a\n3,a\n4,",\n5,a\n',
    '1,a\n2,"a\n3,a"\n4,a\n',
    '1,a\n2,"2" wide"\n3,a\n',
]


@pytest.mark.parametrize("rows", SWALLOWING)
@pytest.mark.parametrize("columns", ["Image,Category\n", "Image,Category,Note\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_stray_quotation_mark_is_an_error_that_names_its_line(
    tmp_path: Path, rows: str, columns: str, end: str
) -> None:
    if "Note" in columns:
        rows = rows.replace("a\n", "a,\n").replace('a"\n', 'a",\n')
    with pytest.raises(InputError, match="line 3: a quotation mark opens"):
        read(tmp_path, (columns + rows).replace("\n", end))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty"),
        ("\n,,,\n", "is empty"),
        ("Image,Category\n1,a\n2,a, b\n", "line 3: 3 cells, but the header in line 1 names 2;"),
        ("Image,Category,,\n1,a\n2,a, b,\n", "line 3: 3 cells"),
        (b"PK\x03\x04\x14\0", "spreadsheet"),
        (bytes(range(256)), "not text"),
        ("Image,Category\n1,a\n".encode("utf-16-le"), "line 1: not text"),
        (b"Image,Category\n1,a\n2,a\0b\n", "line 3: not text"),
        (b"Image,Category\n1,\x81\n", "line 2: not text"),
        ("Image,Category\n1,é\n".encode() + "2,é\n".encode("cp1252"), "line 3: not text"),
        ("\ufeffImage,Category\n".encode("utf-16-le") + b"1", "not text"),
    ],
)
def test_an_error_names_the_file_and_the_line(tmp_path: Path, text: str | bytes, expected: str) -> None:
    with pytest.raises(InputError, match=expected) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "labels.csv"))


def test_columns_that_are_missing_or_double_are_an_error(tmp_path: Path) -> None:
    table = read(tmp_path, "\nimage ID,class label,Class Label , \n1,2,3\n")
    with pytest.raises(InputError, match=r"line 2: no column 'Image' \(did you mean 'image ID'.*image ID, class label"):
        table.column("Image")
    with pytest.raises(InputError, match="2 columns 'CLASS LABEL' and no column 'Patient'"):
        table.indices(["CLASS LABEL", "Patient"])


def test_what_is_not_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "folder", tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(InputError, match="is not a file"):
            read_table(path)
    with pytest.raises(InputError, match="is missing"):
        read_table(tmp_path / "labels.csv")
