"""From the labels that a data set has to its classes: what is named otherwise, what is dropped, and why."""

import difflib
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bloodcells.core.errors import InputError
from bloodcells.datasets.record import DROP, check_class_name, check_classes, normalize_label

MIN_GROUPS = 3
"""A class needs a cell for training, validation and test each, and no two of them may belong together."""

_MIN_CELLS = 5  # of a class that the user has not named
_FEW = 10
_SIMILAR = 0.85

_STEMS = (
    "neutro",
    "eosino",
    "baso",
    "lympho",
    "mono",
    "blast",
    "myelocyte",
    "granulocyte",
    "smudge",
    "hairy",
    "plasma",
)
_ABBREVIATIONS = {
    *("n", "ne", "neu", "neut", "e", "eo", "eos", "b", "ba", "bas", "l", "ly", "lym", "lymph", "m", "mo", "mon"),
    *("band", "bands", "seg", "segs", "segmented", "ig", "bne", "sne", "my", "mmy", "pmy", "vly", "lyt", "erb"),
}
_NOT_WHITE = re.compile(r"rbcs?|red (blood )?cells?|erythrocytes?|(giant )?platelets?|plts?|thrombocytes?")
_ANY_WHITE = re.compile(r"wbcs?|white (blood )?cells?|leu[ck]ocytes?|cells?|nucle(us|i)|objects?")
_NO_LABEL = re.compile(r"\?+|-+|n/?a|nan|unknown|unsure|not sure|unclear|unlabell?ed|undefined")


@dataclass(frozen=True)
class Found:
    """A label of the data set.

    Attributes:
        name: as it is spelled most often.
        cells: how many cells have this label alone.
        groups: the patients, slides or acquisitions of these; where none is known, each picture is one.
    """

    name: str
    cells: int
    groups: frozenset[str]


