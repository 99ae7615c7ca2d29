"""The results of an external test, from the predictions for its cells."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bloodcells.cli.decisions import ABSTAINS, ERROR, Prediction
from bloodcells.cli.score.cells import Cell, groups_of
from bloodcells.cli.score.origin import InternalTest
from bloodcells.cli.score.scores import (
    ALL_ERRORS,
    NO_INPUT,
    Difference,
    Outcomes,
    Score,
    difference,
    proportion,
    scores,
)
from bloodcells.evaluation.calibration import (
    Bin,
    CalibrationError,
    brier_score,
    calibration_error,
    reliability,
)
from bloodcells.evaluation.clusters import Groups, cluster_numbers, count_clusters
from bloodcells.evaluation.parameters import CompareParameters
from bloodcells.evaluation.selective_prediction import RAW, SCALED

Floats = NDArray[np.float64]
Pairs = Sequence[tuple[Cell, Prediction]]


@dataclass(frozen=True)
class Unknown:
    """The cells of a class that the model does not know: every answer is wrong.

    Attributes:
        answered: how many of them got an answer.
        answers: how often each class was the answer.
    """

    answered: Score
    answers: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Calibrated:
    """How well one kind of probabilities fits the actual classes; see `bloodcells.evaluation.calibration`."""

    confidence: float
    error: CalibrationError
    brier: float
    bins: Sequence[Bin]


@dataclass(frozen=True, eq=False)
class Results:
    """The results of an external test.

    Attributes:
        scores: by name.
        baseline: the accuracy of always predicting the class that is most frequent there.
        internal: the same scores of the model's own test, over the classes that both data sets have.
        differences: `scores` minus `internal`.
        unknown: by class that the model does not know, the most frequent first.
        calibration: of raw and temperature-scaled probabilities; a model that is not calibrated has only raw ones.
        tables: by actual class and what the model made of it (a class, or `ABSTAINS`): counts of the forced choice, and
            of the answers.
        reasons: how many cells of known classes the model abstains from, by kind of reason.
        unreadable: how many images could not be read.
        no_input: for how many cells of known classes the network got no input.
        groups: number of groups of cells; 0 if the cells are independent.
    """

    scores: Mapping[str, Score]
    baseline: Score
    internal: Mapping[str, Score]
    differences: Mapping[str, Difference]
    unknown: Mapping[str, Unknown]
    calibration: Mapping[str, Calibrated]
    tables: tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]
    reasons: Counter[str]
    unreadable: int
    no_input: int
    groups: int


def examine(
    cells: Sequence[Cell],
    predictions: Sequence[Prediction],
    classes: tuple[str, ...],
    internal: InternalTest | None,
    by: CompareParameters,
    calibrated: bool,
) -> Results:
    """Compute the results.

    Args:
        cells: of the data set.
        predictions: one for each cell.
        classes: of the model.
        internal: the model's own test, if it is known.
        by: of the bootstrap.
        calibrated: whether the model has a temperature.
    """
    pairs = [(cell, one) for cell, one in zip(cells, predictions, strict=True) if one.verdict != ERROR]
    groups = groups_of(cells)
    known = [(cell, one) for cell, one in pairs if cell.known]
    tested = _outcomes(known, classes, groups)
    found = scores(tested, by)
    unknown = _unknown([(cell, one) for cell, one in pairs if not cell.known], groups)
    if unknown:
        answered = [(cell, one) for cell, one in pairs if one.verdict != ABSTAINS]
        wrong = np.array([one.verdict != cell.actual for cell, one in answered], np.bool_)
        found[ALL_ERRORS] = proportion(wrong, _clusters(answered, groups))
    most = np.bincount(tested.actual).argmax() if known else 0
    own = _internal(internal, tested, by) if internal else {}
    return Results(
        scores=found,
        baseline=proportion(tested.actual == most, tested.clusters),
        internal=own,
        differences={
            name: difference(found[name], own[name])
            for name in found
            if name in own and 0 not in (found[name].whole, own[name].whole)
        },
        unknown=unknown,
        calibration=_calibration(known, classes, groups, by, calibrated),
        tables=(
            Counter((cell.actual, one.likeliest or ABSTAINS) for cell, one in pairs),
            Counter((cell.actual, one.verdict) for cell, one in pairs),
        ),
        reasons=Counter(reason.split(":")[0] for _, one in known for reason in one.reasons),
        unreadable=len(predictions) - len(pairs),
        no_input=int((tested.likeliest == NO_INPUT).sum()),
        groups=count_clusters(_clusters(pairs, groups)) or 0,
    )


def _clusters(pairs: Pairs, groups: Groups | None) -> NDArray[np.int64] | None:
    return cluster_numbers((cell.row.cell for cell, _ in pairs), groups)


def _outcomes(pairs: Pairs, classes: tuple[str, ...], groups: Groups | None) -> Outcomes:
    index = {name: number for number, name in enumerate(classes)}
    return Outcomes(
        np.array([index[cell.actual] for cell, _ in pairs], np.int64),
        np.array([index.get(one.likeliest, NO_INPUT) for _, one in pairs], np.int64),
        np.array([one.verdict != ABSTAINS for _, one in pairs], np.bool_),
        _clusters(pairs, groups),
        classes,
    )


def _internal(internal: InternalTest, tested: Outcomes, by: CompareParameters) -> dict[str, Score]:
    """Return the scores of the model's own test, over the classes that are tested here too."""
    p = internal.predictions
    own = Outcomes(p.actual, p.predicted, internal.answered, internal.clusters, p.classes)
    return scores(own.select(np.isin(p.actual, tested.actual)), by)


def _unknown(pairs: Pairs, groups: Groups | None) -> dict[str, Unknown]:
    found = {}
    for name, _ in Counter(cell.actual for cell, _ in pairs).most_common():
        own = [(cell, one) for cell, one in pairs if cell.actual == name]
        answered = np.array([one.verdict != ABSTAINS for _, one in own], np.bool_)
        answers = Counter(one.verdict for _, one in own if one.verdict != ABSTAINS)
        found[name] = Unknown(proportion(answered, _clusters(own, groups)), dict(answers.most_common()))
    return found


def _calibration(
    pairs: Pairs, classes: tuple[str, ...], groups: Groups | None, by: CompareParameters, calibrated: bool
) -> dict[str, Calibrated]:
    """Measure the calibration of the forced choice."""
    seen = [(cell, one) for cell, one in pairs if one.raw]
    if not seen:
        return {}
    actual = np.array([classes.index(cell.actual) for cell, _ in seen], np.int64)
    kinds = {RAW: [one.raw for _, one in seen]}
    if calibrated:
        kinds[SCALED] = [one.probabilities for _, one in seen]
    found = {}
    for kind, rows in kinds.items():
        probabilities = np.array([[row[name] for name in classes] for row in rows])
        confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == actual
        found[kind] = Calibrated(
            float(confidence.mean()),
            calibration_error(confidence, correct, by.resamples, by.seed, clusters=_clusters(seen, groups)),
            brier_score(probabilities, actual),
            reliability(confidence, correct),
        )
    return found
