"""Numbers, tables and foreign text as Markdown."""

import pytest
from markdown_it import MarkdownIt

from bloodcells.reporting.markdown import WIDTH, code, interval, item, join, p_value, paragraph, percent, plain, table

NASTY = ["a_b", "_a_", "*b*", "`c`", "<i>d</i>", "[e](http://f)", "![g](h)", "i|j", "k\nl", "~m~", "n\\*o", "__init__"]


def test_a_table_is_in_columns() -> None:
    assert table(("", "right"), [("resnet", "9 of 10"), ("a", "1")]).splitlines() == [
        "|        |   right |",
        "| ------ | ------: |",
        "| resnet | 9 of 10 |",
        "| a      |       1 |",
    ]


def test_paragraphs_and_items_are_wrapped_and_keep_their_words() -> None:
    sentences = ["One sentence with near-duplicates and `code` in it."] * 6
    assert paragraph(*sentences).replace("\n", " ") == " ".join(sentences)
    lines = item(*sentences).splitlines()
    assert lines[0].startswith("- One")
    assert all(line.startswith("  ") for line in lines[1:])
    assert max(map(len, [*lines, *paragraph(*sentences).splitlines()])) <= WIDTH


def test_percent() -> None:
    assert (percent(0.0825), percent(0.0825, 0)) == ("8.2 %", "8 %")


def test_words_are_joined_as_in_a_sentence() -> None:
    assert [join(list(letters)) for letters in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]


def test_an_interval_has_three_digits_and_no_negative_zero() -> None:
    assert interval(0.98167, 0.9, 1) == "0.982 (0.900 to 1.000)"
    assert interval(-0.0001, -0.25, 0.25) == "0.000 (-0.250 to 0.250)"


def test_a_small_p_value_is_not_rounded_to_nothing() -> None:
    assert [p_value(p) for p in (0.5, 0.01234, 0.00009, 0)] == ["p = 0.5", "p = 0.0123", "p < 0.0001", "p < 0.0001"]


def shown(text: str) -> str:
    """Return the text of the first cell of a table as a reader sees it."""
    tokens = (
        MarkdownIt("commonmark", {"html": True})
        .enable(["table", "strikethrough"])
        .parse(f"| {text} | x |\n| --- | --- |\n")
    )
    cells = [token for token in tokens if token.type == "inline"]
    assert len(cells) == 2
    kinds = {child.type for child in cells[0].children or ()}
    assert kinds <= {"text", "text_special", "code_inline"}
    return "".join(child.content for child in cells[0].children or ())


@pytest.mark.parametrize("text", NASTY)
def test_foreign_text_stays_text(text: str) -> None:
    assert shown(plain(text)) == text.replace("\n", " ")
    assert shown(code(text)) == text.replace("\n", " ").replace("`", "'").replace("|", "/")


@pytest.mark.parametrize("mark", ["#", "###", ">", ">b", "-", "+", "---", "===", "1.", "23)"])
def test_foreign_text_begins_no_block_where_a_line_wraps(mark: str) -> None:
    for text in (f"{'a ' * 39}{mark} b", f"{mark} b", f"{'a' * 78} {mark}"):
        for written in (plain(text), code(text)):
            tokens = MarkdownIt("commonmark", {"html": True}).parse(paragraph("So:", written))
            assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
            seen = "".join(child.content or " " for child in tokens[1].children or ())
            assert seen.replace("\xa0", " ") == f"So: {text}"


def test_bytes_that_are_not_text_are_escaped() -> None:
    assert code("a\udcff.py") == "`a\\udcff.py`"
    assert shown(plain("a\udcff.py")) == "a\\udcff.py"
