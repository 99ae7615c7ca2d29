"""`python -m studies.speed` on made-up cells; the second ratio takes a whole run and is left out."""

import re
import sys
from pathlib import Path

import pytest

from studies import speed
from tests.stages.prepared import prepare
from tests.support.workplace import error_of


def test_the_ratio_of_the_loop_to_bare_steps_is_printed_with_the_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(prepare(tmp_path))
    options = ["--skip-repro", "--rounds", "2", "--epochs", "2", "--models"]
    monkeypatch.setattr(sys, "argv", ["speed", *options, "resnet"])
    speed.main()
    machine, *rounds, median = capsys.readouterr().out.splitlines()
    assert re.search(r".+ \(.+\), torch .+, 64×64 pixels", machine)
    assert len(rounds) == 2
    assert all(re.search(r"loop [\d.]+, bare steps [\d.]+ images a second, ratio [\d.]+", line) for line in rounds)
    assert re.fullmatch(r"resnet: the loop runs at [\d.]+% of bare steps \(median of 2\)", median)
    monkeypatch.setattr(sys, "argv", ["speed", *options, "resnot"])
    assert "no model 'resnot'" in error_of(speed.main)
