"""What training reads: the cells of one part of a split, batch by batch."""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import BatchSampler, Dataset, DistributedSampler

from bloodcells.core.prepared_cells import PreparedCells


class Cells(Dataset[tuple[Tensor, Tensor]]):
    """Cells as (pixels, label), indexed by whole batches.

    Args:
        array: (cells, side, side, 3) uint8; may be memory-mapped.
        rows: for each of the n cells its row in `array`; an oversampled cell repeats its row.
        labels: (n,) class indices.
    """

    def __init__(self, array: NDArray[np.uint8], rows: NDArray[np.int64], labels: NDArray[np.int64]) -> None:
        self.array, self.rows, self.labels = array, rows, labels

    @classmethod
    def from_split(
        cls, cells: PreparedCells, split: Sequence[Mapping[str, str]], part: str, classes: Sequence[str]
    ) -> Self:
        """Take one part of a split, given by its rows of image, label and part."""
        chosen = [row for row in split if row["part"] == part]
        labels = np.array([classes.index(row["label"]) for row in chosen], dtype=np.int64)
        return cls(cells.array, cells.find([row["image"] for row in chosen]), labels)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, indices: list[int]) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(self.array[self.rows[indices]]), torch.from_numpy(self.labels[indices])


class EpochBatches(BatchSampler):
    """A batch sampler that passes on the number of the epoch, which decides the order."""

    def set_epoch(self, epoch: int) -> None:
        """Shuffle for this epoch."""
        assert isinstance(self.sampler, DistributedSampler)
        self.sampler.set_epoch(epoch)
