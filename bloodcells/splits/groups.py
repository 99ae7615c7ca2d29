"""Groups of cells that must not be separated: those of one patient, of one image, and of near-duplicate images."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def combined_groups(images: Sequence[str], patients: Sequence[str], near_duplicates: Mapping[str, int]) -> list[str]:
    """Return the name of each cell's group: cells that have something in common, directly or in a chain, share one.

    The name decides the fold, so it must last while cells come and go: it is `group` and the name of the patient, or
    `image` and the path of the image; of several, the first in the alphabet. A hash of the image's content would also
    outlast a new name of the file, but not a new encoding, and nobody could look it up.

    Args:
        images: the image of each of the n cells.
        patients: what the label table says: the patient, slide or acquisition of each cell; blank if it is unknown.
        near_duplicates: for each image a number that near-duplicates have in common.

    Returns:
        n names.
    """
    traits: dict[object, int] = {}
    cells, shared = [], []
    for cell, (image, patient) in enumerate(zip(images, patients, strict=True)):
        for trait in (("near-duplicates", near_duplicates[image]), ("image", image), ("patient", patient)):
            if trait != ("patient", ""):
                cells.append(cell)
                shared.append(len(images) + traits.setdefault(trait, len(traits)))
    n_nodes = len(images) + len(traits)
    links = coo_array((np.ones(len(cells)), (cells, shared)), shape=(n_nodes, n_nodes))
    component = connected_components(links, directed=False)[1][: len(images)].tolist()
    names = defaultdict[int, list[str]](list)
    for number, image, patient in zip(component, images, patients, strict=True):
        names[number].append(f"group {patient}" if patient else f"image {image}")  # "group" comes before "image"
    first = {number: min(of_group) for number, of_group in names.items()}
    return [first[number] for number in component]
