import csv
import io
import json
import os
from pathlib import Path

import numpy as np
from PIL import Image

from bloodcells.cli.predict.output_formats import Csv, JsonLines, OutputFormat, Table
from bloodcells.cli.predict.predictions import Prediction
from bloodcells.cli.predict.preprocessing import ModelInput, Sample
from bloodcells.core.geometry import Box

PROBABILITIES = {"monocyte": 0.125, "neutrophil": 0.875}
SHOWN = ModelInput(Box(1, 2, 3, 4), np.zeros((2, 2, 3), np.uint8))
SMEAR = Image.new("RGB", (4, 3))
ANSWERS = {
    Path("a, b.jpg"): Prediction(
        "neutrophil", (), "neutrophil", PROBABILITIES, Sample(SMEAR, (8, 6), SHOWN, (), ("8×6 pixels",))
    ),
    Path("two.jpg"): Prediction(
        "abstains", ("several", "unsure"), "neutrophil", PROBABILITIES, Sample(SMEAR, (8, 6), SHOWN, (), ())
    ),
    Path("blank.jpg"): Prediction("abstains", ("no cell",), "", {}, Sample(SMEAR, (8, 6), None, (), ())),
    Path("line\nbreak\x1b.jpg"): Prediction("error", ("is empty",), "", {}, None),
}


def written(listing: OutputFormat) -> str:
    return listing.head() + "".join(listing.row(path, one) for path, one in ANSWERS.items())


def test_a_table_is_aligned_and_an_images_name_stays_in_its_line() -> None:
    lines = written(Table(list(ANSWERS), list(PROBABILITIES))).splitlines()
    assert lines == [
        "image                verdict     monocyte  neutrophil  why",
        "a, b.jpg             neutrophil     0.125       0.875  warning: 8×6 pixels",
        "two.jpg              abstains       0.125       0.875  several; unsure",
        "blank.jpg            abstains                          no cell",
        r"line\nbreak\x1b.jpg  error                             is empty",
    ]


def test_csv_gives_back_what_was_said_and_leaves_empty_what_is_not_known() -> None:
    rows = list(csv.DictReader(io.StringIO(written(Csv("tiny", False, list(PROBABILITIES))), newline="")))
    assert [row["image"] for row in rows] == [str(path) for path in ANSWERS]
    assert list(rows[0].values())[1:] == [
        "neutrophil",
        "0.875",
        "0.125",
        "0.875",
        "",
        "8×6 pixels",
        *"1234",
        "tiny",
        "false",
    ]
    assert rows[1]["reasons"] == "several; unsure"
    assert list(rows[3].values())[1:] == ["error", "", "", "", "is empty", "", "", "", "", "", "tiny", "false"]


def test_json_has_one_object_a_line_and_the_same_keys_for_each() -> None:
    said = [json.loads(line) for line in written(JsonLines("tiny", True)).splitlines()]
    assert [one["image"] for one in said] == [str(path) for path in ANSWERS]
    assert {tuple(one) for one in said} == {
        ("image", "verdict", "probabilities", "reasons", "warnings", "box", "model", "calibrated")
    }
    assert said[0]["probabilities"] == PROBABILITIES
    assert said[0]["box"] == {"left": 1, "top": 2, "right": 3, "bottom": 4}
    assert said[1]["reasons"] == ["several", "unsure"]
    assert said[2]["box"] == said[2]["probabilities"] == {}


def test_a_name_that_is_no_text_is_written_all_the_same() -> None:
    path = Path(os.fsdecode(b"\xff.jpg"))
    answer = Prediction("error", ("is missing",), "", {}, None)
    assert Table([path], ["monocyte"]).row(path, answer).startswith(r"\udcff.jpg  error")
    assert json.loads(JsonLines("tiny", True).row(path, answer))["image"] == str(path)
