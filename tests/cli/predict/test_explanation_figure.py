from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageColor

from bloodcells.cli.decisions import predict_images
from bloodcells.cli.model import load_model
from bloodcells.cli.predict.explanation_figure import PANEL, write_explanations
from bloodcells.cli.predict.images import ImageFile
from bloodcells.visualization.style import INK, class_colors
from tests.cli.slides import PROBABILITIES, predictor, slide

AT = (150, 120)


def explained(folder: Path, kind: str = "crop") -> NDArray[np.uint8]:
    """Explain the prediction for a smear of one cell, and return the figure."""
    smear = slide(folder / "a.png", AT)
    model = load_model(predictor(folder / "tiny.ckpt", kind=kind))
    network = model.network()
    ((prediction,),) = predict_images([smear], model.predictor, network, thumbnail=PANEL)
    write_explanations(folder / "why", [(ImageFile(smear, Path("below", "a.png")), prediction)], model, network)
    return np.asarray(Image.open(folder / "why" / "below" / "a.png").convert("RGB"))


def of_color(picture: NDArray[np.uint8], color: str) -> NDArray[np.bool_]:
    return np.asarray((picture == ImageColor.getrgb(color)).all(axis=2))


def test_bars_are_as_long_as_the_probabilities(tmp_path: Path) -> None:
    picture, colors = explained(tmp_path), class_colors(PROBABILITIES)
    lengths = {
        name: int(of_color(picture, colors[name]).sum(axis=1).max()) for name in PROBABILITIES if name != "monocyte"
    }
    whole = lengths["lymphocyte"] / PROBABILITIES["lymphocyte"]
    assert whole > PANEL
    assert lengths == {name: pytest.approx(whole * PROBABILITIES[name], abs=2) for name in lengths}


@pytest.mark.parametrize(("kind", "edges"), [("crop", (22, 248)), ("full", (0, 640))])
def test_the_frame_is_around_the_input_of_the_network(tmp_path: Path, kind: str, edges: tuple[int, int]) -> None:
    panel = of_color(explained(tmp_path, kind), INK)[:400, 24 : 24 + PANEL]
    columns = np.flatnonzero(panel.sum(axis=0) > 60)
    left, right = (edge * PANEL / 640 for edge in edges)
    assert columns.min() == pytest.approx(left, abs=6)
    assert columns.max() == pytest.approx(right, abs=16)
