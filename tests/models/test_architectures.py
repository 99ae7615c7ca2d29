import errno
import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from bloodcells.core.errors import InputError
from bloodcells.inference.probabilities import predict
from bloodcells.models.architectures import build
from bloodcells.models.checkpoints import Checkpoint
from bloodcells.models.normalization import MEAN, STD, normalize
from tests.support.smallset import CLASSES

TINY = "squeezenet1_1"


def checkpoint(network: torch.nn.Module, classes: tuple[str, ...] = CLASSES) -> Checkpoint:
    return Checkpoint(TINY, classes, "cell", 256, 64, MEAN, STD, 3, dict(network.state_dict()))


def pixels(count: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("architecture", ["resnet18", "efficientnet_b0", "alexnet", "googlenet", "vit_b_32"])
def test_any_classification_network_gives_a_logit_per_class(architecture: str) -> None:
    network = build(architecture, 4, 64).eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 4)


def test_the_seed_decides_the_initial_weights() -> None:
    one, same, other = (build(TINY, 4, 64, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_an_unknown_architecture_is_named_with_what_was_meant() -> None:
    with pytest.raises(InputError, match=r"'resnet81'.*resnet18"):
        build("resnet81", 4, 64)


def test_a_detector_is_no_classification_network() -> None:
    with pytest.raises(InputError, match="fasterrcnn_resnet50_fpn"):
        build("fasterrcnn_resnet50_fpn", 4, 64)


def test_an_input_too_small_for_the_network_is_named() -> None:
    with pytest.raises(InputError, match=r"alexnet can't take an input of 16×16 pixels: .*image.side"):
        build("alexnet", 4, 16)


def test_a_checkpoint_is_enough_to_use_it_alone(tmp_path: Path) -> None:
    network = build(TINY, 4, 64, seed=5).eval()
    path = tmp_path / "sub" / "0.ckpt"
    checkpoint(network).save(path)
    back = Checkpoint.load(path)
    assert (back.architecture, back.classes, back.side, back.epoch) == (TINY, CLASSES, 64, 3)
    expected = predict(network, pixels(), checkpoint(network))
    assert np.array_equal(predict(back.network(), pixels(), back), expected)
    assert not list(tmp_path.rglob("*.part"))


def test_the_same_checkpoint_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        checkpoint(build(TINY, 4, 64, seed=5)).save(tmp_path / name / "0.ckpt")
    assert (tmp_path / "a" / "0.ckpt").read_bytes() == (tmp_path / "b" / "0.ckpt").read_bytes()


def test_a_checkpoint_that_holds_code_is_refused_and_not_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "ran",))  # type: ignore[return-value]

    torch.save({"format": 2, "state": Bomb()}, tmp_path / "bomb.ckpt")
    with pytest.raises(InputError, match=r"bomb\.ckpt holds no weights .* objects other than tensors"):
        Checkpoint.load(tmp_path / "bomb.ckpt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint at all", b"PK\x03\x04broken"])
def test_a_broken_checkpoint_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.ckpt").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.ckpt"):
        Checkpoint.load(tmp_path / "x.ckpt")


def test_a_checkpoint_of_another_kind_is_refused(tmp_path: Path) -> None:
    torch.save({"format": 2, "other": 2}, tmp_path / "x.ckpt")
    with pytest.raises(InputError, match=r"x\.ckpt is not a checkpoint of this version"):
        Checkpoint.load(tmp_path / "x.ckpt")


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.ckpt is missing"):
        Checkpoint.load(tmp_path / "none.ckpt")


def test_weights_from_a_file_keep_all_but_a_last_layer_of_another_size(tmp_path: Path) -> None:
    donor = build(TINY, 7, 64, seed=9)
    torch.save(donor.state_dict(), tmp_path / "donor.pt")
    network = build(TINY, 4, 64, str(tmp_path / "donor.pt"), seed=1)
    own, given = network.state_dict(), donor.state_dict()
    *body, weight, bias = own
    assert all(torch.equal(own[name], given[name]) for name in body)
    assert own[weight].shape[0] == own[bias].shape[0] == 4


