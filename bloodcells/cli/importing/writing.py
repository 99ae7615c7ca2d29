"""Writing an imported data set: its record, as a person would write it, and the copied files."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from bloodcells.cli.importing.planning import Plan
from bloodcells.core.errors import InputError
from bloodcells.core.files import atomic_folder, atomic_write, write_text
from bloodcells.core.parameters import read_yaml
from bloodcells.datasets.labels import read_labels
from bloodcells.datasets.layout import copy_files
from bloodcells.datasets.record import CORRECTIONS, RECORDS, read_record, record_path

SOURCE = "source"

_CORRECTIONS = """\
# Corrections of labels

Files that readers saved in the page of `bloodcells relabel`. Those that `../record.yaml` names under `corrections` are
applied. The pipeline depends on this folder.
"""

_KEPT = ("title", "license", "citation")  # what only a person knows


def check_target(name: str, records: Path, force: bool) -> None:
    """Check that a data set of this name can be written.

    Raises:
        InputError: there is one already, and it shall not or must not be replaced.
    """
    path = record_path(name, records)
    if path.is_file():
        if read_yaml(path).get("source") != "folder":
            raise InputError(f"{name} is a data set of the project itself: choose another --name")
        if not force:
            raise InputError(
                f"there is a data set {name} already, {path}: choose another --name, or replace it by --force"
            )
    elif path.parent.exists() and not force:
        raise InputError(f"{path.parent} exists, without a record: choose another --name, or add one by --force")


def write_data_set(name: str, title: str, plan: Plan, records: Path = RECORDS) -> None:
    """Write the record and the files; what else is in the folder of the data set, such as corrections, stays.

    Args:
        name: of the data set.
        title: its title, unless it had one.
        plan: what to write.
        records: the folder of all data sets.
    """
    target = records / name
    before = read_yaml(target / "record.yaml") if (target / "record.yaml").is_file() else {}
    content = {"title": title, **{key: before[key] for key in _KEPT if key in before}, **plan.record}
    content |= {"corrections": before["corrections"]} if before.get("corrections") else {}
    with atomic_folder(target) as folder:
        if target.is_dir():
            shutil.copytree(target, folder, symlinks=True, dirs_exist_ok=True, ignore=_replaced(target))
        copy_files(plan.files, folder / SOURCE)
        _ignore_source(folder / ".gitignore")
        if not (folder / CORRECTIONS).exists():
            write_text(folder / CORRECTIONS / "README.md", _CORRECTIONS)
        write_text(folder / "record.yaml", format_record(name, content, plan.reasons))
        read_labels(read_record(name, folder.parent), folder / SOURCE)  # the very files that the pipeline will read


def _replaced(target: Path) -> Callable[[str, list[str]], list[str]]:
    """Return which entries of a folder are not copied: of the data set's own folder, those that are written anew."""
    return lambda folder, names: [name for name in (SOURCE, "record.yaml") if Path(folder) == target and name in names]


def _ignore_source(path: Path) -> None:
    """Let git ignore the files, as `dvc add` does, so that no image gets into git before it; other lines stay."""
    before = path.read_bytes() if path.exists() else b""
    line = f"/{SOURCE}".encode()
    if line not in before.splitlines():
        with atomic_write(path) as part:
            part.write_bytes(before + b"\n" * (before[-1:] not in (b"", b"\n")) + line + b"\n")


def format_record(name: str, content: Mapping[str, Any], reasons: Mapping[str, str]) -> str:
    """Return the text of a record, in the order of the schema and with comments.

    Args:
        name: of the data set.
        content: of the record.
        reasons: why a label is dropped, or a parameter has its value, by its name.
    """
    labels, classes = content["labels"], content["classes"]
    lines = [
        "# How the data set is read. `bloodcells import` wrote this: correct what is wrong (docs/your-data.md).",
        f"title: {_inline(content['title'])}",
        f"license: {_inline(content.get('license', 'not known'))}",
        f"citation: {_inline(content.get('citation', ''))}  # whose images these are, and where they are described",
        f"source: folder  # datasets/{name}/source, tracked by DVC",
        "",
        *_section("images", content["images"]),
        *_section("labels", labels),
    ]
    if "table" in labels and "group" not in labels:
        lines.append("  # group: the column with the patient, slide or acquisition, if there is one")
    lines.append(f"classes: {_inline(classes)}" + ("" if isinstance(classes, str) else "  # or: as found"))
    if content.get("label_map"):
        lines.append(f"label_map: {_inline({_number(key): value for key, value in content['label_map'].items()})}")
    if content.get("drop"):
        lines += [
            "drop:",
            *(f"  - {_inline(label)}  # {reasons.get(label, '')}".rstrip(" #") for label in content["drop"]),
        ]
    if content.get("white_cells"):
        lines += [
            "# Boxes that only measure whether the cells are found:",
            *_section("white_cells", content["white_cells"]),
        ]
    if content.get("corrections"):
        lines += ["corrections:", *(f"  - {_inline(path)}" for path in content["corrections"])]
    lines += ["", f"# What `bloodcells use {name}` writes into params.yaml:"]
    parameters = content["parameters"]
    lines += ["parameters:" if parameters else "parameters: {}"]
    lines += [f"  {key}: {_inline(value)}  # {reasons[key]}" for key, value in parameters.items()]
    return "\n".join(lines) + "\n"


def _section(name: str, content: Mapping[str, Any]) -> list[str]:
    return [f"{name}:", *(f"  {key}: {_inline(value)}" for key, value in content.items())]


def _inline(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=float("inf"))
    return text.removesuffix("\n").removesuffix("\n...")


def _number(label: str) -> int | str:
    return int(label) if label.isascii() and label.isdecimal() and str(int(label)) == label else label
