from datetime import date

import pytest

from bloodcells.cli.review import escape
from bloodcells.cli.review.changes import ABSENT


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
    assert escape.value(value) == text


def test_numbers_points_and_probabilities() -> None:
    assert (escape.figure(0.83), escape.figure(347), escape.figure(ABSENT)) == ("0.8300", "347", "none")
    assert [escape.points(share) for share in (0.0722, -0.0101, 0.0004, -0.0004, 0.0)] == [
        "+7.2",
        "−1.0",
        "0.0",
        "0.0",
        "0.0",
    ]
    assert [escape.probability(p) for p in (1.0, 0.0312, 0.00099)] == ["1.000", "0.031", "< 0.001"]
    assert [escape.probability(p) for p in (0.0496, 0.04996, 0.0504, 0.05)] == ["0.0496", "0.04996", "0.0504", "0.050"]


def test_counts() -> None:
    assert (escape.counted(1, "cell"), escape.counted(0, "cell")) == ("1 cell", "0 cells")


def test_a_collapsed_block_has_a_summary() -> None:
    assert escape.folded("a <b>", "c") == "<details><summary>a &lt;b&gt;</summary>\n\nc\n\n</details>"
    assert escape.folded("a\n\n# b", "c").startswith("<details><summary>a # b</summary>")