@dataclass(frozen=True)
class Wishes:
    """What the user says about the classes.

    Attributes:
        labels: from a label to its class or to `drop`.
        drop: labels to drop.
        classes: all classes in order; None for those that are found.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    drop: Sequence[str] = ()
    classes: Sequence[str] | None = None


@dataclass(frozen=True)
class Choice:
    """The classes, and what makes them of the labels.

    Attributes:
        classes: their names in order, each with its number of groups.
        label_map: from a label that is named otherwise to its class.
        dropped: labels whose cells are dropped, and why.
        remarks: what the user should look at.
    """

    classes: dict[str, int]
    label_map: dict[str, str]
    dropped: dict[str, str]
    remarks: tuple[str, ...]


def is_white_cell(label: str) -> bool:
    """Return whether a label is a usual name of a kind of white cell."""
    label = normalize_label(label)
    return label in _ABBREVIATIONS or any(stem in label for stem in _STEMS)


def names_no_class(label: str) -> bool:
    """Return whether a label says `white cell`, and not which kind."""
    return _ANY_WHITE.fullmatch(normalize_label(label)) is not None


def is_not_white(label: str) -> bool:
    """Return whether a label is a usual name of red cells or platelets."""
    return _NOT_WHITE.fullmatch(normalize_label(label)) is not None


def says_nothing(label: str) -> bool:
    """Return whether a label says that there is none, as N/A does."""
    return _NO_LABEL.fullmatch(normalize_label(label)) is not None


def choose_classes(found: Collection[Found], wishes: Wishes, boxes: bool = False) -> Choice:
    """Choose the classes of a data set.

    Args:
        found: its labels.
        wishes: what the user says.
        boxes: whether the labels are names of boxes, of which some may not be white cells.

    Raises:
        InputError: the user names a label that is not there, a label can't be a class, or there are too few or too many
            classes. The message says which option decides it.
    """
    by_label = {normalize_label(label.name): label for label in found}
    mapped = _find("--labels", wishes.labels, by_label)
    dropped = dict.fromkeys(_find("--drop", dict.fromkeys(wishes.drop, DROP), by_label), "as --drop says")
    dropped |= {label: "as --labels says" for label, name in mapped.items() if name == DROP and label not in dropped}
    mapped = {label: name for label, name in mapped.items() if label not in dropped}
    if wishes.classes is None:
        dropped |= {
            label: reason
            for label in by_label.keys() - mapped.keys() - dropped.keys()
            if (reason := _reason_to_drop(label, boxes))
        }
    rest = sorted(by_label.keys() - mapped.keys() - dropped.keys())
    if wishes.classes is not None:
        _check_listed(wishes.classes, mapped, [by_label[label] for label in rest])
    elif boxes:
        _check_known([by_label[label] for label in rest if not is_white_cell(label)])
    named = (*(wishes.classes or ()), *mapped.values())
    spelling = {normalize_label(name): name for name in (*rest, *named)}
    classes = {
        label: spelling[normalize_label(name)] for label, name in {**{name: name for name in rest}, **mapped}.items()
    }
    names = wishes.classes or dict.fromkeys((*mapped.values(), *(classes[label] for label in rest)))
    groups = {
        name: len(frozenset[str]().union(*(by_label[label].groups for label in classes if classes[label] == name)))
        for name in names
    }
    if lacking := [f"{name} has {count}" for name, count in groups.items() if name in named and count < MIN_GROUPS]:
        raise InputError(
            f"too few cells: {', '.join(lacking)}, and a class needs {MIN_GROUPS} that do not belong together, for "
            "training, validation and test; leave it out (--drop), or join it to another class (--labels)"
        )
    for name in groups.keys() - {*named}:
        cells = sum(by_label[label].cells for label in classes if classes[label] == name)
        if groups[name] < MIN_GROUPS or cells < _MIN_CELLS:
            few = "too few to learn" if cells else "no cell with an image has this label alone"
            close = difflib.get_close_matches(name, groups.keys() - {name}, n=1)
            hint = f'; a typing error? --labels "{name}={close[0]}"' if close else ""
            dropped[name] = few + ("; --classes can keep it" if groups[name] >= MIN_GROUPS else "") + hint
    groups = {name: count for name, count in groups.items() if name not in dropped}
    _check_names(groups, by_label)
    return Choice(
        groups,
        {by_label[label].name: name for label, name in mapped.items()},
        {by_label[label].name: reason for label, reason in dropped.items()},
        (*_numbers(groups), *_similar(rest), *_few(groups)),
    )


def _find(option: str, wanted: Mapping[str, str], by_label: Mapping[str, Found]) -> dict[str, str]:
    """Return what is wanted by normalized labels; raise InputError if one of these is not there."""
    missing = []
    for label in wanted:
        if normalize_label(label) not in by_label:
            close = difflib.get_close_matches(normalize_label(label), by_label, n=1)
            missing.append(f"{label!r}" + (f" (did you mean {close[0]!r}?)" if close else ""))
    if missing:
        raise InputError(
            f"{option}: no cell has the label {' or '.join(missing)}; there are {_list(by_label.values())}"
        )
    return {normalize_label(label): name for label, name in wanted.items()}


def _reason_to_drop(label: str, boxes: bool) -> str:
    if says_nothing(label):
        return "it means that the cell has no label"
    if boxes and is_not_white(label):
        return "not a white cell"
    if boxes and names_no_class(label):
        return "it does not say which kind of white cell"
    return ""


def _check_listed(classes: Sequence[str], mapped: Mapping[str, str], rest: Sequence[Found]) -> None:
    known = {normalize_label(name): name for name in classes}
    if wrong := [name for name in mapped.values() if normalize_label(name) not in known]:
        raise InputError(f"--labels names the class {wrong[0]!r}, which is not among --classes: {', '.join(classes)}")
    unknown = [label for label in rest if normalize_label(label.name) not in known]
    if unknown:
        hints = [difflib.get_close_matches(normalize_label(label.name), known, n=1) for label in unknown]
        shown = [
            f"{label.name} ({_cells(label.cells)}{f', near {hint[0]}' if hint else ''})"
            for label, hint in zip(unknown, hints, strict=True)
        ]
        raise InputError(
            f"labels that are not among --classes: {', '.join(shown)}; add them to --classes, name their class "
            f'(--labels "{unknown[0].name}=…"), or leave them out (--drop)'
        )


def _check_known(unknown: Sequence[Found]) -> None:
    if unknown:
        raise InputError(
            f"are these boxes white cells? {_list(unknown)}: name their class (--labels "
            f'"{unknown[0].name}=…"), leave them out (--drop "{unknown[0].name}"), or take all names as classes '
            "(--classes as-found)"
        )


def _check_names(groups: Mapping[str, int], by_label: Mapping[str, Found]) -> None:
    for name in groups:
        try:
            check_class_name(name)
        except ValueError as error:
            remedy = (
                f'--labels "{name}=…" names it otherwise' if normalize_label(name) in by_label else "name it otherwise"
            )
            raise InputError(f"{error}: {remedy}") from None
    try:
        check_classes(tuple(groups))
    except ValueError as error:
        raise InputError(
            f"{error}. The labels are {_list(by_label.values())}: is this the right column or folder (--label-column)? "
            "--labels joins labels to classes, and --drop leaves some out"
        ) from None


def _numbers(groups: Mapping[str, int]) -> Iterator[str]:
    numbers = [name for name in groups if re.fullmatch(r"[\d.]+", name)]
    if numbers:
        yield (
            "The classes are numbers, and will be in every table and chart. If you know what they mean, name them: "
            f'--labels "{",".join(f"{number}=…" for number in numbers)}"'
        )


def _similar(labels: Sequence[str]) -> Iterator[str]:
    for one, other in itertools.combinations(labels, 2):
        if min(len(one), len(other)) > 3 and difflib.SequenceMatcher(None, one, other).ratio() > _SIMILAR:
            yield f'{one} and {other}: if they are the same, join them: --labels "{other}={one}"'


def _few(groups: Mapping[str, int]) -> Iterator[str]:
    few = {name: count for name, count in groups.items() if count < _FEW}
    if few:
        yield (
            f"Few examples: {', '.join(f'{name} has {count}' for name, count in few.items())}. Results on so few are "
            "uncertain; --drop leaves a class out"
        )


def _list(labels: Iterable[Found], most: int = 30) -> str:
    labels = sorted(labels, key=lambda label: -label.cells)
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return ", ".join(f"{label.name} ({label.cells})" for label in labels[:most]) + more


def _cells(count: int) -> str:
    return f"{count} cell" + "s" * (count != 1)
