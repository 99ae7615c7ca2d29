"""The page: one HTML file that holds the cells, their pictures and the script, and fetches nothing."""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from bloodcells.cli.relabel.cells import Question
from bloodcells.datasets.corrections import COLUMNS, UNSURE
from bloodcells.datasets.record import DROP
from bloodcells.reporting.pages import render

MAX_BYTES = 20_000_000
"""Size of the cells in a page, at most; a browser opens it at once, and it can be sent by mail."""

KEYS = "123456789abcdefghijk"
"""The keys of the classes, in order. The page has others: 0, u, z, n, s, and the arrows."""


def relabel_page(
    dataset: str,
    title: str,
    classes: Sequence[str],
    questions: Sequence[Question],
    draw: Callable[[str], dict[str, Any]],
    *,
    blind: bool,
) -> tuple[str, int]:
    """Return the page, and how many of the first cells it holds: at least one, and no more than `MAX_BYTES` take.

    Args:
        dataset: name of the data set.
        title: its title.
        classes: of the data set.
        questions: the cells, in order.
        draw: returns the pictures of a cell; see `pictures.Pictures.draw`.
        blind: hide label, votes and name of a cell until the reader has chosen.
    """
    cells: list[str] = []
    size = 0
    for question in questions:
        content = json.dumps(_content(question, draw), separators=(",", ":"))
        size += len(content)
        if cells and size > MAX_BYTES:
            break
        cells.append(content)
    data = json.dumps(
        {
            "dataset": dataset,
            "classes": list(classes),
            "keys": KEYS[: len(classes)],
            "columns": COLUMNS,
            "unsure": UNSURE,
            "drop": DROP,
            "blind": blind,
            "left_out": len(questions) - len(cells),
        }
    )
    text = f'{data[:-1]}, "cells": [{",".join(cells)}]}}'
    key = hashlib.sha256(text.encode()).hexdigest()[:32]
    escaped = text.replace("<", "\\u003c")  # so that nothing in it can end the script element
    page = render(
        "page.html.j2", "bloodcells.cli.relabel", dataset=dataset, title=title, data=escaped, key=key, blind=blind
    )
    return page, len(cells)


def _content(question: Question, draw: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    other = question.near_duplicate
    return {
        "cell": question.cell,
        "label": question.label,
        "votes": [(vote.model, vote.predicted, round(vote.probability, 4)) for vote in question.votes],
        "doubtful": question.doubtful,
        **draw(question.cell),
        "duplicate": {"cell": other, "label": question.near_duplicate_label, **draw(other)} if other else None,
    }