def test_a_checkpoint_of_ours_serves_as_weights(tmp_path: Path) -> None:
    donor = build(TINY, 4, 64, seed=9)
    checkpoint(donor).save(tmp_path / "0.ckpt")
    network = build(TINY, 4, 64, str(tmp_path / "0.ckpt"))
    assert all(torch.equal(value, donor.state_dict()[name]) for name, value in network.state_dict().items())


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save(build("shufflenet_v2_x0_5", 4, 64).state_dict(), tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"other\.pt don't fit"):
        build(TINY, 4, 64, str(tmp_path / "other.pt"))


def test_weights_for_another_size_of_input_are_refused_with_both_shapes(tmp_path: Path) -> None:
    torch.save(build("vit_b_32", 4, 64).state_dict(), tmp_path / "vit.pt")
    said = r"first at encoder\.pos_embedding, 1×5×768 in the file and 1×10×768 in the network; image\.side may differ"
    with pytest.raises(InputError, match=said):
        build("vit_b_32", 4, 96, str(tmp_path / "vit.pt"))


def test_a_state_dictionary_may_be_wrapped_as_others_do(tmp_path: Path) -> None:
    donor = build(TINY, 4, 64, seed=9)
    torch.save({"state_dict": donor.state_dict(), "epoch": 3}, tmp_path / "theirs.pt")
    network = build(TINY, 4, 64, str(tmp_path / "theirs.pt"))
    assert all(torch.equal(value, donor.state_dict()[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("content", [{"layer": 3}, {"state": [1]}, {"state_dict": {"layer": "text"}}])
def test_what_is_no_state_dictionary_is_refused(tmp_path: Path, content: dict[str, object]) -> None:
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(InputError, match=r"odd\.pt holds no state dictionary"):
        build(TINY, 4, 64, str(tmp_path / "odd.pt"))


def test_a_missing_weights_file_is_named() -> None:
    with pytest.raises(InputError, match=r"nowhere\.pt is missing"):
        build(TINY, 4, 64, "nowhere.pt")


@pytest.mark.parametrize("count", [1, 8])
def test_probabilities_sum_to_one_and_don_t_depend_on_the_batch(count: int) -> None:
    network = build(TINY, 4, 64, seed=5).eval()
    result = predict(network, pixels(), checkpoint(network), count)
    assert result.shape == (5, 4)
    assert np.allclose(result.sum(axis=1), 1)
    assert np.allclose(result, predict(network, pixels(), checkpoint(network), count, batch=2), atol=1e-6)


def test_eight_views_see_a_turned_or_mirrored_cell_alike() -> None:
    network = build(TINY, 4, 64, seed=5).eval()
    seen = pixels()
    result = predict(network, seen, checkpoint(network), 8)
    for moved in (np.rot90(seen, 1, (1, 2)), seen[:, :, ::-1]):
        other = np.ascontiguousarray(moved)
        assert np.allclose(predict(network, other, checkpoint(network), 8), result, atol=1e-6)
        assert not np.allclose(predict(network, other, checkpoint(network), 1), result, atol=1e-6)


def test_a_full_disk_is_an_error_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, content: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "open", lambda self, mode: Full())
    with pytest.raises(OSError, match="No space left") as caught:
        checkpoint(build(TINY, 4, 64)).save(tmp_path / "0.ckpt")
    assert caught.value.filename == str(tmp_path / "0.ckpt")
    assert not list(tmp_path.iterdir())


def test_normalized_pixels_are_in_standard_deviations_from_the_mean() -> None:
    images = torch.tensor([0.0, 255.0]).view(2, 1, 1, 1).expand(2, 3, 2, 2)
    black, white = normalize(images)
    assert torch.allclose(black[:, 0, 0], -torch.tensor(MEAN) / torch.tensor(STD))
    assert torch.allclose(white[:, 1, 1], (1 - torch.tensor(MEAN)) / torch.tensor(STD))
