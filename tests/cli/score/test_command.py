import csv
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from markdown_it import MarkdownIt
from PIL import Image, ImageDraw

from bloodcells.cli.main import main
from bloodcells.cli.score import run
from bloodcells.core.files import write_csv
from bloodcells.datasets.corrections import COLUMNS
from tests.cli.score import lab
from tests.cli.slides import PROBABILITIES, checkpoint, names, predictor, slide
from tests.datasets.test_boxes import voc
from tests.imaging.test_loading import png
from tests.support import project, workplace

PAGE = Path("plots/lab/external/tiny")
BALANCED = [*lab.CLASSES] * 15


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is right in nearly every cell of the drawn smears."""
    folder = tmp_path_factory.mktemp("trained")
    return lab.model(folder / "tiny.ckpt")


@pytest.fixture
def root(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a project with the file of that model."""
    shutil.copy(trained, lab.root(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def score(*words: str) -> dict[str, dict[str, str]]:
    """Test the model, and return the table of scores by the name of the score."""
    main(["score", *(words or ("tiny.ckpt", "lab"))])
    return {row["score"]: row for row in workplace.table(PAGE / "scores.csv")}


def counts(row: dict[str, str]) -> tuple[int, int]:
    return int(row["part"]), int(row["cells"])


def error(*words: str) -> str:
    with pytest.raises(SystemExit, match=r"^error: ") as ended:
        main(["score", *(words or ("tiny.ckpt", "lab"))])
    return str(ended.value)


def text(path: Path = PAGE / "page.md") -> str:
    """Return a page without its line breaks."""
    return " ".join(path.read_text().split())


def test_shuffled_labels_are_told_as_chance_and_as_a_target_that_is_not_kept(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shuffled = np.random.default_rng(3).permutation(BALANCED)
    lab.write(root, "lab", [f"{kind}:{label}" for kind, label in zip(BALANCED, shuffled, strict=True)])
    found = score()
    accuracy = found["accuracy"]
    assert float(accuracy["low"]) < 0.25 < float(accuracy["high"])
    assert counts(accuracy) == (sum(a == b for a, b in zip(BALANCED, shuffled, strict=True)), len(BALANCED))
    assert found["error rate of answers"]["target_kept"] == "not kept"
    assert "is **not kept**" in text()
    printed = capsys.readouterr().out
    assert "5 %: NOT kept" in printed
    assert "overconfident" in printed
    assert max(map(len, printed.splitlines())) < 80


def test_every_cell_gets_what_predict_says_of_its_image(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lab.model(Path("tiny.ckpt"), threshold=0.999)  # about as many above as below
    lab.write(root, "lab", [*BALANCED[:16], "two:neutrophil"])
    score()
    capsys.readouterr()
    main(["predict", "datasets/lab/source/images", "--model", "tiny.ckpt", "--csv"])
    predicted = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    rows = workplace.table(PAGE / "predictions.csv")
    assert [Path(row["image"]).name for row in predicted] == [row["image"] for row in rows]
    assert {row["verdict"] for row in rows} > {"abstains"}
    for column in ("verdict", "confidence", "reasons", *lab.CLASSES):
        assert [row[column] for row in predicted] == [row[column] for row in rows]
    assert names(PAGE) == ["page.md", "predictions.csv", "reliability.csv", "scores.csv"]


def test_a_good_model_keeps_its_target_if_there_are_enough_answers(root: Path) -> None:
    lab.write(root, "lab", [*lab.CLASSES] * 20)
    found = score()
    assert counts(found["coverage"]) == (80, 80)
    assert counts(found["error rate of answers"]) == (0, 80)
    assert found["error rate of answers"]["target_kept"] == "kept"
    assert "is **kept**" in text()
    assert sum(int(row["cells"]) for row in workplace.table(PAGE / "reliability.csv")) == 2 * 80  # raw and scaled


def test_without_enough_answers_nobody_can_tell(root: Path) -> None:
    lab.write(root, "lab", BALANCED)
    assert score()["error rate of answers"]["target_kept"] == "can't tell"
    assert "at least 73 answers" in text()


def test_answers_for_a_class_that_the_model_does_not_know_are_counted_as_wrong(root: Path) -> None:
    classes = [*lab.CLASSES, "basophil"]
    lab.write(root, "lab", [*BALANCED, *["basophil"] * 5, "two:neutrophil, monocyte"], classes=classes)
    found = score()
    assert counts(found["accuracy"]) == (60, 60)
    assert counts(found["answered: basophil"]) == (5, 5)
    assert counts(found["answered: several labels"]) == (0, 1)
    assert counts(found["error rate of answers"]) == (0, 60)
    assert counts(found["error rate of answers, unknown classes included"]) == (5, 65)
    assert "5 of 5 cells of basophil, most often with neutrophil" in text()


def test_abstentions_are_counted_by_their_reason(root: Path) -> None:
    lab.write(root, "lab", [*BALANCED, "two:neutrophil", "two:neutrophil"])
    found = score()
    assert counts(found["coverage"]) == (60, 62)
    assert "| several cells | 2 |" in text()
    assert counts(found["accuracy"])[1] == 62  # the forced choice


def test_classes_are_matched_by_name_without_case_and_through_the_label_map(root: Path) -> None:
    spelled = {"monocyte": "Monocyte", "neutrophil": "seg"}
    labels = [f"{name}:{spelled.get(name, name)}" for name in BALANCED if name != "eosinophil"]
    lab.write(root, "lab", labels, classes=["lymphocyte", "Monocyte", "Neutrophil"], label_map={"seg": "Neutrophil"})
    found = score()
    assert counts(found["sensitivity: neutrophil"]) == counts(found["sensitivity: monocyte"]) == (15, 15)
    assert "sensitivity: eosinophil" not in found
    assert "The model also knows eosinophil, of which there is no cell here" in text()


def test_rows_that_can_t_be_tested_are_told(root: Path) -> None:
    source = lab.write(root, "lab", [*BALANCED, "neutrophil", "neutrophil", "", "smudge"], drop=["smudge"])
    (source / "images" / "060.png").write_bytes(b"no image")
    (source / "images" / "061.png").unlink()
    assert counts(score()["coverage"]) == (60, 60)
    page = text()
    for reason in ("the image can't be read", "no image", "no label", "smudge, which the record drops"):
        assert f"| {reason} | 1 |" in " ".join(page.split())
    assert [row["image"] for row in workplace.table(PAGE / "predictions.csv") if row["verdict"] == "error"] == [
        "060.png"
    ]


def test_corrections_of_the_labels_are_applied(root: Path) -> None:
    lab.write(root, "lab", ["neutrophil:monocyte", *BALANCED], corrections=["corrections/ab.csv"])
    rows = [("000.png", "monocyte", "neutrophil", "AB", "", ""), ("001.png", "eosinophil", "drop", "AB", "", "")]
    write_csv(Path("datasets/lab/corrections/ab.csv"), COLUMNS, rows)
    assert counts(score()["accuracy"]) == (60, 60)
    assert "| a correction drops it | 1 |" in text()
    assert "Labels that the record's corrections change: 2." in text()


def test_a_plain_checkpoint_has_no_target(root: Path) -> None:
    checkpoint(PROBABILITIES).save(Path("tiny.ckpt"))
    lab.write(root, "lab", BALANCED)
    found = score()
    assert found["error rate of answers"]["target_kept"] == ""
    assert counts(found["error rate of answers"]) == (45, 60)
    assert {row["probabilities"] for row in workplace.table(PAGE / "reliability.csv")} == {"raw"}


def test_the_synthetic_smears_of_another_generator_seed_can_be_tested(root: Path, raw: Path) -> None:
    """Rows as the published table has them: without an image, with two cells, with a dropped class."""
    shutil.copytree(raw, "artifacts/rendered/raw")
    Path("datasets/rendered").mkdir(parents=True)
    shutil.copy(project.ROOT / "datasets" / "rendered" / "record.yaml", "datasets/rendered")
    main(["score", "tiny.ckpt", "rendered", "--output", "out"])
    rows = workplace.table(Path("out/predictions.csv"))
    assert len(rows) == sum(
        "," in row["Category"] or row["Category"].strip().lower() in lab.CLASSES
        for row in (
            row
            for row in workplace.table(raw / "labels.csv")
            if (raw / "JPEGImages" / f"BloodImage_{int(row['Image']):05d}.jpg").is_file()
        )
    )
    assert {row["actual"] for row in rows} == {*lab.CLASSES, "several labels"}
    page = text(Path("out/page.md"))
    assert "| basophil, which the record drops |" in page
    assert "| no image |" in page


def two_in_boxes(root: Path) -> None:
    """Write smears with two white cells each: a neutrophil on the left, a monocyte on the right."""
    folder = root / "datasets" / "lab" / "source"
    for number in range(3):
        path = slide(folder / f"{number}.png", (170, 240), stain=lab.STAINS["neutrophil"])
        with Image.open(path) as image:
            ImageDraw.Draw(image).circle((470, 240), 50, fill=lab.STAINS["monocyte"])
            image.save(path)
        cells = (("neutrophil", 121, 191, 220, 290), ("monocyte", 421, 191, 520, 290))
        path.with_suffix(".xml").write_text(voc(*cells, filename=path.name))
    record = {**lab.RECORD, "images": {"folder": "."}, "labels": {"boxes": "voc"}}
    (root / "datasets" / "lab" / "record.yaml").write_text(yaml.safe_dump(record))


def test_each_box_is_a_cell(root: Path) -> None:
    two_in_boxes(root)
    found = score()
    assert counts(found["sensitivity: neutrophil"]) == counts(found["sensitivity: monocyte"]) == (3, 3)
    assert counts(found["coverage"]) == (6, 6)
    assert "6 cells of *Smears of a laboratory*, in 3 groups," in text()  # the images
    rows = workplace.table(PAGE / "predictions.csv")
    assert [row["image"] for row in rows[:2]] == ["0.png#120-190-220-290", "0.png#420-190-520-290"]


def test_a_model_of_whole_images_can_t_tell_cells_of_one_image(root: Path) -> None:
    predictor(Path("tiny.ckpt"), kind="full")
    two_in_boxes(root)
    assert "0.png shows several cells, but tiny looks at whole images" in error()


def test_deep_images_are_scaled_as_their_record_says(root: Path) -> None:
    path = lab.write(root, "lab", ["neutrophil"], images={"folder": "images", "range": [0, 255]}) / "images" / "000.png"
    with Image.open(path) as image:
        pixels = np.asarray(image).astype(">u2").tobytes()
    png(path, 640, 480, bits=16, channels=3, pixels=pixels)
    assert counts(score()["accuracy"]) == (1, 1)


def test_a_title_is_text_and_no_markdown(root: Path) -> None:
    title = "*x* <img src=a> # h | a | `b`"
    lab.write(root, "lab", BALANCED[:8], title=title)
    score()
    inline = [token for token in MarkdownIt().parse((PAGE / "page.md").read_text()) if token.type == "inline"]
    assert title in "".join(child.content for child in inline[1].children or ()).replace("\n", " ")


# ---- groups


def test_cells_of_one_patient_are_not_taken_as_independent(root: Path) -> None:
    kinds = [name for name in lab.CLASSES for _ in range(40)]
    patients = [f"P{number // 10}" for number in range(len(kinds))]
    labels = [f"{'monocyte' if number // 10 % 4 == 0 else kind}:{kind}" for number, kind in enumerate(kinds)]
    lab.write(root, "lab", labels, patients)
    grouped = score()["accuracy"]
    assert "160 cells of *Smears of a laboratory*, in 16 groups," in text()
    assert "Intervals take the 16 groups of cells" in text()
    lab.write(root, "lab", labels, patients, labels=lab.RECORD["labels"])
    alone = score()["accuracy"]
    assert "The label table has Patient" in text()
    width, narrow = (float(row["high"]) - float(row["low"]) for row in (grouped, alone))
    assert width > 1.5 * narrow
    assert grouped["value"] == alone["value"]


def test_names_of_patients_stay_out_of_what_is_committed(root: Path) -> None:
    lab.write(root, "lab", [*lab.CLASSES] * 2, ["Zoe Smith", "Jane Doe", "", "Jane Doe"] * 2)
    score()
    groups = [row["group"] for row in workplace.table(PAGE / "predictions.csv")]
    assert len(set(groups)) == 4  # two patients, and two images of no patient
    assert groups[1] == groups[3] == groups[5] == groups[7] != groups[0] == groups[4]
    assert all("Jane" not in path.read_text() for path in PAGE.iterdir())


# ---- the model's own test


def test_a_drop_against_the_internal_test_is_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lab.ran(root, Path("tiny.ckpt"), wrong=4)
    lab.write(root, "lab", [*BALANCED, *["neutrophil:monocyte"] * 30])
    main(["score", "tiny.ckpt", "lab"])
    (page,) = Path("plots/lab/external").iterdir()
    assert page.name == "rendered-tiny"
    rows = {row["score"]: row for row in workplace.table(page / "scores.csv")}
    assert float(rows["accuracy"]["internal"]) == 0.96
    assert float(rows["accuracy"]["difference"]) == pytest.approx(60 / 90 - 0.96, abs=1e-6)
    assert rows["accuracy"]["verdict"] == rows["error rate of answers"]["verdict"] == "worse than internal"
    assert rows["sensitivity: neutrophil"]["verdict"] == "no difference shown"
    assert "| worse than internal |" in text(page / "page.md")
    assert "trained on `rendered` by 0123456" in text(page / "page.md")
    printed = capsys.readouterr().out
    assert printed.startswith("tiny, trained on rendered, on lab:")
    assert "0.960: worse than internal, by -0.293" in printed
    assert max(map(len, printed.splitlines())) < 80


def test_the_internal_figures_are_those_of_the_classes_that_both_data_sets_have(root: Path) -> None:
    lab.ran(root, Path("tiny.ckpt"), wrong=4)  # one of each class
    lab.write(root, "lab", [name for name in BALANCED if name != "monocyte"], classes=[*lab.CLASSES])
    main(["score", "tiny.ckpt", "lab", "--output", str(PAGE)])
    rows = {row["score"]: row for row in workplace.table(PAGE / "scores.csv")}
    assert float(rows["accuracy"]["internal"]) == 0.96
    assert "75 cells of the classes that both data sets have" in text()
    assert rows["accuracy"]["verdict"] == "no difference shown"


def test_the_internal_test_has_groups_too(root: Path) -> None:
    widths = []
    lab.write(root, "lab", BALANCED, [f"Q{number // 6}" for number in range(len(BALANCED))])
    for group in (0, 10):
        shutil.rmtree("artifacts", ignore_errors=True)
        lab.ran(root, Path("tiny.ckpt"), wrong=10, group=group)
        main(["score", "tiny.ckpt", "lab", "--output", str(PAGE)])
        assert ("; the internal ones take the cells" in text()) is (group == 0)
        accuracy = workplace.table(PAGE / "scores.csv")[0]
        widths.append(float(accuracy["internal_high"]) - float(accuracy["internal_low"]))
    assert widths[1] > 2 * widths[0]


def test_figures_of_another_run_are_not_those_of_the_model(root: Path) -> None:
    lab.ran(root, Path("tiny.ckpt"), wrong=4)
    lab.write(root, "lab", BALANCED)
    table = Path("plots/rendered/predictions/tiny.csv")
    table.write_bytes(table.read_bytes() + b"\n")
    main(["score", "tiny.ckpt", "lab", "--output", str(PAGE)])
    assert "The internal figures are not known: plots/rendered/predictions/tiny.csv is missing, or was not" in text()
    assert not any(row["internal"] for row in workplace.table(PAGE / "scores.csv"))


def test_thresholds_of_another_run_are_not_those_of_the_model(root: Path) -> None:
    lab.ran(root, Path("tiny.ckpt"), wrong=4)
    lab.write(root, "lab", BALANCED)
    table = Path("plots/rendered/report/selective_prediction.csv")
    table.write_text(table.read_text().replace(",100,4", ",90,4"))
    main(["score", "tiny.ckpt", "lab", "--output", str(PAGE)])
    assert "does not belong to the predictions of tiny" in text()


@pytest.mark.parametrize("which", ["tiny", "tiny.ckpt", "artifacts/rendered/predictors/tiny.ckpt"])
def test_the_data_set_that_the_model_was_trained_on_is_refused(root: Path, which: str) -> None:
    lab.ran(root, Path("tiny.ckpt"), wrong=4)
    if which != "tiny.ckpt":
        Path("dvc.lock").unlink()  # the path says it as well
    lab.write(root, "rendered", BALANCED)
    assert "tiny was trained on rendered, so this would be no external test" in error(which, "rendered")


def test_images_that_the_model_was_trained_on_are_left_out(root: Path) -> None:
    lab.ran(root, Path("tiny.ckpt"), wrong=4)
    source = lab.write(root, "lab", BALANCED)
    raw = Path("artifacts/rendered/raw/JPEGImages")
    raw.mkdir(parents=True)
    for number in range(3):
        shutil.copy(source / "images" / f"00{number}.png", raw / f"another-name-{number}.png")
    assert counts(score("tiny.ckpt", "lab", "--output", str(PAGE))["coverage"]) == (57, 57)
    assert "| the same image is in rendered, on which the model was trained | 3 |" in text()
    assert "images that equal one of `rendered`, byte for byte, are left out" in text()


# ---- what is written


def test_the_same_test_gives_the_same_bytes(root: Path) -> None:
    lab.write(root, "lab", BALANCED)
    score()
    before = {name: (PAGE / name).read_bytes() for name in names(PAGE)}
    score()
    assert {name: (PAGE / name).read_bytes() for name in names(PAGE)} == before


def test_a_folder_with_other_files_is_not_replaced(root: Path) -> None:
    lab.write(root, "lab", BALANCED)
    Path("out").mkdir()
    Path("out/mine.txt").touch()
    assert "out holds mine.txt" in error("tiny.ckpt", "lab", "--output", "out")
    assert names(Path("out")) == ["mine.txt"]


def test_an_interrupt_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    lab.write(root, "lab", BALANCED)
    monkeypatch.setattr(run, "render", interrupted)
    with pytest.raises(SystemExit) as ended:
        score()
    assert ended.value.code == 130
    assert not [path for path in PAGE.parent.glob("**/*") if path.is_file()]


# ---- what is refused


def test_a_data_set_without_a_class_of_the_model_is_an_error(root: Path) -> None:
    lab.write(root, "lab", ["neutrophil:blast", "neutrophil:smear"] * 3, classes=["blast", "smear"])
    message = error()
    assert "lab has no cell of a class that the model knows" in message
    assert "it has blast, smear" in message
    assert "label_map in datasets/lab/record.yaml" in message
    assert not PAGE.exists()


def test_missing_data_are_an_error_with_the_command_to_run(root: Path) -> None:
    shutil.rmtree(lab.write(root, "lab", BALANCED))
    assert "datasets/lab/source is missing, the data of lab: run `dvc pull datasets/lab/source.dvc`" in error()
    Path("datasets/rendered").mkdir()
    shutil.copy(project.ROOT / "datasets" / "rendered" / "record.yaml", "datasets/rendered")
    assert "run `bloodcells use rendered` and `dvc repro download`" in error("tiny.ckpt", "rendered")
    assert "no data set 'lub'" in error("tiny.ckpt", "lub")
    assert "nowhere.ckpt is missing" in error("nowhere.ckpt", "lab")


def test_images_of_which_none_can_be_read_are_an_error(root: Path) -> None:
    source = lab.write(root, "lab", ["neutrophil"] * 2)
    for path in (source / "images").iterdir():
        path.write_bytes(b"no image")
    assert "no image of lab can be read" in error()
