from pathlib import Path

import pytest

from bloodcells.core.errors import InputError
from bloodcells.datasets.labels import LabelRow, image_name, parse_category, read_label_table

HEADER = ",Image,Category\r\n"


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("NEUTROPHIL", ("neutrophil",)),
        (" Eosinophil\t", ("eosinophil",)),
        ("NEUTROPHIL, EOSINOPHIL", ("neutrophil", "eosinophil")),
        ("NEUTROPHIL,EOSINOPHIL", ("neutrophil", "eosinophil")),
        ("monocyte ,  monocyte", ("monocyte", "monocyte")),
        ("BASOPHIL", ("basophil",)),
        ("", ()),
        ("  ", ()),
    ],
)
def test_spellings_of_a_category(text: str, labels: tuple[str, ...]) -> None:
    assert parse_category(text) == labels


@pytest.mark.parametrize("text", ["NEUTROFIL", "NEUTROPHIL; EOSINOPHIL", "NEUTROPHIL,", "nan", "0"])
def test_an_unknown_label_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_category(text)


def test_an_image_is_given_by_its_number_or_its_name() -> None:
    assert image_name("7") == image_name(" 00007 ") == "BloodImage_00007.jpg"
    assert image_name("123456") == "BloodImage_123456.jpg"
    assert image_name("smear 12.PNG") == "smear 12.PNG"


@pytest.mark.parametrize("text", ["", "..", "../a.jpg", "/etc/passwd", "a\\b.jpg", "a\nb.jpg", "n" * 300, "9" * 5000])
def test_what_is_not_a_file_name_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        image_name(text)


def read(tmp_path: Path, text: str | bytes) -> list[LabelRow]:
    path = tmp_path / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_label_table(path)


def test_the_published_table_is_read(tmp_path: Path) -> None:
    rows = read(tmp_path, HEADER + ',0,NEUTROPHIL\r\n,1,"NEUTROPHIL, EOSINOPHIL"\r\n,2,\r\n,8, BASOPHIL \r\n')
    assert rows == [
        LabelRow(2, "BloodImage_00000.jpg", ("neutrophil",)),
        LabelRow(3, "BloodImage_00001.jpg", ("neutrophil", "eosinophil")),
        LabelRow(4, "BloodImage_00002.jpg", ()),
        LabelRow(5, "BloodImage_00008.jpg", ("basophil",)),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffImage,Category\na.jpg,monocyte\n",  # as Excel writes UTF-8
        "Category,Note,Image\nmonocyte,,a.jpg\n",
        "Image,Category\ra.jpg,monocyte\r",
        "Image,Category,,\na.jpg,monocyte,,,,\n",  # empty cells to the right, as spreadsheets leave them
        'Image, Category\na.jpg, "monocyte"\n\n',
        'Image,Category,Note\n"a.jpg","monocyte","two\nlines"\n',
    ],
)
def test_other_forms_of_a_table_are_read(tmp_path: Path, text: str) -> None:
    assert [(row.image, row.labels) for row in read(tmp_path, text)] == [("a.jpg", ("monocyte",))]


def test_lines_are_counted_as_in_an_editor(tmp_path: Path) -> None:
    rows = read(tmp_path, 'Image,Category,Note\n1,monocyte,"two\nlines"\n\n2,,a\x0cb\u2028c\x1cd\n3,monocyte,\n')
    assert [row.line for row in rows] == [3, 5, 6]


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("", 1, "no columns Image"),
        ("number,label\n1,monocyte\n", 1, "no columns Image and no columns Category (found: number, label)"),
        ("Image;Category\n1;monocyte\n", 1, "commas"),
        ("Image,Category,Category\n1,monocyte,neutrophil\n", 1, "2 columns Category"),
        (HEADER + ",0,NEUTROPHIL\r\n,1,NEUTROFIL\r\n", 3, "'neutrofil' for BloodImage_00001.jpg"),
        (HEADER + ",0,NEUTROPHIL, EOSINOPHIL\r\n", 2, "quotes"),  # else the second cell would be lost
        (HEADER + ",0,NEUTROPHIL\r\n,1,MONOCYTE\r\n,0,NEUTROPHIL\r\n", 4, "is already in line 2"),
        ("Image,Category\n3,monocyte\nBloodImage_00003.jpg,\n", 3, "is already in line 2"),
        (HEADER + ",../../secret.jpg,NEUTROPHIL\r\n", 2, "is not an image"),
        (HEADER + ",,NEUTROPHIL\r\n", 2, "is not an image"),
        (HEADER + ',0,"NEUTROPHIL\r\n' + ",1,NEUTROPHIL\r\n" * 9999, 1, "quotation mark"),
        ((HEADER + ",0,MONOCYTE\r\n").encode("utf-16"), 1, "UTF-8"),
        ((HEADER + ",0,MONOCYTE\r\n").encode("utf-16-le"), 1, "UTF-8"),
        ((HEADER + ",0,MONOCYTE\r\n").encode("utf-16-be"), 1, "UTF-8"),
        ((HEADER + ",0,MONOCYTE\r\n,1,éosinophil\r\n").encode("latin-1"), 3, "UTF-8"),
    ],
)
def test_an_error_names_the_line(tmp_path: Path, text: str | bytes, line: int, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'labels.csv'}, line {line}: ")
    assert expected in str(caught.value)


def test_a_missing_table_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"labels\.csv is missing"):
        read_label_table(tmp_path / "labels.csv")
    (tmp_path / "labels.csv").mkdir()
    with pytest.raises(InputError, match="can't be read"):
        read_label_table(tmp_path / "labels.csv")
