from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bloodcells.cli.decisions import Prediction, predict_images
from bloodcells.cli.model import load_model
from tests.cli.slides import MIDDLE, PROBABILITIES, predictor, slide
from tests.imaging.test_loading import png


def predict(model: Path, paths: Sequence[Path], batch: int = 2) -> list[Prediction]:
    loaded = load_model(model)
    return [one for group in predict_images(paths, loaded.predictor, loaded.network(), batch=batch) for one in group]


def test_the_class_is_that_of_the_checkpoints_order(tmp_path: Path) -> None:
    path = slide(tmp_path / "a.png", MIDDLE)
    for order in (PROBABILITIES, dict(reversed(PROBABILITIES.items()))):
        (one,) = predict(predictor(tmp_path / "tiny.ckpt", order), [path])
        assert one.verdict == one.likeliest == "monocyte"
        assert list(one.probabilities) == list(order)
        assert one.probabilities == pytest.approx(order, abs=1e-4)


@pytest.mark.parametrize("tta", [1, 8])
def test_probabilities_are_temperature_scaled(tmp_path: Path, tta: int) -> None:
    model = predictor(tmp_path / "tiny.ckpt", temperature=0.5, tta=tta)
    (one,) = predict(model, [slide(tmp_path / "a.png", MIDDLE)])
    squares = np.array([*PROBABILITIES.values()]) ** 2
    assert list(one.probabilities.values()) == pytest.approx(list(squares / squares.sum()), abs=1e-4)


@pytest.mark.parametrize(("threshold", "verdict"), [(0.79, "monocyte"), (0.8, "monocyte"), (0.81, "abstains")])
def test_the_model_abstains_below_the_threshold(tmp_path: Path, threshold: float, verdict: str) -> None:
    model = predictor(tmp_path / "tiny.ckpt", threshold=threshold)
    (one,) = predict(model, [slide(tmp_path / "a.png", MIDDLE)])
    assert one.verdict == verdict
    assert one.likeliest == "monocyte"
    if verdict == "abstains":
        assert one.reasons == ("low confidence: monocyte with 0.8000, below the threshold of 0.8100",)


def test_a_model_that_rejects_all_says_so(tmp_path: Path) -> None:
    model = predictor(tmp_path / "tiny.ckpt", threshold=1.0001)
    (one,) = predict(model, [slide(tmp_path / "a.png", MIDDLE)])
    assert "this model rejects all" in one.reasons[0]


def test_reasons_in_the_image_make_the_model_abstain_at_any_confidence(tmp_path: Path) -> None:
    model = predictor(tmp_path / "tiny.ckpt", threshold=0)
    Image.new("RGB", (640, 480), "white").save(tmp_path / "blank.png")
    two, blank = predict(model, [slide(tmp_path / "two.png", (180, 240), (480, 240)), tmp_path / "blank.png"])
    assert two.verdict == blank.verdict == "abstains"
    assert two.probabilities == pytest.approx(PROBABILITIES, abs=1e-4)
    assert blank.probabilities == {}
    assert blank.likeliest == ""


def test_unreadable_files_become_errors_and_the_order_is_kept(tmp_path: Path) -> None:
    good = [slide(tmp_path / f"{number}.png", MIDDLE) for number in range(3)]
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(slide(tmp_path / "whole.jpg", MIDDLE).read_bytes()[:3000])
    empty = tmp_path / "empty.png"
    empty.touch()
    deep = tmp_path / "deep.png"
    png(deep, 64, 48, bits=16, channels=3)
    cmyk = tmp_path / "cmyk.jpg"
    Image.new("CMYK", (64, 48)).save(cmyk)
    paths = [empty, good[0], cut, deep, good[1], cmyk, tmp_path / "none.png", tmp_path, good[2]]
    predictions = predict(predictor(tmp_path / "tiny.ckpt"), paths)
    assert [one.verdict == "monocyte" for one in predictions] == [path in good for path in paths]
    errors = [one.reasons[0] for one in predictions if one.verdict == "error"]
    beginnings = (
        "is empty: fetch",
        "is broken (",
        "has more than 8 bits",
        "is CMYK",
        "is missing",
        "can't be read: Is a",
    )
    assert [error.startswith(start) for error, start in zip(errors, beginnings, strict=True)] == [True] * 6


def test_images_are_opened_a_bounded_number_ahead(tmp_path: Path) -> None:
    path = slide(tmp_path / "a.png", MIDDLE)
    taken = 0

    def paths() -> Iterator[Path]:
        nonlocal taken
        for _ in range(50):
            taken += 1
            yield path

    loaded = load_model(predictor(tmp_path / "tiny.ckpt"))
    batches = predict_images(paths(), loaded.predictor, loaded.network(), batch=2)
    assert len(next(batches)) == 2
    assert 3 <= taken <= 6
    assert sum(map(len, batches)) == 48
