from pathlib import Path

import pandas as pd

from bloodcells.evaluation.tables import whole_numbers, write_table


def written(tmp_path: Path, table: pd.DataFrame) -> str:
    write_table(tmp_path / "table.csv", table)
    return (tmp_path / "table.csv").read_text()


def test_proportions_keep_six_digits_and_p_values_three_significant_ones(tmp_path: Path) -> None:
    table = pd.DataFrame({"accuracy": [0.12345678], "p": [0.0000123456], "p_holm": [0.0123456], "cells": [7]})
    assert written(tmp_path, table) == "accuracy,p,p_holm,cells\n0.123457,1.23e-05,0.0123,7\n"
    assert table["accuracy"][0] == 0.12345678  # the table itself is not rounded


def test_missing_numbers_are_empty_and_whole_numbers_stay_whole(tmp_path: Path) -> None:
    table = pd.DataFrame({"p": [float("nan"), 0.5], "low": [0.25, float("nan")], "cells": whole_numbers([None, 18])})
    assert written(tmp_path, table) == "p,low,cells\n,0.25,\n0.5,,18\n"


def test_no_number_is_minus_0(tmp_path: Path) -> None:
    assert written(tmp_path, pd.DataFrame({"difference": [-1e-8, -0.0]})) == "difference\n0.0\n0.0\n"
