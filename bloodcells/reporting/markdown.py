"""Tables, paragraphs and figures of GitHub's Markdown that read as well as plain text."""

import textwrap
from collections.abc import Sequence

WIDTH = 80


def table(head: Sequence[str], rows: Sequence[Sequence[str]], names: int = 1) -> str:
    """Give a table whose first columns, so many, hold names, to the left, and whose others figures, to the right."""
    wide = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    rule = ["-" * width if column < names else "-" * (width - 1) + ":" for column, width in enumerate(wide)]
    return "\n".join(
        "| " + " | ".join(f"{cell:{'<' if i < names else '>'}{wide[i]}}" for i, cell in enumerate(row)) + " |"
        for row in [head, rule, *rows]
    )


def paragraph(*sentences: str, width: int = WIDTH) -> str:
    """Wrap sentences into lines of at most `width` characters."""
    return textwrap.fill(" ".join(sentences), width, break_long_words=False, break_on_hyphens=False)


def item(*sentences: str) -> str:
    """Wrap sentences into an item of a list, its further lines indented."""
    return textwrap.indent(paragraph(*sentences, width=WIDTH - 2), "  ").replace("  ", "- ", 1)


def listed(words: Sequence[str]) -> str:
    """Give words as a list within a sentence."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def percent(share: float, digits: int = 1) -> str:
    """Give a share in percent."""
    return f"{100 * share:.{digits}f} %"
