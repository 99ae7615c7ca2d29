"""Snapshots of a training's state that cost little enough to be taken after each epoch.

Tensors are copied in place into a file that is mapped into memory, which for AlexNet takes a tenth of writing a new
file. Such files take turns: a snapshot that a kill has cut short leaves the one before it whole, and so does each the
one that was marked, such as that of the best epoch, which costs no copy of its own. Nothing is forced to the disk, so a
machine that loses power may lose the last half minute, or the snapshots.
"""

import math
from pathlib import Path
from typing import Any

import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor

from bloodcells.core.errors import InputError
from bloodcells.models.weights import read, save

_ALIGNED = 64
_CHUNK = 1 << 20
_PLACE = "__place__"


class Snapshots:
    """The latest and the marked snapshot at a path, and beside it the three files that hold the tensors in turn."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._index: dict[str, dict[str, Any]] | None = None  # what the path holds, once that is known
        self._memory: dict[int, Tensor] = {}  # files that stay mapped: each mapping costs a fault for every page

    def save(self, content: dict[str, Any], mark: bool = False) -> None:
        """Take a snapshot of tensors and plain values, nested as they like.

        Args:
            content: what to keep.
            mark: keep it until another is marked, not only until the next is taken.

        Raises:
            OSError: the disk is full; the snapshots before stay.
        """
        tensors: list[Tensor] = []
        end = 0

        def place(tensor: Tensor) -> dict[str, Any]:
            nonlocal end
            start, end = end, end + -(-tensor.nbytes // _ALIGNED) * _ALIGNED
            tensors.append(tensor.detach())
            return {_PLACE: start, **_form(tensor)}

        plain = apply_to_collection(content, Tensor, place)
        if self._index is None:
            self._index = read(self.path) if self.path.is_file() else {}
        taken = {entry["file"] for entry in self._index.values()}
        number = next(number for number in range(3) if number not in taken)
        memory = self._memory.get(number)
        if memory is None or len(memory) < end:
            memory = self._memory[number] = _mapped(self._file(number), end)
        start = 0
        for tensor in tensors:
            _view(memory, start, **_form(tensor)).copy_(tensor)
            start += -(-tensor.nbytes // _ALIGNED) * _ALIGNED
        entry = {"file": number, "size": end, "content": plain}
        index = self._index | {"latest": entry} | ({"marked": entry} if mark else {})
        save(index, self.path)
        self._index = index

    def load(self, marked: bool = False) -> dict[str, Any]:
        """Give the latest or the marked snapshot back, its tensors in memory of their own.

        Raises:
            InputError: there is none, or it is broken.
        """
        self._index = read(self.path)
        found = self._index["marked" if marked else "latest"]
        file = self._file(found["file"])
        if not file.is_file() or file.stat().st_size < found["size"]:
            raise InputError(f"{file} is broken: remove {self.path.parent}, and the training starts anew")
        memory = _mapped(file, found["size"])

        def take(value: Any) -> Any:
            if isinstance(value, dict):
                if _PLACE in value:
                    form = {key: item for key, item in value.items() if key != _PLACE}
                    return _view(memory, value[_PLACE], **form).clone()
                return {key: take(item) for key, item in value.items()}
            if isinstance(value, list | tuple):
                return type(value)(take(item) for item in value)
            return value

        content: dict[str, Any] = take(found["content"])
        return content

    def _file(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


def _mapped(file: Path, size: int) -> Tensor:
    """Map a file of at least `size` bytes.

    Those that it lacks are written first: on a full disk that is an error, where the mapping would end the process, and
    it takes half as long as to have each page made when it is touched.
    """
    size = max(size, _ALIGNED)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab", buffering=0) as opened:
        while (missing := size - opened.tell()) > 0:
            opened.write(bytes(min(missing, _CHUNK)))
    return torch.from_file(str(file), shared=True, size=size, dtype=torch.uint8)


def _form(tensor: Tensor) -> dict[str, Any]:
    """Say how a tensor lies in memory: with other strides, the same step would round otherwise."""
    return {"dtype": tensor.dtype, "shape": list(tensor.shape), "strides": list(tensor.stride())}


def _view(memory: Tensor, start: int, dtype: torch.dtype, shape: list[int], strides: list[int]) -> Tensor:
    count = math.prod(shape)
    return memory[start : start + count * dtype.itemsize].view(dtype).as_strided(shape, strides)
