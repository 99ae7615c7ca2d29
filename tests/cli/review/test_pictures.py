"""What of a change is drawn; the charts themselves are those of `dvc plots`, which have tests of their own."""

from pathlib import Path

import numpy as np
from PIL import Image

from bloodcells.cli.review.findings import compare
from bloodcells.cli.review.pictures import draw
from bloodcells.cli.review.snapshot import LabelChange, Results, Snapshot
from bloodcells.core.geometry import Box
from bloodcells.core.paths import DatasetPaths
from bloodcells.core.prepared_cells import PixelWriter
from bloodcells.inference.predictions import Predictions
from tests.cli.review.committed import MODELS, predictions
from tests.support import project


def curves(models: tuple[str, ...], loss: float) -> tuple[dict[str, str], ...]:
    return tuple(
        {"model": model, "fold": fold, "split": split, "epoch": str(epoch), "loss": str(loss * (1 + place) / epoch)}
        for place, model in enumerate(models)
        for fold in "01"
        for split in ("train", "validation")
        for epoch in (1, 2, 3)
    )


def drawn(folder: Path, base: Results, head: Results) -> dict[str, Image.Image]:
    """Return each picture by the end of its name."""
    snapshots = [Snapshot({}, {}, {"bccd": results}, {}) for results in (base, head)]
    (one,) = compare(snapshots[0], snapshots[1], resamples=200, seed=1)
    root = folder.parent / f"{folder.name}-root"
    (root / ".dvc").mkdir(parents=True, exist_ok=True)
    (root / ".dvc" / "plots").symlink_to(project.ROOT / ".dvc" / "plots")
    pictures = draw(folder / "page.md", root, one, base, head)
    assert {path.name for path in folder.iterdir()} == {picture.link for picture in pictures}
    return {
        picture.link.removeprefix("page-bccd-").removesuffix(".png"): Image.open(folder / picture.link)
        for picture in pictures
    }


def results(by_model: dict[str, Predictions], loss: float = 1.0) -> Results:
    return Results(predictions=by_model, curves=curves(tuple(by_model), loss))


def has_color(picture: Image.Image, color: str) -> bool:
    rgb = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
    return int((np.abs(np.asarray(picture.convert("RGB"), int) - rgb) <= 8).all(axis=2).sum()) > 100


def test_accuracy_curves_and_a_confusion_matrix_per_model(tmp_path: Path) -> None:
    pictures = drawn(
        tmp_path,
        results({model: predictions(wrong=range(10)) for model in MODELS}),
        results({model: predictions(wrong=range(30 * place)) for place, model in enumerate(MODELS)}, loss=2.0),
    )
    assert set(pictures) == {"accuracy", *(f"confusion-{model}" for model in MODELS), "curves"}
    for color in ("#0072B2", "#E69F00", "#009E73"):
        assert has_color(pictures["accuracy"], color)
        assert has_color(pictures["curves"], color)
    assert has_color(pictures["confusion-resnet"], "#08306B")  # all cells of a class


def test_only_what_changed_is_drawn(tmp_path: Path) -> None:
    same = {"resnet": predictions(), "alexnet": predictions()}
    assert list(drawn(tmp_path / "a", results(same), results(same, loss=2.0))) == ["curves"]
    changed = results(same | {"resnet": predictions(wrong=[1])})
    assert list(drawn(tmp_path / "b", results(same), changed)) == ["accuracy", "confusion-resnet"]


def test_models_with_unreadable_tables_are_not_drawn(tmp_path: Path) -> None:
    broken = Results(unreadable={"plots/bccd/predictions/resnet.csv": "not a table"})
    (tmp_path / "empty").mkdir()
    assert drawn(tmp_path / "empty", broken, broken) == {}


def test_first_and_removed_models_are_drawn_alone(tmp_path: Path) -> None:
    two = {"resnet": predictions(), "mine": predictions(wrong=[2])}
    assert len(drawn(tmp_path / "a", Results(), results(two))) == 4
    assert len(drawn(tmp_path / "b", results(two), results({"resnet": predictions()}))) == 3


def pixels_here(page: Path, colors: dict[str, str]) -> None:
    """Write the prepared cells of the working tree, each of one color."""
    page.mkdir()
    folder = page.parent / f"{page.name}-root" / DatasetPaths("bccd").pixels
    folder.mkdir(parents=True)
    writer = PixelWriter(folder, len(colors), 16)
    for image, color in colors.items():
        pixels = np.full((16, 16, 3), [int(color[at : at + 2], 16) for at in (1, 3, 5)], np.uint8)
        writer.add(image, (640, 480), 30.0, Box(0, 0, 16, 16), pixels)
    writer.close()


def test_cells_with_another_label_are_shown_where_their_pixels_are(tmp_path: Path) -> None:
    base, head = predictions(), predictions(labels={1: 3, 2: 3})
    colors = {head.images[1]: "#FA0A0A", head.images[3]: "#0AFA0A", "untested.jpg": "#0A0AFA"}
    pixels_here(tmp_path / "page", colors)
    change = LabelChange("untested.jpg", "monocyte", "neutrophil", "AB", "", "corrections/ab.csv")
    counts = {("monocyte", "kept"): 1}
    before = Results(predictions={"resnet": base}, counts=counts)
    after = Results(predictions={"resnet": head}, counts=counts, corrections=(change,))
    picture = drawn(tmp_path / "page", before, after)["relabeled"]
    assert [has_color(picture, color) for color in colors.values()] == [True, False, True]


def test_cells_that_flipped_are_shown_where_their_pixels_are(tmp_path: Path) -> None:
    base, head = predictions(wrong=[1, 2]), predictions(wrong=[2, 3])
    colors = {head.images[1]: "#FA0A0A", head.images[2]: "#0AFA0A", head.images[3]: "#0A0AFA"}
    page = tmp_path / "page"
    pixels_here(page, colors)
    (picture,) = [
        picture
        for name, picture in drawn(page, results({"resnet": base}), results({"resnet": head})).items()
        if name == "flipped-resnet"
    ]
    repaired, broken, still_wrong = (colors[head.images[number]] for number in (1, 3, 2))
    assert has_color(picture, repaired)
    assert has_color(picture, broken)
    assert not has_color(picture, still_wrong)
