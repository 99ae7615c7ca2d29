from collections import Counter

import numpy as np

from bloodcells.splits.resampling import most_frequent, resample

COUNTS = {"neutrophil": 100, "eosinophil": 60, "lymphocyte": 20, "monocyte": 10}
LABELS = [label for label, count in COUNTS.items() for _ in range(count)]


def test_the_most_frequent_class_is_left_out_in_part_and_the_others_are_repeated() -> None:
    chosen = resample(LABELS, "neutrophil", 0.1, 0.8, seed=1)
    counts = {"neutrophil": 90, "eosinophil": 72, "lymphocyte": 72, "monocyte": 72}
    assert Counter(LABELS[i] for i in chosen) == counts
    times = Counter(chosen.tolist())
    assert all(times[i] <= 1 for i, label in enumerate(LABELS) if label == "neutrophil")
    assert all(times[i] >= 1 for i, label in enumerate(LABELS) if label != "neutrophil")
    assert (np.diff(chosen) >= 0).all()


def test_a_class_that_is_large_enough_is_not_repeated() -> None:
    chosen = resample(LABELS, "neutrophil", 0.1, 0.5, seed=1)
    assert Counter(LABELS[i] for i in chosen)["eosinophil"] == 60


def test_the_largest_class_after_downsampling_may_be_another() -> None:
    chosen = resample(LABELS, "neutrophil", 0.5, 1.0, seed=1)
    assert Counter(LABELS[i] for i in chosen) == {
        "neutrophil": 50,
        "eosinophil": 60,
        "lymphocyte": 60,
        "monocyte": 60,
    }


def test_resampling_without_rates_changes_nothing_and_leaving_all_out_keeps_one() -> None:
    labels = ["neutrophil"] * 9 + ["monocyte"] * 4
    assert resample(labels, "neutrophil", 0, 0, seed=1).tolist() == list(range(13))
    kept = resample(labels, "neutrophil", 1.0, 1.0, seed=1)
    assert Counter(labels[i] for i in kept) == {"neutrophil": 1, "monocyte": 4}
    assert len(resample(labels, "eosinophil", 1.0, 0, seed=1)) == 13


def test_the_most_frequent_class_is_the_first_in_the_alphabet_of_several() -> None:
    assert most_frequent(LABELS) == "neutrophil"
    assert most_frequent([*"bacab"]) == "a"
