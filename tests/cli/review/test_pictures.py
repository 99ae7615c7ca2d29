from pathlib import Path

import numpy as np
from PIL import Image
from tests.cli.review.committed import said

from bloodcells.cli.review.findings import compare
from bloodcells.cli.review.pictures import draw
from bloodcells.cli.review.snapshot import Results, Snapshot
from bloodcells.inference.predictions import Predictions
from bloodcells.reporting.style import MODEL_COLORS

MODELS = tuple(MODEL_COLORS)


def curves(models: tuple[str, ...], loss: float) -> tuple[dict[str, str], ...]:
    return tuple(
        {"model": model, "fold": fold, "split": split, "epoch": str(epoch), "loss": str(loss * (1 + place) / epoch)}
        for place, model in enumerate(models)
        for fold in "01"
        for split in ("train", "validation")
        for epoch in (1, 2, 3)
    )


def drawn(folder: Path, base: Results, head: Results) -> dict[str, Image.Image]:
    """Give each picture by the end of its name."""
    snapshots = [Snapshot({}, None, {"bccd": results}, {}) for results in (base, head)]
    (one,) = compare(snapshots[0], snapshots[1], resamples=200, seed=1)
    pictures = draw(folder / "page.md", one, base, head)
    assert {path.name for path in folder.iterdir()} == {picture.link for picture in pictures}
    return {
        picture.link.removeprefix("page-bccd-").removesuffix(".png"): Image.open(folder / picture.link)
        for picture in pictures
    }


def count(picture: Image.Image, color: str, box: tuple[float, float, float, float] = (0, 0, 1, 1)) -> int:
    """Count the pixels of a color, in a part of the picture given in shares of it."""
    rgb = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
    wide, high = picture.size
    part = picture.crop((int(box[0] * wide), int(box[1] * high), int(box[2] * wide), int(box[3] * high)))
    return int((np.abs(np.asarray(part.convert("RGB"), int) - rgb) <= 8).all(axis=2).sum())


def results(by_model: dict[str, Predictions], loss: float = 1.0) -> Results:
    return Results(predictions=by_model, curves=curves(tuple(by_model), loss))


def test_three_pictures_in_the_colours_of_the_models(tmp_path: Path) -> None:
    pictures = drawn(
        tmp_path,
        results({model: said(wrong=range(10)) for model in MODELS}),
        results({model: said(wrong=range(30)) for model in MODELS}, loss=2.0),
    )
    assert list(pictures) == ["accuracy", "confusion", "curves"]
    for picture in pictures.values():
        assert picture.width <= 960
    for color in MODEL_COLORS.values():
        assert count(pictures["accuracy"], color) > 300
        for side in ((0, 0, 0.5, 0.9), (0.55, 0, 1, 0.9)):  # the base left and the head right, above the legend
            assert count(pictures["curves"], color, side) > 100


def test_confusion_is_dark_on_its_diagonal_where_a_side_is_right(tmp_path: Path) -> None:
    pictures = drawn(tmp_path, results({"resnet": said(wrong=range(80))}), results({"resnet": said()}))
    dark = "#08306B"  # all cells of a class
    left, right = ((low, 0.1, high, 0.9) for low, high in ((0.0, 0.5), (0.55, 1.0)))
    assert min(count(pictures["confusion"], dark, side) for side in (left, right)) > 10000
    matrix = pictures["confusion"].crop((int(0.55 * 960), 60, 960, 130))  # the first row on the right
    assert count(matrix, dark, (0, 0, 0.4, 1)) > 1000
    assert count(matrix, dark, (0.4, 0, 1, 1)) < 100


def test_only_what_changed_is_drawn(tmp_path: Path) -> None:
    same = {"resnet": said()}
    assert list(drawn(tmp_path / "a", results(same), results(same, loss=2.0))) == ["curves"]
    assert list(drawn(tmp_path / "b", results(same), results({"resnet": said(wrong=[1])}))) == ["accuracy", "confusion"]


def test_models_whose_tables_cannot_be_read_on_either_side_are_not_drawn(tmp_path: Path) -> None:
    broken = Results(unreadable={"plots/bccd/predictions/resnet.csv": "no table"})
    snapshots = [Snapshot({}, None, {"bccd": results}, {}) for results in (broken, broken)]
    (one,) = compare(snapshots[0], snapshots[1], resamples=200, seed=1)
    assert draw(tmp_path / "page.md", one, broken, broken) == []


def test_a_first_run_and_a_model_that_went_are_drawn_without_the_other_side(tmp_path: Path) -> None:
    two = {"resnet": said(), "mine": said(wrong=[2])}
    assert len(drawn(tmp_path / "a", Results(), results(two))) == 3
    assert len(drawn(tmp_path / "b", results(two), results({"resnet": said()}))) == 3


def test_a_model_s_name_is_no_mathematics(tmp_path: Path) -> None:
    name = "a$\\frac$"
    assert len(drawn(tmp_path, results({name: said()}), results({name: said(wrong=[1])}))) == 2
