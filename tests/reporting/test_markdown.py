"""Numbers and tables as text."""

from bloodcells.reporting.markdown import WIDTH, interval, item, join, p_value, paragraph, percent, table


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
