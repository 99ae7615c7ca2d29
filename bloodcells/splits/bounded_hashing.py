"""Assignment of groups to parts by hashing with bounded loads: balanced, and stable when groups come or go.

V. Mirrokni, M. Thorup and M. Zadimoghaddam, Consistent Hashing with Bounded Loads, SODA 2018: each group has its own
order of preference among the parts, from a hash (D. G. Thaler and C. V. Ravishankar, IEEE/ACM Transactions on
Networking 6 (1998), 1-14), and goes to the first part that has room. Here each class has a capacity of its own in each
part, which adds up to the cells of the class.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

Indices = NDArray[np.int64]

SLACK = 0.25
"""Fraction of a group that may exceed a capacity. Without it, a patient with one more cell would move many others."""


def assign_parts(labels: Sequence[str], groups: Sequence[str], weights: Sequence[float], salt: str) -> Indices:
    """Assign cells to parts, all cells of a group to one, so that each class is spread over the parts by their weights.

    Large groups come first, those of equal size in the order of their hash. Where no part has room, a group goes to the
    one that it exceeds least, and the capacities of what is left are computed again. Each part gets a cell of every
    class that has as many groups as there are parts, unless groups of several classes make that impossible.

    If all groups are single cells, a class has its exact share in each part, rounded down or up. One more cell then
    moves at most 2 (parts - 1) others, all of its class: the cells that it displaces one after the other, and those
    that follow into the place added.

    Args:
        labels: classes of the n cells.
        groups: names of their groups. A name and the salt decide the group's order of preference.
        weights: of the parts, above 0; equal ones for folds.
        salt: another one gives another assignment.

    Returns:
        (n,) the number of each cell's part.
    """
    parts = len(weights)
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    classes, class_of = np.unique(np.asarray(labels), return_inverse=True)
    counts = np.zeros((len(names), len(classes)), np.int64)
    np.add.at(counts, (group_of, class_of), 1)
    cells_of: list[list[tuple[int, int]]] = [[] for _ in names]
    for group, label in np.argwhere(counts).tolist():
        cells_of[group].append((label, int(counts[group, label])))
    sizes, draws = counts.sum(axis=1).tolist(), [_draw(salt, name, parts) for name in names]
    loads = [
        _ClassLoad(int(column.sum()), int(np.count_nonzero(column)), weights, _draw(salt, f"class {name}", parts))
        for name, column in zip(classes, counts.T, strict=True)
    ]
    part_of = np.empty(len(names), np.int64)
    for group in sorted(range(len(names)), key=lambda i: (-sizes[i], draws[i])):
        members = [(loads[label], cells) for label, cells in cells_of[group]]
        part_of[group] = part = _choose(members, _preference(draws[group]))
        for of_class, cells in members:
            of_class.add(part, cells)
    if any(0 in of_class.loads for of_class in loads if of_class.groups >= parts):
        part_of = _with_every_class(counts, part_of, parts)
    return part_of[group_of]


def _with_every_class(counts: Indices, assigned: Indices, parts: int) -> Indices:
    """Return the assignment closest to `assigned` that has each class in each part, or `assigned` if none is found.

    Greedy choices miss it if several classes have hardly more groups than there are parts, and share them.
    """
    groups = len(counts)
    present = (counts[:, np.count_nonzero(counts, axis=0) >= parts] > 0).T
    moves = np.repeat(counts.sum(axis=1)[:, None], parts, axis=1)
    moves[np.arange(groups), assigned] = 0
    found = milp(
        moves.ravel(),
        integrality=np.ones(groups * parts),
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(sparse.kron(sparse.eye_array(groups), np.ones((1, parts))), 1, 1),
            LinearConstraint(sparse.kron(present, sparse.eye_array(parts)), 1),
        ],
        options={"time_limit": 60},
    )
    return assigned if found.x is None else np.asarray(found.x.reshape(groups, parts).argmax(axis=1), np.int64)


def _draw(salt: str, name: str, parts: int) -> list[int]:
    """Return pseudo-random numbers: the place of a group among those of its size, then its score of each part."""
    digest = hashlib.shake_128(f"{salt}\0{name}".encode()).digest(8 * (parts + 1))
    return [int.from_bytes(digest[start : start + 8], "big") for start in range(0, len(digest), 8)]


def _preference(draw: list[int]) -> list[int]:
    """Return the parts, that with the highest score first; the score of a part does not depend on their number."""
    scores = draw[1:]
    return sorted(range(len(scores)), key=scores.__getitem__, reverse=True)


@dataclass
class _ClassLoad:
    """What the parts hold of one class.

    Attributes:
        cells, groups: of this class.
        weights: of the parts.
        draw: decides which parts get the cells that are left over when the others are rounded down.
    """

    cells: int
    groups: int
    weights: Sequence[float]
    draw: list[int]

    def __post_init__(self) -> None:
        self.cells_left, self.groups_left = self.cells, self.groups
        self.loads = [0] * len(self.weights)
        self.capacities = self._capacities()

    def excess(self, part: int, cells: int) -> float:
        """Return by which fraction of the class a part would exceed its capacity with some more cells."""
        return max(0, self.loads[part] + cells - self.capacities[part]) / self.cells

    def must_take(self) -> bool:
        """Whether every group that is left must go to a part without this class, since no more are left than those."""
        return self.groups_left <= self.loads.count(0)

    def add(self, part: int, cells: int) -> None:
        """Put a group into a part."""
        self.loads[part] += cells
        self.cells_left -= cells
        self.groups_left -= 1
        if self.loads[part] > self.capacities[part]:
            self.capacities = self._capacities()

    def _capacities(self) -> list[int]:
        """Return up to what each part is filled if the cells that are left are poured onto the loads, as water is."""
        parts = [*range(len(self.loads))]
        while True:
            level = (self.cells_left + sum(self.loads[part] for part in parts)) / sum(self.weights[p] for p in parts)
            below = [part for part in parts if self.loads[part] <= self.weights[part] * level + 1e-9]
            if len(below) == len(parts):
                break
            parts = below
        result = self.loads.copy()
        for part in parts:
            result[part] = math.floor(self.weights[part] * level + 1e-9)
        left_over = self.cells_left + sum(self.loads) - sum(result)
        for part in sorted(parts, key=lambda p: (round(result[p] - self.weights[p] * level, 9), self.draw[p + 1]))[
            :left_over
        ]:
            result[part] += 1
        return result


def _choose(members: Sequence[tuple[_ClassLoad, int]], preference: list[int]) -> int:
    """Return the part for a group, given its cells of each class."""
    if pressing := [of_class for of_class, _ in members if of_class.must_take()]:
        held = {part: sum(of_class.loads[part] > 0 for of_class in pressing) for part in preference}
        preference = [part for part in preference if held[part] == min(held.values())]
    slack = SLACK * sum(cells / of_class.cells for of_class, cells in members if cells > 1)
    chosen, least = preference[0], math.inf
    for part in preference:
        excess = sum(of_class.excess(part, cells) for of_class, cells in members)
        if excess <= slack:
            return part
        if excess < least - (slack if least < math.inf else 0):
            chosen, least = part, excess
    return chosen
