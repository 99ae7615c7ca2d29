"""The plan of a synthetic data set: its label table, with the published class frequencies and defects."""

from dataclasses import dataclass, replace

from numpy.random import SeedSequence, default_rng

MIN_IMAGES = 20
"""Fewer images cannot contain every class and defect."""

# Counts of the published set: 366 images, 347 of which show a single cell of a learned class.
_IMAGES = 366
_DOUBLES = 15
_BASOPHILS = 3
_BLANK_WITHOUT_IMAGE = 43
_ANNOTATED = 343
_SINGLES = {"eosinophil": 88, "lymphocyte": 33, "monocyte": 20, "neutrophil": 206}

_PAIRS = (
    ("neutrophil", "eosinophil"),
    ("neutrophil", "neutrophil"),
    ("eosinophil", "eosinophil"),
    ("neutrophil", "lymphocyte"),
    ("neutrophil", "monocyte"),
    ("lymphocyte", "lymphocyte"),
    ("eosinophil", "lymphocyte"),
    ("monocyte", "lymphocyte"),
)


@dataclass(frozen=True)
class Smear:
    """One row of the label table, and what its image shows if there is one."""

    number: int
    """Number in the table and in the file names."""
    category: str
    """Label as spelled in the table."""
    cells: tuple[str, ...]
    """Classes of its white cells: none, one or two."""
    has_image: bool
    annotated: bool
    """Whether the image has an annotation."""
    seed: int
    """Seed of the data set."""
    scene: int
    """Near-duplicates show the same scene. The seed and the scene determine everything but the noise."""
    shift: tuple[int, int] = (0, 0)
    """Shift of the scene to the right and down, in pixels."""

    @property
    def name(self) -> str:
        """Stem of the file names."""
        return f"BloodImage_{self.number:05d}"


def class_counts(images: int) -> dict[str, int]:
    """Return how many images show one cell of each class, two cells ("double") or none ("blank").

    The proportions are those of the published set, except that every learned class has at least 6 images (lymphocyte
    8), or a sixth of them if that is less.

    Raises:
        ValueError: `images` is less than `MIN_IMAGES`.
    """
    if images < MIN_IMAGES:
        raise ValueError(f"a set needs at least {MIN_IMAGES} images to contain all classes and defects (got {images})")
    double = max(2, round(images * _DOUBLES / _IMAGES))  # at least one for each spelling
    basophil = max(1, round(images * _BASOPHILS / _IMAGES))
    singles = images - double - basophil - 1
    share = singles / sum(_SINGLES.values())
    least = images // 6
    monocyte = max(min(6, least), round(share * _SINGLES["monocyte"]))
    lymphocyte = max(min(8, least), round(share * _SINGLES["lymphocyte"]))
    granular = singles - monocyte - lymphocyte
    share = granular / (_SINGLES["eosinophil"] + _SINGLES["neutrophil"])
    eosinophil = max(min(6, least), round(share * _SINGLES["eosinophil"]))
    return {
        "eosinophil": eosinophil,
        "lymphocyte": lymphocyte,
        "monocyte": monocyte,
        "neutrophil": granular - eosinophil,
        "basophil": basophil,
        "double": double,
        "blank": 1,
    }


def plan_smears(images: int, seed: int) -> list[Smear]:
    """Return the rows of the label table in order.

    `images` rows have an image; two of these neutrophils share a scene. As in the published set there are more rows
    without an image: two with a label, and one without for about every eighth image.

    Raises:
        ValueError: `images` is less than `MIN_IMAGES`.
    """
    number = class_counts(images)
    rng = default_rng(SeedSequence((seed, 0)))
    rows: list[tuple[str, tuple[str, ...], bool]] = []  # category, cells, has_image
    for label in (*_SINGLES, "basophil"):
        rows += [(label.upper(), (label,), True)] * number[label]
    for index in range(number["double"]):
        pair = _PAIRS[index % len(_PAIRS)]
        rows.append(((", ", ",")[index % 2].join(pair).upper(), pair, True))
    rows.append(("", (), True))
    rows += [("NEUTROPHIL", ("neutrophil",), False), ("MONOCYTE", ("monocyte",), False)]
    rows += [("", (), False)] * max(1, round(images * _BLANK_WITHOUT_IMAGE / _IMAGES))
    spaced = rows.index(("EOSINOPHIL", ("eosinophil",), True))
    rows[spaced] = (" EOSINOPHIL ", ("eosinophil",), True)

    order = [rows[index] for index in rng.permutation(len(rows))]
    with_image = [index for index, row in enumerate(order) if row[2]]
    annotated = set(rng.permutation(with_image)[: round(images * _ANNOTATED / _IMAGES)].tolist())
    smears = [
        Smear(index, category, cells, has_image, index in annotated, seed, index)
        for index, (category, cells, has_image) in enumerate(order)
    ]
    first, second = [smear.number for smear in smears if smear.has_image and smear.cells == ("neutrophil",)][:2]
    smears[second] = replace(smears[second], scene=first, shift=(3, -2))
    return smears
