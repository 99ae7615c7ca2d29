"""`bloodcells agreement`: how far two readers of `bloodcells relabel` agree, and on which cells they don't."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from bloodcells.cli.arguments import file_to_write, writing
from bloodcells.core.errors import InputError
from bloodcells.core.files import write_csv
from bloodcells.datasets.corrections import COLUMNS, Correction, as_text, read_corrections
from bloodcells.datasets.record import normalize_label
from bloodcells.evaluation.agreement import Agreement, agreement
from bloodcells.reporting.markdown import interval, join, paragraph, table

_HELP = """\
Compare the files that two readers saved in the page of `bloodcells relabel`:
Cohen's kappa and the proportion of agreement, with 95 % intervals, and the cells
on which they disagree. Drop counts as a class. Cells on which a reader is unsure
are counted, and left out of the figures.
"""

Pairs = Sequence[tuple[Correction, Correction]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = _HELP
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("first", type=Path, metavar="FILE", help="corrections of one reader")
    parser.add_argument("second", type=Path, metavar="FILE", help="those of another")
    parser.add_argument(
        "--disagreements",
        type=file_to_write,
        metavar="CSV",
        help="write the cells on which they disagree or one is unsure, for a third reader: "
        "`bloodcells relabel --cells CSV`",
    )
    parser.add_argument(
        "--agreed", type=file_to_write, metavar="CSV", help="write the corrections on which they agree, for the record"
    )


def main(arguments: argparse.Namespace) -> None:
    """Print the agreement, and write the files that were asked for.

    Raises:
        InputError: a file can't be read, or they have no cell in common.
    """
    first, second = (
        read_corrections(path, remedy="name a file that a reader saved in the page of `bloodcells relabel`")
        for path in (arguments.first, arguments.second)
    )
    found = agreement(first, second)
    other_label = [pair for pair in found.agreed if normalize_label(pair[0].old) != normalize_label(pair[1].old)]
    if arguments.agreed and other_label:
        where = " and ".join(one.where for one in other_label[0])
        raise InputError(f"{where}: the two read the cell under different labels; let both read it again")
    print(report(found, len(first), len(second)))
    open_cells = (*found.disagreed, *found.unsure)
    if arguments.disagreements:
        columns = ("image", "old", "first", "second", "first_reader", "second_reader", "first_note", "second_note")
        rows = [(a.image, a.old, a.new, b.new, a.reader, b.reader, a.note, b.note) for a, b in open_cells]
        with writing(arguments.disagreements):
            write_csv(arguments.disagreements, columns, [[as_text(value) for value in row] for row in rows])
        print(f"written: {arguments.disagreements}: {len(rows)} cells")
    if arguments.agreed:
        with writing(arguments.agreed):
            write_csv(arguments.agreed, COLUMNS, [_joined(a, b) for a, b in found.agreed])
        print(f"written: {arguments.agreed}: {len(found.agreed)} cells")


def _joined(a: Correction, b: Correction) -> list[str]:
    """Return one row for both readers."""
    notes = "; ".join(filter(None, dict.fromkeys([a.note, b.note])))
    readers = " + ".join(dict.fromkeys([a.reader, b.reader]))
    return [as_text(value) for value in (a.image, a.old, a.new, readers, max(a.date, b.date), notes)]


def report(found: Agreement, first: int, second: int) -> str:
    """Return what is printed; `first` and `second` are the numbers of cells that each reader read."""
    pairs: Pairs = (*found.agreed, *found.disagreed, *found.unsure)
    readers = [join(sorted({pair[place].reader for pair in pairs})) for place in (0, 1)]
    if readers[0] == readers[1]:
        readers = [f"{reader} ({which})" for reader, which in zip(readers, ("first", "second"), strict=True)]
    decided = len(found.agreed) + len(found.disagreed)
    kappa, *ends = found.kappa
    blocks = [
        paragraph(
            f"{readers[0]} read {first} cells, {readers[1]} {second}, and both read {found.both}. On "
            f"{len(found.unsure)} of these, one is unsure; on the other {decided}, they agree on {len(found.agreed)}."
        ),
        table(
            ["", "95 % interval"],
            [
                ["agreement", interval(*found.proportion)],
                ["Cohen's kappa", _undefined(kappa) if any(map(math.isnan, ends)) else interval(*found.kappa)],
            ],
        ),
        paragraph(
            "They hold for cells like those read. Doubtful cells are harder than others, and kappa is lower on them."
        ),
    ]
    for title, some in (("They disagree on", found.disagreed), ("One is unsure about", found.unsure)):
        if some:
            rows = [[a.image, a.old, a.new, b.new, "; ".join(filter(None, [a.note, b.note]))] for a, b in some]
            rows = [["".join(filter(str.isprintable, cell)) for cell in row] for row in rows]
            blocks += [f"{title} {len(some)}:", table(["image", "label", *readers, "notes"], rows, names=5)]
    return "\n\n".join(blocks)


def _undefined(kappa: float) -> str:
    if math.isnan(kappa):
        return "undefined: both name one class only"
    return f"{kappa:.3f} (no interval)"
