import resource
from pathlib import Path
from typing import Any

import pytest
import torch

from bloodcells.core.errors import InputError
from bloodcells.training.snapshots import Snapshots


def content(seed: int) -> dict[str, Any]:
    random = torch.Generator().manual_seed(seed)
    image = torch.rand(2, 3, 4, 5, generator=random).to(memory_format=torch.channels_last)
    return {
        "epoch": seed,
        "weights": {"conv": image, "bias": torch.rand(7, generator=random)},
        "optimizer": [{"step": torch.tensor(float(seed)), "rate": 0.1}, (torch.arange(5), "name")],
        "none": None,
        "empty": torch.zeros(0),
    }


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other) and one.stride() == other.stride() and one.dtype == other.dtype
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return type(one) is type(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def test_the_latest_snapshot_comes_back_as_it_was(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        Snapshots(tmp_path / "last").save(content(seed))
        assert same(Snapshots(tmp_path / "last").load(), content(seed))


def test_what_was_loaded_stays_when_another_is_taken(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "last")
    snapshots.save(content(1))
    loaded = snapshots.load()
    for seed in (2, 3):
        snapshots.save(content(seed))
    assert same(loaded, content(1))


def test_the_marked_one_stays_until_another_is_marked(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "last")
    marked = 0
    for seed in range(1, 9):
        mark = seed in (1, 2, 5)
        snapshots.save(content(seed), mark=mark)
        marked = seed if mark else marked
        if seed == 6:
            snapshots = Snapshots(tmp_path / "last")  # as in a run that goes on
        assert same(Snapshots(tmp_path / "last").load(marked=True), content(marked))
        assert same(Snapshots(tmp_path / "last").load(), content(seed))
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("taken", [1, 2, 3])
def test_one_that_was_cut_short_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    snapshots = Snapshots(tmp_path / "last")
    for seed in range(taken):
        snapshots.save(content(seed))

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    # The tensors of the next are written, and its record is not.
    monkeypatch.setattr("bloodcells.training.snapshots.save", killed)
    with pytest.raises(KeyboardInterrupt):
        snapshots.save(content(99))
    assert same(Snapshots(tmp_path / "last").load(), content(taken - 1))


@pytest.mark.parametrize("loaded", [True, False])
def test_a_run_that_goes_on_does_not_write_over_what_it_went_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loaded: bool
) -> None:
    for seed in (1, 2):
        Snapshots(tmp_path / "last").save(content(seed))
    again = Snapshots(tmp_path / "last")
    if loaded:
        again.load()
    monkeypatch.setattr("bloodcells.training.snapshots.save", lambda *arguments: None)
    again.save(content(3))
    assert same(Snapshots(tmp_path / "last").load(), content(2))


def test_one_may_be_larger_than_those_before(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "last")
    for seed in (1, 2, 3):
        snapshots.save(content(seed))
    large = content(4) | {"more": torch.arange(1000)}
    snapshots.save(large)
    assert same(snapshots.load(), large)
    assert same(Snapshots(tmp_path / "last").load(), large)


def test_a_full_disk_is_an_error_and_loses_nothing(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "last")
    snapshots.save(content(1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, before[1]))  # no file may grow beyond this
    try:
        with pytest.raises(OSError, match="too large"):
            snapshots.save(content(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert same(Snapshots(tmp_path / "last").load(), content(1))
    snapshots.save(content(3))
    assert same(Snapshots(tmp_path / "last").load(), content(3))


def test_a_lost_file_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    Snapshots(tmp_path / "last").save(content(1))
    for file in tmp_path.glob("last.?"):
        file.unlink()
    with pytest.raises(InputError, match="the training starts anew"):
        Snapshots(tmp_path / "last").load()
