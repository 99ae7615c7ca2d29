"""The run of `bloodcells import`."""

import argparse
from pathlib import Path

from PIL import Image

from bloodcells.cli.git import is_ignored, repository
from bloodcells.cli.importing.classes import Wishes
from bloodcells.cli.importing.label_tables import TableWishes
from bloodcells.cli.importing.planning import Options, Plan, make_plan
from bloodcells.cli.importing.report import format_report
from bloodcells.cli.importing.scanning import scan
from bloodcells.cli.importing.writing import SOURCE, check_target, write_data_set
from bloodcells.core.errors import InputError
from bloodcells.datasets.record import AS_FOUND, RECORDS, record_path
from bloodcells.imaging.loading import open_rgb


def run(arguments: argparse.Namespace) -> None:
    """Look at the folder, print the report, and write the data set.

    Raises:
        InputError: something can't be decided or used; the message names the remedy.
    """
    root = repository(Path.cwd())
    name, folder, records = arguments.name, arguments.folder, root / RECORDS
    check_place(folder, root, records / name)
    if not arguments.dry_run:
        check_target(name, records, arguments.force)
    found = scan(folder, _open)
    plan = make_plan(found, options(arguments))
    print(format_report(found, plan))
    if folder.resolve().is_relative_to(root.resolve()) and not is_ignored(root, folder):
        print(f"{folder} lies inside the project: move it out, so that none of its images gets into git.\n")
    if arguments.dry_run:
        print("Nothing was written (--dry-run).")
        return
    write_data_set(name, arguments.title or folder.resolve().name, plan, records)
    print(*closing(name, plan), sep="\n")


def check_place(folder: Path, root: Path, target: Path) -> None:
    """Check that the folder and the project do not contain what the other one is about.

    Raises:
        InputError: the folder contains the project, or is where the import would write.
    """
    here = folder.resolve()
    if root.resolve().is_relative_to(here):
        raise InputError(f"{folder} contains this project: name the folder that holds images and labels alone")
    if here.is_relative_to(target.resolve()):
        raise InputError(f"{folder} is where the import writes: move it elsewhere, and import it from there")


def options(arguments: argparse.Namespace) -> Options:
    """Return what the user says."""
    as_found = arguments.classes in (["as-found"], [AS_FOUND])
    images = arguments.images
    if images and Path(images).resolve().is_relative_to(arguments.folder.resolve()):
        images = Path(images).resolve().relative_to(arguments.folder.resolve()).as_posix()
    return Options(
        layout=arguments.layout,
        images=images,
        table=TableWishes(arguments.table, arguments.image_column, arguments.label_column, arguments.group),
        classes=Wishes(arguments.labels, arguments.drop, None if as_found else arguments.classes),
        as_found=as_found,
        crop=arguments.crop,
    )


def closing(name: str, plan: Plan) -> list[str]:
    """Return what was written, and the next commands."""
    source = f"{RECORDS.name}/{name}/{SOURCE}"
    size = sum(path.stat().st_size for path in plan.files.values()) / 1e6
    explore = f"  dvc repro explore   # does plots/{name}/explore show whole cells? image.crop is the square's side"
    return [
        "Written",
        f"  {record_path(name)}  complete its title, license and citation",
        f"  {source:{len(str(record_path(name)))}}  {len(plan.files)} files, {size:.1f} MB",
        "",
        "Next",
        f"  dvc add {source}",
        f"  bloodcells use {name}",
        *([] if "image.crop" in plan.record["parameters"] else [explore]),
        "  dvc repro",
    ]


def _open(path: Path, limits: tuple[float, float] | None) -> Image.Image:
    return open_rgb(path, remedy="copy it again", range=limits)
