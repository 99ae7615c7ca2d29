import time
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from bloodcells.splits.bounded_hashing import assign_parts

Folds = NDArray[np.int64]
Method = Callable[[list[str], list[str], int, int], Folds]

REAL = {"neutrophil": 206, "eosinophil": 88, "lymphocyte": 33, "monocyte": 21}
SMALL = {"neutrophil": 20, "eosinophil": 9, "lymphocyte": 7, "monocyte": 7}


def hashed(labels: list[str], groups: list[str], n_splits: int, seed: int) -> Folds:
    return assign_parts(labels, groups, [1] * n_splits, str(seed))


def scikit_learn(labels: list[str], groups: list[str], n_splits: int, seed: int) -> Folds:
    folds = np.empty(len(labels), np.int64)
    first: dict[str, int] = {}
    numbers = [first.setdefault(group, len(first)) for group in groups]
    splitter = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for fold, (_, test) in enumerate(splitter.split(np.zeros(len(labels)), labels, numbers)):
            folds[test] = fold
    return folds


def cells(counts: dict[str, int], pairs: int, random: np.random.Generator) -> tuple[list[str], list[str]]:
    """Return labels and groups of cells in random order, of which some are pairs, mostly of the same class."""
    labels = random.permutation([label for label, count in counts.items() for _ in range(count)]).tolist()
    groups = [f"image {number}.jpg" for number in random.permutation(10 * len(labels))[: len(labels)]]
    for one, other in random.permutation(len(labels))[: 2 * pairs].reshape(-1, 2).tolist():
        groups[other] = groups[one]
        labels[other] = labels[one] if random.random() < 0.9 else labels[other]
    return labels, groups


def patients(count: int, random: np.random.Generator) -> tuple[list[str], list[str]]:
    """Return labels and groups of some 350 cells of patients who have very different numbers of them."""
    shares = np.exp(random.normal(0, 1.2, count))
    sizes = np.maximum(3, np.round(350 * shares / shares.sum())).astype(int).tolist()
    mixture = np.array([*REAL.values()]) / sum(REAL.values())
    labels = [random.choice([*REAL], size, p=random.dirichlet(8 * mixture)).tolist() for size in sizes]
    names = [f"group {number}" for number in random.permutation(1000)[:count]]
    groups = [[name] * size for name, size in zip(names, sizes, strict=True)]
    return [label for part in labels for label in part], [group for part in groups for group in part]


def per_class(labels: list[str], folds: Folds, n_splits: int) -> dict[str, list[int]]:
    names = np.asarray(labels)
    return {label: np.bincount(folds[names == label], minlength=n_splits).tolist() for label in sorted({*labels})}


def spread(labels: list[str], folds: Folds) -> int:
    return max(max(counts) - min(counts) for counts in per_class(labels, folds, 5).values())


def moved(method: Method, labels: list[str], groups: list[str], left_out: set[int], seed: int) -> int:
    """Count the cells that have another fold with the cells that are left out than without them."""
    kept = [i for i in range(len(labels)) if i not in left_out]
    fewer = method([labels[i] for i in kept], [groups[i] for i in kept], 5, seed)
    return int((method(labels, groups, 5, seed)[kept] != fewer).sum())


@pytest.mark.parametrize("counts", [REAL, SMALL, {"a": 5, "b": 6, "c": 11}])
def test_class_counts_of_single_cells_differ_by_at_most_one(counts: dict[str, int]) -> None:
    for seed in range(10):
        labels, groups = cells(counts, 0, np.random.default_rng(seed))
        folds = hashed(labels, groups, 5, seed)
        assert spread(labels, folds) <= 1
        assert max(np.bincount(folds)) - min(np.bincount(folds)) <= len(counts)


@pytest.mark.parametrize("counts", [REAL, SMALL])
def test_a_new_cell_moves_at_most_eight_of_its_class_and_hardly_more_than_one_on_average(
    counts: dict[str, int],
) -> None:
    """Between five folds. So does a cell that goes, since the folds depend on nothing but the cells that there are."""
    moves = []
    for seed in range(100):
        labels, groups = cells(counts, 0, np.random.default_rng(seed))
        changed = hashed(labels, groups, 5, seed)[1:] != hashed(labels[1:], groups[1:], 5, seed)
        assert {*np.array(labels[1:])[changed].tolist()} <= {labels[0]}
        moves.append(int(changed.sum()))
    assert max(moves) <= 8
    assert np.mean(moves) < 2


@pytest.mark.parametrize(("counts", "pairs"), [(SMALL, 3), (REAL, 24)])
def test_four_new_cells_move_few_where_scikit_learn_moves_most(counts: dict[str, int], pairs: int) -> None:
    ours, theirs = [], []
    for seed in range(20):
        random = np.random.default_rng(seed)
        labels, groups = cells(counts, pairs, random)
        new = set(random.permutation(len(labels))[:4].tolist())
        ours.append(moved(hashed, labels, groups, new, seed))
        theirs.append(moved(scikit_learn, labels, groups, new, seed))
        assert spread(labels, hashed(labels, groups, 5, seed)) <= 2
    assert np.mean(ours) < 8
    assert max(ours) < 20
    assert np.mean(theirs) > 0.6 * sum(counts.values())


