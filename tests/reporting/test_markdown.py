from bloodcells.reporting.markdown import WIDTH, item, listed, paragraph, percent, table


def test_a_table_is_in_columns() -> None:
    assert table(("", "right"), [("resnet", "9 of 10"), ("a", "1")]).splitlines() == [
        "|        |   right |",
        "| ------ | ------: |",
        "| resnet | 9 of 10 |",
        "| a      |       1 |",
    ]


def test_paragraphs_and_items_are_wrapped_and_keep_their_words() -> None:
    said = ["One sentence with near-duplicates and `code` in it."] * 6
    assert paragraph(*said).replace("\n", " ") == " ".join(said)
    lines = item(*said).splitlines()
    assert lines[0].startswith("- One")
    assert all(line.startswith("  ") for line in lines[1:])
    assert max(map(len, [*lines, *paragraph(*said).splitlines()])) <= WIDTH


def test_percent() -> None:
    assert (percent(0.0825), percent(0.0825, 0)) == ("8.2 %", "8 %")


def test_words_are_listed_as_in_a_sentence() -> None:
    assert [listed(list(letters)) for letters in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]
