"""Values on a page of Markdown, escaped by `bloodcells.reporting.markdown`."""

import json
import math
from collections.abc import Sequence
from html import escape
from typing import Any

from bloodcells.cli.review.changes import ABSENT
from bloodcells.evaluation.paired_tests import LEVEL
from bloodcells.reporting.markdown import code, one_line


def value(value: Any) -> str:
    """Return a value as in YAML: text and lists as code, numbers as they are."""
    if value is ABSENT:
        return "none"
    if isinstance(value, list | dict):
        return code(json.dumps(_for_json(value)))
    value = _for_json(value)
    return code(value) if isinstance(value, str) else json.dumps(value)


def _for_json(value: Any) -> Any:
    """Return a value that JSON has: dates and numbers that are not finite become YAML's words for them."""
    if isinstance(value, list):
        return [_for_json(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _for_json(one) for key, one in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    return value if isinstance(value, str | int | float | None) else str(value)


def figure(value_: Any) -> str:
    """Return a metric, with four digits unless it is a count."""
    return f"{value_:.4f}" if isinstance(value_, float) else value(value_)


def points(share: float) -> str:
    """Return a difference of fractions in percentage points, with its sign; no difference has none."""
    text = f"{abs(100 * share):.1f}"
    return text if text == "0.0" else ("+" if share > 0 else "−") + text


def probability(p: float) -> str:
    """Return a p value with enough digits to show on which side of `LEVEL` it is."""
    return "< 0.001" if p < 0.001 else distinct(p, LEVEL)


def distinct(number: float, limit: float) -> str:
    """Return a number with three digits, or as many as it takes to differ from a limit that it does not equal."""
    digits = next((many for many in range(3, 17) if round(number, many) != limit), 3)
    return f"{number:.{digits}f}"


def counted(count: int, what: str) -> str:
    """Return a number of things: 1 cell, 2 cells."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def named(names: Sequence[str], most: int) -> str:
    """Return names: at most so many, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def folded(summary: str, block: str) -> str:
    """Collapse a block under a line."""
    return f"<details><summary>{escape(one_line(summary))}</summary>\n\n{block}\n\n</details>"