@pytest.mark.parametrize("count", [12, 30])
def test_four_new_cells_of_patients_move_few_patients_and_the_folds_stay_as_balanced(count: int) -> None:
    ours, theirs, our_spread, their_spread = [], [], [], []
    for seed in range(40):
        random = np.random.default_rng(seed)
        labels, groups = patients(count, random)
        new = set(random.permutation(len(labels))[:4].tolist())
        ours.append(moved(hashed, labels, groups, new, seed))
        theirs.append(moved(scikit_learn, labels, groups, new, seed))
        our_spread.append(spread(labels, hashed(labels, groups, 5, seed)))
        their_spread.append(spread(labels, scikit_learn(labels, groups, 5, seed)))
    assert np.mean(ours) < np.mean(theirs) / 3
    assert np.mean(our_spread) < np.mean(their_spread) + 6


def test_the_folds_depend_on_the_names_and_the_seed_and_not_on_the_order_of_the_cells() -> None:
    labels, groups = cells(REAL, 24, np.random.default_rng(0))
    folds = hashed(labels, groups, 5, 1)
    assert hashed(labels[::-1], groups[::-1], 5, 1).tolist() == folds[::-1].tolist()
    assert (hashed(labels, groups, 5, 2) != folds).mean() > 0.5
    assert (hashed(labels, [f"other {group}" for group in groups], 5, 1) != folds).mean() > 0.5


def test_a_corrected_label_moves_few_cells() -> None:
    labels, groups = cells(REAL, 0, np.random.default_rng(0))
    corrected = ["monocyte" if i == labels.index("neutrophil") else label for i, label in enumerate(labels)]
    assert (hashed(labels, groups, 5, 1) != hashed(corrected, groups, 5, 1)).sum() <= 17


def test_weights_give_parts_of_different_sizes() -> None:
    labels, groups = cells(REAL, 0, np.random.default_rng(0))
    parts = assign_parts(labels, groups, [1, 3], "1")
    assert {label: counts[0] for label, counts in per_class(labels, parts, 2).items()} == {
        "neutrophil": pytest.approx(206 / 4, abs=0.5),
        "eosinophil": 22,
        "lymphocyte": 8,
        "monocyte": 5,
    }


def test_a_part_with_a_tiny_weight_still_gets_every_class() -> None:
    labels, groups = cells(SMALL, 0, np.random.default_rng(0))
    parts = assign_parts(labels, groups, [0.001, 0.999], "1")
    assert {label: counts[0] for label, counts in per_class(labels, parts, 2).items()} == dict.fromkeys(SMALL, 1)


def test_a_large_group_leaves_no_fold_without_its_class() -> None:
    """One patient has ten of the fourteen cells: the other four go to the other four folds."""
    for seed in range(20):
        groups = ["group 1"] * 10 + [f"group {i}" for i in range(2, 6)]
        folds = hashed(["a"] * 14, groups, 5, seed)
        assert sorted(np.bincount(folds).tolist()) == [1, 1, 1, 1, 10]


def test_what_a_large_group_takes_is_not_missing_elsewhere() -> None:
    groups = ["group 1"] * 40 + [f"image {i}.jpg" for i in range(60)]
    assert sorted(np.bincount(hashed(["a"] * 100, groups, 5, 1)).tolist()) == [15, 15, 15, 15, 40]


def test_every_class_is_in_every_fold_although_few_groups_hold_several_classes() -> None:
    """A case in which greedy choices mostly miss the few assignments that do it, and one without any."""
    held = ["ab", "bc", "abc", "ac", "c", "abc", "ab", "bc"]
    for seed in range(10):
        labels = [label for group in held for label in group]
        groups = [f"group {i}" for i, group in enumerate(held) for _ in group]
        assert all(min(counts) > 0 for counts in per_class(labels, hashed(labels, groups, 5, seed), 5).values())
    impossible = ["ab", "bc", "ca"]  # two folds: each pair of these groups shares a class
    labels = [label for group in impossible for label in group]
    parts = hashed(labels, ["group 0", "group 0", "group 1", "group 1", "group 2", "group 2"], 2, 1)
    assert {*parts.tolist()} == {0, 1}
    assert 0 in [count for counts in per_class(labels, parts, 2).values() for count in counts]


def test_a_hundred_thousand_cells_take_seconds() -> None:
    """So they do if a class has so few that its share of a part is less than one cell."""
    labels = ["basophil"] * 3 + np.random.default_rng(0).choice([*REAL], 99_997, p=[0.6, 0.25, 0.1, 0.05]).tolist()
    groups = [f"image {i}.jpg" for i in range(100_000)]
    start = time.perf_counter()
    folds = hashed(labels, groups, 5, 1)
    parts = assign_parts(labels, groups, [1, 7], "1")
    assert time.perf_counter() - start < 40  # 4 s on one slow core
    assert spread(labels, folds) <= 1
    assert {*parts[:3].tolist()} == {0, 1}
