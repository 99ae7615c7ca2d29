"""Numbers, tables and foreign text as GitHub's Markdown, which also reads well in a terminal."""

import re
import textwrap
from collections.abc import Sequence

WIDTH = 80

_MARKUP = re.compile(r"[\\`*<|~$[]|(?<![^\W_])_|_(?![^\W_])")
_AT_LINE = re.compile(r"(?<!\S)(#+(?!\S)|>|[-+=]+(?!\S)|\d+[.)](?!\S))")  # a page is wrapped: any word may begin a line


def table(head: Sequence[str], rows: Sequence[Sequence[str]], names: int = 1) -> str:
    """Return an aligned table; the first `names` columns hold names, on the left, the others figures, on the right."""
    wide = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    rule = ["-" * width if column < names else "-" * (width - 1) + ":" for column, width in enumerate(wide)]
    return "\n".join(
        "| " + " | ".join(f"{cell:{'<' if i < names else '>'}{wide[i]}}" for i, cell in enumerate(row)) + " |"
        for row in [head, rule, *rows]
    )


def paragraph(*sentences: str, width: int = WIDTH) -> str:
    """Wrap sentences into lines of at most `width` characters."""
    return textwrap.fill(" ".join(sentences), width, break_long_words=False, break_on_hyphens=False)


def item(*sentences: str, width: int = WIDTH) -> str:
    """Wrap sentences into an item of a list, its further lines indented."""
    return textwrap.indent(paragraph(*sentences, width=width - 2), "  ").replace("  ", "- ", 1)


def join(words: Sequence[str]) -> str:
    """Join words with commas and "and"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def percent(fraction: float, digits: int = 1) -> str:
    """Return a fraction in percent."""
    return f"{100 * fraction:.{digits}f} %"


def interval(value: float, low: float, high: float) -> str:
    """Return a value with its interval, to three digits."""
    return "{:.3f} ({:.3f} to {:.3f})".format(*(round(number, 3) + 0.0 for number in (value, low, high)))  # no "-0.000"


def p_value(p: float) -> str:
    """Return a p value for a sentence: "p = 0.012", "p < 0.0001"."""
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.3g}"


def code(text: str) -> str:
    """Return foreign text as code, which Markdown does not interpret; in a table, a bar would end the cell."""
    line = one_line(text).translate({ord("`"): "'", ord("|"): "/"})
    return "`" + re.sub(rf" (?={_AT_LINE.pattern})", "\xa0", line) + "`"  # so that no line begins there


def plain(text: str) -> str:
    """Return foreign text as plain words: what Markdown or HTML would interpret is escaped."""
    line = _MARKUP.sub(r"\\\g<0>", one_line(text))
    return _AT_LINE.sub(lambda found: re.sub(r"[#>=+.)-]", r"\\\g<0>", found[0], count=1), line)


def one_line(text: str) -> str:
    """Return a text on one line; bytes of a file name that are not text become escapes."""
    return " ".join(text.split()).encode("utf-8", "backslashreplace").decode()
