"""Generation of a synthetic data set, in the layout of the published one."""

import os
import signal
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from bloodcells.core.files import atomic_write, write_csv, write_text
from bloodcells.datasets.synthetic.plan import Smear, plan_smears
from bloodcells.datasets.synthetic.scene import HEIGHT, WIDTH, BoundingBox, render

IMAGES, ANNOTATIONS, LABELS = "JPEGImages", "Annotations", "labels.csv"


def format_annotation(smear: Smear, boxes: Iterable[BoundingBox]) -> str:
    """Format the boxes of a smear as Pascal VOC, where edges count from 1 and are inclusive."""
    objects = "".join(
        f"  <object>\n    <name>{box.name}</name>\n    <pose>Unspecified</pose>\n"
        f"    <truncated>{int(box.truncated)}</truncated>\n    <difficult>0</difficult>\n    <bndbox>\n"
        f"      <xmin>{box.left + 1}</xmin>\n      <ymin>{box.top + 1}</ymin>\n"
        f"      <xmax>{box.right}</xmax>\n      <ymax>{box.bottom}</ymax>\n    </bndbox>\n  </object>\n"
        for box in boxes
    )
    return (
        f'<annotation verified="no">\n  <folder>JPEGImages</folder>\n  <filename>{smear.name}.jpg</filename>\n'
        f"  <source>\n    <database>rendered from seed {smear.seed}</database>\n  </source>\n"
        f"  <size>\n    <width>{WIDTH}</width>\n    <height>{HEIGHT}</height>\n    <depth>3</depth>\n  </size>\n"
        f"  <segmented>0</segmented>\n{objects}</annotation>\n"
    )


def _write(folder: Path, smears: list[Smear]) -> int:
    """Draw smears and write their files; return their number."""
    for smear in smears:
        pixels, boxes = render(smear)
        with atomic_write(folder / IMAGES / f"{smear.name}.jpg") as part:
            Image.fromarray(pixels).save(part, quality=85)
        if smear.annotated:
            write_text(folder / ANNOTATIONS / f"{smear.name}.xml", format_annotation(smear, boxes))
    return len(smears)


def _cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def generate(folder: Path, images: int, seed: int, progress: bool = True, processes: int | None = None) -> None:
    """Generate `JPEGImages/`, `Annotations/` and `labels.csv` in a folder.

    Args:
        folder: an existing, empty folder.
        images: number of images; the label table has about an eighth more rows.
        seed: random seed; the same `images` and `seed` give the same bytes with any number of processes.
        progress: show a progress bar on a terminal.
        processes: number of processes; by default one per core.
    """
    smears = plan_smears(images, seed)
    (folder / ANNOTATIONS).mkdir()
    (folder / IMAGES).mkdir()
    rows = [("", str(smear.number), smear.category) for smear in smears]
    write_csv(folder / LABELS, ("", "Image", "Category"), rows)

    with_image = [smear for smear in smears if smear.has_image]
    chunks = [with_image[start : start + 5] for start in range(0, len(with_image), 5)]
    workers = min(processes or _cores(), len(chunks))
    with tqdm(total=len(with_image), desc="generate", unit="smear", disable=None if progress else True) as bar:
        if workers == 1:
            for chunk in chunks:
                bar.update(_write(folder, chunk))
            return
        with ProcessPoolExecutor(workers, initializer=_leave_interrupts_to_parent) as pool:
            try:
                for done in as_completed([pool.submit(_write, folder, chunk) for chunk in chunks]):
                    bar.update(done.result())
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
