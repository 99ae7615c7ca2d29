import time
import unicodedata
from pathlib import Path

import pytest

from bloodcells.datasets.matching import FileNames, list_files

NFC, NFD = (unicodedata.normalize(form, "prélèvement 1.jpg") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    ("files", "text", "expected"),
    [
        (["a.jpg", "A.JPG"], "a.jpg", "a.jpg"),
        (["a.JPG"], "A.jpg", "a.JPG"),
        (["a.JPG"], "a", "a.JPG"),
        (["cell.1.tif", "cell.2.tif"], "cell.1", "cell.1.tif"),
        (["a.jpg", "a.xml", "a.txt"], "A", "a.jpg"),
        (["a.dcm"], "a.dcm", "a.dcm"),  # an exact name may have any suffix
        ([NFD], NFC, NFD),
        ([NFC], NFD.upper(), NFC),
        (["TRAIN/x/1.png", "TEST/x/1.png"], "TEST/x/1", "TEST/x/1.png"),
        (["TRAIN/x/1.png", "TRAIN/x/2.png"], "2.png", "TRAIN/x/2.png"),
        (["1.png", "x/1.png"], "1.png", "1.png"),
        (["x/1.png"], r"D:\smears\x\1.PNG", "x/1.png"),
        (["1.png"], "../data/x/1.png", "1.png"),
        (["y/A.png", "x/a.png"], "a.png", "x/a.png"),  # the case decides
        (["BloodImage_00017.jpg", "BloodImage_00117.jpg"], "17", "BloodImage_00017.jpg"),
        (["017.bmp", "1.bmp"], "17.0", "017.bmp"),
        (["7.bmp", "cell-7.bmp"], "7", "7.bmp"),
        (["2024 slide 3-07.png", "2024 slide 3-08.png"], "8", "2024 slide 3-08.png"),
    ],
)
def test_a_text_names_a_file(files: list[str], text: str, expected: str) -> None:
    assert FileNames(files).candidates(text) == [expected]
    assert FileNames(reversed(files)).candidates(text) == [expected]


@pytest.mark.parametrize(
    ("files", "text", "count"),
    [
        (["1.png"], "1.jpg", 0),
        (["y/1.png"], "x/1.png", 0),  # another patient's image, perhaps
        (["cell1_v2.png", "x.png"], "2", 0),
        (["a.jpg"], "", 0),
        (["1.jpg"], "9" * 5000, 0),
        (["001.bmp", "001.png"], "1", 2),
        (["a.bmp", "a.png"], "a", 2),
        (["x/1.png", "y/1.png"], "1.png", 2),
        (["a-17.png", "b-17.png"], "17", 2),
    ],
)
def test_a_text_that_names_none_or_several(files: list[str], text: str, count: int) -> None:
    assert len(FileNames(files).candidates(text)) == count


def test_folders_are_passed_over_if_all_texts_of_a_column_have_them() -> None:
    files = FileNames(["1.png", "2.png", "x/3.png"])
    assert files.match(["C:/lab/1.png", "C:/lab/x/3.png"]) == [["1.png"], ["x/3.png"]]
    # Another folder's image of the same name is another cell.
    assert files.match(["TRAIN/1.png", "TEST/2.png"]) == [[], []]
    assert FileNames(["1.png", "2.png"], folder="TRAIN").match(["TRAIN/1.png", "TEST/2.png"]) == [["1.png"], []]
    assert FileNames(["1.png"], folder="TRAIN").match(["D:/a/TRAIN/1.png", "D:/a/TEST/1.png"]) == [["1.png"], []]


def test_a_pattern_says_what_a_number_or_a_name_without_suffix_means() -> None:
    files = ["001.bmp", "001.png", "a.bmp", "a.png", "cell_17.png"]
    assert FileNames(files, "{:03d}.bmp").candidates("1") == ["001.bmp"]
    assert FileNames(files, "{}.bmp").candidates("001") == ["001.bmp"]
    assert FileNames(files, "{}.bmp").candidates("A") == ["a.bmp"]
    assert FileNames(files, "{}.bmp").candidates("a.png") == ["a.png"]
    assert FileNames(files, "{:03d}.bmp").candidates("17") == []  # the pattern alone says it
    assert FileNames(files, "{:03d}.BMP").candidates("1") == ["001.bmp"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("17", "cell-0017.png"),
        ("x.png", "x.png"),
        ("../../x.png", "x.png"),
        ("C:\\a\\x.png", "a/x.png"),
        ("/a/b", "a/b"),
    ],
)
def test_the_name_of_a_missing_image_stays_below_the_folder(text: str, expected: str) -> None:
    assert FileNames([], "cell-{:04d}.png").missing_name(text) == expected


@pytest.mark.parametrize("text", ["", "..", "/", "a\nb.jpg", "n" * 300])
def test_what_can_be_no_file_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        FileNames([]).missing_name(text)


def test_near_misses() -> None:
    files = FileNames([f"smear_{number:05d}.png" for number in range(2000)] + ["x/eos 1.jpg", "notes.txt"])
    assert files.near_misses("EOS1.jpg") == ["x/eos 1.jpg"]
    assert files.near_misses("smaer_00017.png")[0].startswith("smear_")
    assert "smear_00017.png" in files.near_misses("smear_00017.jpg")
    assert files.near_misses("completely different") == []


def test_files_are_listed_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b.png", "x/a.png", "x/._a.png", ".cache/c.png", "x/Thumbs.db"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list_files(tmp_path) == ["b.png", "x/a.png"]


def test_many_names_are_matched_in_time_proportional_to_their_number() -> None:
    names = [f"TRAIN/class {number % 7}/image-{number}.JPG" for number in range(20_000)]
    start = time.perf_counter()
    files = FileNames(names)
    assert all(files.candidates(f"image-{number}") == [names[number]] for number in range(20_000))
    assert files.near_misses("imgae-17.jpg")
    assert time.perf_counter() - start < 20  # all pairs would take hours
