from datetime import date

import pytest
from markdown_it import MarkdownIt

from bloodcells.cli.review import escape as words
from bloodcells.cli.review.changes import ABSENT
from bloodcells.reporting.markdown import paragraph

NASTY = ["a_b", "_a_", "*b*", "`c`", "<i>d</i>", "[e](http://f)", "![g](h)", "i|j", "k\nl", "~m~", "n\\*o", "__init__"]


def shown(markdown: str) -> str:
    """Give the text of the first cell of a table as it is seen; a cell holds a line."""
    tokens = (
        MarkdownIt("commonmark", {"html": True})
        .enable(["table", "strikethrough"])
        .parse(f"| {markdown} | x |\n| --- | --- |\n")
    )
    cells = [token for token in tokens if token.type == "inline"]
    assert len(cells) == 2
    kinds = {child.type for child in cells[0].children or ()}
    assert kinds <= {"text", "text_special", "code_inline"}
    return "".join(child.content for child in cells[0].children or ())


@pytest.mark.parametrize("text", NASTY)
def test_foreign_text_stays_text(text: str) -> None:
    assert shown(words.plain(text)) == text.replace("\n", " ")
    assert shown(words.code(text)) == text.replace("\n", " ").replace("`", "'").replace("|", "/")


@pytest.mark.parametrize("mark", ["#", "###", ">", ">b", "-", "+", "---", "===", "1.", "23)"])
def test_foreign_text_begins_no_block_where_a_line_is_broken(mark: str) -> None:
    for text in (f"{'a ' * 39}{mark} b", f"{mark} b", f"{'a' * 78} {mark}"):
        for written in (words.plain(text), words.code(text)):
            tokens = MarkdownIt("commonmark", {"html": True}).parse(paragraph("So:", written))
            assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
            seen = "".join(child.content or " " for child in tokens[1].children or ())
            assert seen.replace("\xa0", " ") == f"So: {text}"


def test_a_name_that_is_no_text_is_told_by_its_bytes() -> None:
    assert words.code("a\udcff.py") == "`a\\udcff.py`"
    assert shown(words.plain("a\udcff.py")) == "a\\udcff.py"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (ABSENT, "none"),
        (1e-05, "1e-05"),
        (40, "40"),
        (True, "true"),
        (None, "null"),
        ([0, 1], "`[0, 1]`"),
        ("a", "`a`"),
        (date(2026, 1, 2), "`2026-01-02`"),
        ([date(2026, 1, 2), float("nan")], '`["2026-01-02", ".nan"]`'),
        ({date(2026, 1, 2): 1}, '`{"2026-01-02": 1}`'),
        (float("nan"), "`.nan`"),
        (float("-inf"), "`-.inf`"),
    ],
)
def test_a_value_reads_as_in_yaml(value: object, text: str) -> None:
    assert words.value(value) == text


def test_figures_points_and_probabilities() -> None:
    assert (words.figure(0.83), words.figure(347), words.figure(ABSENT)) == ("0.8300", "347", "none")
    assert [words.points(share) for share in (0.0722, -0.0101, 0.0004, -0.0004, 0.0)] == [
        "+7.2",
        "−1.0",
        "0.0",
        "0.0",
        "0.0",
    ]
    assert [words.probability(p) for p in (1.0, 0.0312, 0.00099)] == ["1.000", "0.031", "< 0.001"]
    assert [words.probability(p) for p in (0.0496, 0.04996, 0.0504, 0.05)] == ["0.0496", "0.04996", "0.0504", "0.050"]


def test_counts() -> None:
    assert (words.counted(1, "cell"), words.counted(0, "cell")) == ("1 cell", "0 cells")


def test_what_is_folded_away_has_a_line_of_text_above_it() -> None:
    assert words.folded("a <b>", "c") == "<details><summary>a &lt;b&gt;</summary>\n\nc\n\n</details>"
    assert words.folded("a\n\n# b", "c").startswith("<details><summary>a # b</summary>")
