"""Values and foreign text on a page of Markdown: everything foreign is escaped here."""

import json
import math
import re
from collections.abc import Sequence
from html import escape
from typing import Any

from bloodcells.cli.review.changes import ABSENT
from bloodcells.evaluation.paired_tests import LEVEL

_MARKUP = re.compile(r"[\\`*<|~$[]|(?<![^\W_])_|_(?![^\W_])")
_AT_LINE = re.compile(r"(?<!\S)(#+(?!\S)|>|[-+=]+(?!\S)|\d+[.)](?!\S))")  # a page is wrapped: any word may begin a line


def code(text: str) -> str:
    """Return foreign text as code, which Markdown does not interpret; in a table, a bar would end the cell."""
    line = _line(text).translate({ord("`"): "'", ord("|"): "/"})
    return "`" + re.sub(rf" (?={_AT_LINE.pattern})", "\xa0", line) + "`"  # so that no line begins there


def plain(text: str) -> str:
    """Return foreign text as plain words: what Markdown or HTML would interpret is escaped."""
    line = _MARKUP.sub(r"\\\g<0>", _line(text))
    return _AT_LINE.sub(lambda found: re.sub(r"[#>=+.)-]", r"\\\g<0>", found[0], count=1), line)


def _line(text: str) -> str:
    """Return a text on one line; bytes of a file name that are not text become escapes."""
    return " ".join(text.split()).encode("utf-8", "backslashreplace").decode()


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
    return f"<details><summary>{escape(_line(summary))}</summary>\n\n{block}\n\n</details>"
