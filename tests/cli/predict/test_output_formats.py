import csv
import io
import json
import os
from pathlib import Path

import numpy as np
from PIL import Image

from bloodcells.cli.decisions import Prediction
from bloodcells.cli.predict.output_formats import FORMATS
from bloodcells.cli.preprocessing import ModelInput, Sample
from bloodcells.core.geometry import Box

PROBABILITIES = {"monocyte": 0.125, "neutrophil": 0.875}
INPUT = ModelInput(Box(1, 2, 3, 4), np.zeros((2, 2, 3), np.uint8))
SMEAR = Image.new("RGB", (4, 3))
PREDICTIONS = {
    Path("a, b.jpg"): Prediction(
        "neutrophil", (), "neutrophil", PROBABILITIES, Sample(SMEAR, (8, 6), INPUT, (), ("8×6 pixels",))
    ),
    Path("two.jpg"): Prediction(
        "abstains", ("several", "low confidence"), "neutrophil", PROBABILITIES, Sample(SMEAR, (8, 6), INPUT, (), ())
    ),
    Path("blank.jpg"): Prediction("abstains", ("no cell",), "", {}, Sample(SMEAR, (8, 6), None, (), ())),
    Path("line\nbreak\x1b.jpg"): Prediction("error", ("is empty",), "", {}, None),
}


def written(form: str) -> str:
    output = FORMATS[form](list(PREDICTIONS), list(PROBABILITIES), "tiny", False)
    return output.header() + "".join(output.row(path, one) for path, one in PREDICTIONS.items())


def test_a_table_is_aligned_and_escapes_control_characters() -> None:
    lines = written("table").splitlines()
    assert lines == [
        "image                verdict     monocyte  neutrophil  why",
        "a, b.jpg             neutrophil     0.125       0.875  warning: 8×6 pixels",
        "two.jpg              abstains       0.125       0.875  several; low confidence",
        "blank.jpg            abstains                          no cell",
        r"line\nbreak\x1b.jpg  error                             is empty",
    ]


def test_csv_leaves_unknown_values_empty() -> None:
    rows = list(csv.DictReader(io.StringIO(written("csv"), newline="")))
    assert [row["image"] for row in rows] == [str(path) for path in PREDICTIONS]
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
    assert rows[1]["reasons"] == "several; low confidence"
    assert list(rows[3].values())[1:] == ["error", "", "", "", "is empty", "", "", "", "", "", "tiny", "false"]


def test_json_has_one_object_per_line_with_the_same_keys() -> None:
    objects = [json.loads(line) for line in written("json").splitlines()]
    assert [one["image"] for one in objects] == [str(path) for path in PREDICTIONS]
    assert {tuple(one) for one in objects} == {
        ("image", "verdict", "probabilities", "reasons", "warnings", "box", "model", "calibrated")
    }
    assert objects[0]["probabilities"] == PROBABILITIES
    assert objects[0]["box"] == {"left": 1, "top": 2, "right": 3, "bottom": 4}
    assert objects[1]["reasons"] == ["several", "low confidence"]
    assert objects[0]["model"] == "tiny" and objects[0]["calibrated"] is False
    assert objects[2]["box"] == objects[2]["probabilities"] == {}


def test_a_path_that_is_not_valid_text_is_still_written() -> None:
    path = Path(os.fsdecode(b"\xff.jpg"))
    prediction = Prediction("error", ("is missing",), "", {}, None)
    table, json_lines = (FORMATS[form]([path], ["monocyte"], "tiny", True) for form in ("table", "json"))
    assert table.row(path, prediction).startswith(r"\udcff.jpg  error")
    assert json.loads(json_lines.row(path, prediction))["image"] == str(path)
