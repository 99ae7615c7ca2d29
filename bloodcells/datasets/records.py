"""Records of the data sets: what is committed about each of them in `datasets/NAME`, and where it is published."""

from dataclasses import dataclass
from pathlib import Path

RECORDS = Path("datasets")

BCCD_CHECKSUMS = RECORDS / "bccd" / "files.md5"
"""MD5 of the published files. They tell published images from your own of the same name."""

BCCD_WHITE_CELLS = RECORDS / "bccd" / "white_cells.csv"
"""Boxes of the white cells in published images: the published annotations contain red cells only."""

BCCD_COUNTS = RECORDS / "bccd" / "published_counts.csv"
"""Kept cells and dropped rows of the published files, as the original report shows them."""


@dataclass(frozen=True)
class Published:
    """Where a data set is published.

    Attributes:
        images: URL of an archive of the images and annotations.
        labels: URLs of the label table, or of an archive that contains it; each is tried if the ones before it fail.
        kaggle: the data set's Kaggle handle.
    """

    images: str
    labels: tuple[str, ...]
    kaggle: str


BCCD = Published(
    images="https://codeload.github.com/cosmicad/dataset/tar.gz/bebbc655aa704b3afc7cc617cc4169ab49469c1d",
    labels=(
        "https://raw.githubusercontent.com/dhruvp/wbc-classification/0b22eb2084b1004d464fb5ab87adc85ab94b2079/_inputs/labels.csv",
        "https://codeload.github.com/dhruvp/wbc-classification/tar.gz/0b22eb2084b1004d464fb5ab87adc85ab94b2079",
    ),
    kaggle="paultimothymooney/blood-cells",
)
