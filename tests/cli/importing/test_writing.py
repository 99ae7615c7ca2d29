from pathlib import Path

import pytest

from bloodcells.cli.importing.classes import Wishes
from bloodcells.cli.importing.planning import Options
from bloodcells.cli.importing.writing import check_target, write_data_set
from bloodcells.core.errors import InputError
from bloodcells.datasets.labels import read_labels, resolve_classes
from bloodcells.datasets.record import read_record
from tests.support import smallset
from tests.support.laboratory import labels, photographs, plan, second_laboratory, table

NAMES = [f"a {number}.png" for number in range(20)]


def laboratory(folder: Path) -> Path:
    photographs(folder, NAMES)
    rows = zip(NAMES, labels(20, ("Yes: really", "1", "null value", "it's # odd")), strict=True)
    table(folder / "t.csv", ("image: name", "label # 1"), rows)
    return folder


def test_the_record_is_read_as_it_was_planned(tmp_path: Path) -> None:
    wishes = Wishes(labels={"1": "neutrophil", "it's # odd": "drop"})
    made = plan(laboratory(tmp_path / "lab"), Options(classes=wishes, crop=40))
    write_data_set("odd", 'Cells: "odd" # ones', made, tmp_path / "datasets")
    record = read_record("odd", tmp_path / "datasets")
    source = tmp_path / "datasets" / "odd" / "source"
    rows = read_labels(record, source)
    assert record.title == 'Cells: "odd" # ones'
    assert resolve_classes(record, rows) == ("neutrophil", "null value", "yes: really")
    assert {row.labels[0] for row in rows} == {"neutrophil", "null value", "yes: really", "it's # odd"}
    assert record.parameters == made.record["parameters"]
    assert smallset.read(source) == smallset.read(tmp_path / "lab")


def test_every_key_of_a_record_survives(tmp_path: Path) -> None:
    made = plan(second_laboratory(tmp_path / "lab", 30))
    write_data_set("lab", "Lab", made, tmp_path / "datasets")
    record = read_record("lab", tmp_path / "datasets").model_dump()
    assert {key: value for key, value in record["labels"].items() if value} == made.record["labels"]
    assert list(record["classes"]) == made.record["classes"]
    text = (tmp_path / "datasets" / "lab" / "record.yaml").read_text()
    order = [line.split(":")[0] for line in text.splitlines() if line[:1].isalpha()]
    assert order == ["title", "license", "citation", "source", "images", "labels", "classes", "drop", "parameters"]
    assert max(map(len, text.splitlines())) <= 120


def test_the_images_are_kept_out_of_git(tmp_path: Path) -> None:
    write_data_set("lab", "Lab", plan(laboratory(tmp_path / "lab")), tmp_path / "datasets")
    assert (tmp_path / "datasets" / "lab" / ".gitignore").read_text() == "/source\n"


def test_the_user_s_own_files_and_ignored_names_stay(tmp_path: Path) -> None:
    made = plan(laboratory(tmp_path / "lab"))
    write_data_set("lab", "Lab", made, tmp_path / "datasets")
    folder = tmp_path / "datasets" / "lab"
    own = {folder / "scans" / "source" / "a.txt": "a", folder / "scans" / "record.yaml": "b"}
    for path, text in own.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for before, after in (("/scans/", "/scans/\n/source\n"), ("/source\n/scans/\n", "/source\n/scans/\n")):
        (folder / ".gitignore").write_text(before)
        write_data_set("lab", "Lab", made, tmp_path / "datasets")
        assert (folder / ".gitignore").read_text() == after
        assert {path: path.read_text() for path in own} == own


def test_there_is_a_folder_for_corrections_which_an_import_does_not_touch_again(tmp_path: Path) -> None:
    made = plan(laboratory(tmp_path / "lab"))
    write_data_set("lab", "Lab", made, tmp_path / "datasets")
    (readme,) = (tmp_path / "datasets" / "lab" / "corrections").iterdir()
    readme.write_text("ours")
    write_data_set("lab", "Lab", made, tmp_path / "datasets")
    assert readme.read_text() == "ours"


def test_what_a_person_wrote_stays_if_a_data_set_is_replaced(tmp_path: Path) -> None:
    records = tmp_path / "datasets"
    made = plan(laboratory(tmp_path / "lab"))
    write_data_set("lab", "Lab", made, records)
    path = records / "lab" / "record.yaml"
    text = path.read_text().replace("title: Lab", "title: Ours").replace("not known", "CC0")
    path.write_text(text + "corrections: [corrections/ab.csv]\n")
    (records / "lab" / "corrections" / "ab.csv").write_text("image,old,new\n")
    (records / "lab" / "source" / "left.png").touch()
    write_data_set("lab", "Lab", made, records)
    record = read_record("lab", records)
    assert (record.title, record.license, record.corrections) == ("Ours", "CC0", ("corrections/ab.csv",))
    assert (records / "lab" / "corrections" / "ab.csv").is_file()
    assert not (records / "lab" / "source" / "left.png").exists()


def test_nothing_is_written_if_a_file_can_not_be_copied(tmp_path: Path) -> None:
    made = plan(laboratory(tmp_path / "lab"))
    (tmp_path / "lab" / NAMES[7]).unlink()
    with pytest.raises(OSError, match=NAMES[7]):
        write_data_set("lab", "Lab", made, tmp_path / "datasets")
    assert list((tmp_path / "datasets").iterdir()) == []


def test_no_other_data_set_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "published" / "record.yaml"
    path.parent.mkdir()
    path.write_text("source: published\n")
    with pytest.raises(InputError, match="of the project itself"):
        check_target("published", tmp_path, force=True)
    path.write_text("source: folder\n")
    with pytest.raises(InputError, match="--force"):
        check_target("published", tmp_path, force=False)
    check_target("published", tmp_path, force=True)
    path.unlink()
    with pytest.raises(InputError, match="without a record"):
        check_target("published", tmp_path, force=False)
    check_target("new", tmp_path, force=False)
