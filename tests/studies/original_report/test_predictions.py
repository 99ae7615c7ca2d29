from pathlib import Path

import numpy as np
import pytest

from bloodcells.core.classes import CLASSES
from bloodcells.core.errors import InputError
from studies.original_report.predictions import (
    FAULTY,
    OURS,
    TEST,
    VALIDATION,
    Answers,
    read_answers,
    together,
    write_answers,
)


def made(protocol: str, part: str, images: list[str], draws: int = 3, seed: int = 1) -> Answers:
    random = np.random.default_rng(seed)
    count = len(images)
    said = [random.integers(0, len(CLASSES), count) for _ in range(3)]
    return Answers(
        protocol=np.full(count, protocol),
        fold=np.arange(count) % 2,
        part=np.full(count, part),
        image=np.array(images),
        in_training=np.arange(count) % 3 == 0,
        actual=said[0],
        as_it_is=said[1],
        views=said[2],
        draws=random.integers(0, len(CLASSES), (count, draws)),
    )


ANSWERS = together(
    [made(FAULTY, VALIDATION, ["a.jpg", "a.jpg", "b.jpg"]), made(OURS, TEST, ["longer name.jpg", "c.jpg"], seed=2)]
)


def test_the_table_gives_back_what_was_written(tmp_path: Path) -> None:
    write_answers(tmp_path / "a.csv", ANSWERS)
    back = read_answers(tmp_path / "a.csv")
    for name, column in vars(ANSWERS).items():
        assert np.array_equal(getattr(back, name), column), name
    text = (tmp_path / "a.csv").read_text()
    assert text.startswith("protocol,fold,part,image,in_training,actual,as_it_is,views,draws\n")
    assert "original,0,validation,a.jpg,1," in text


def test_the_classes_initials_tell_them_apart() -> None:
    assert len({label[0] for label in CLASSES}) == len(CLASSES)


def test_parts_are_found_by_protocol_and_name() -> None:
    assert ANSWERS.of(FAULTY, VALIDATION).image.tolist() == ["a.jpg", "a.jpg", "b.jpg"]
    assert ANSWERS.of(OURS, TEST).draws.shape == (2, 3)
    assert not len(ANSWERS.of(OURS, VALIDATION).image)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("original,0,", "theirs,0,", "line 2: no row of answers: theirs,0,"),
        ("original,0,", "original,-1,", "line 2: no row"),
        (",validation,b.jpg", ",train,b.jpg", "line 4: no row"),
        (",a.jpg,1,", ",a.jpg,yes,", "line 2: no row"),
        ("in_training", "trained", "has no column in_training"),
        ("phil,", "phile,", "no row of answers"),
    ],
)
def test_what_is_no_table_of_answers_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "a.csv"
    write_answers(path, ANSWERS)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        read_answers(path)


def test_draws_of_another_number_or_of_no_class_and_an_empty_table_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_answers(path, ANSWERS)
    lines = path.read_text().splitlines()
    for last in (lines[-1][:-1], lines[-1][:-1] + "x"):
        path.write_text("\n".join([*lines[:-1], last]) + "\n")
        with pytest.raises(InputError, match="line 6: no row of answers"):
            read_answers(path)
    path.write_text(lines[0] + "\n")
    with pytest.raises(InputError, match="holds no answers"):
        read_answers(path)
