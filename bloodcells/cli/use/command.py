"""`bloodcells use`: choose a data set, with the parameters and the lock file that belong to it."""

import argparse
import io
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from bloodcells.cli.git import repository
from bloodcells.core.errors import InputError
from bloodcells.core.files import write_text
from bloodcells.core.parameters import PARAMETERS, read_yaml
from bloodcells.datasets.record import RECORDS, Record, read_record, record_names, record_path

LOCK = Path("dvc.lock")
LOCKS = Path("locks")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Choose a data set: write its name and the parameters of its record into params.yaml. The lock file and the "
        "parameters of the last run on the other data set are kept in locks/, and come back when you choose it again."
    )
    parser.add_argument("name", nargs="?", help="a folder in datasets/; without it, all are listed")


def main(arguments: argparse.Namespace) -> None:
    """Choose a data set, or list all.

    Raises:
        InputError: there is no repository or no such data set, or its record names a parameter that does not exist.
    """
    root = repository(Path.cwd())
    chosen = str(read_yaml(root / PARAMETERS).get("dataset"))
    if arguments.name is None:
        for line in listing(root, chosen):
            print(line)
        return
    record = read_record(arguments.name, root / RECORDS)
    for line in use(root, arguments.name, record, chosen):
        print(line)


def listing(root: Path, chosen: str) -> Iterator[str]:
    """Yield a line for each data set."""
    names = record_names(root / RECORDS)
    width = max(map(len, names), default=0)
    for name in names:
        mark = "*" if name == chosen else " "
        yield f"{mark} {name:{width}}  {read_record(name, root / RECORDS).title}"


def use(root: Path, name: str, record: Record, chosen: str) -> list[str]:
    """Choose a data set, and return what was done."""
    done: list[str] = []
    path, kept = root / PARAMETERS, root / LOCKS / name
    before = read_yaml(path)
    restored = name != chosen and kept_run_fits(kept, before)
    base = kept if restored else (root if name == chosen else plain_parameters(root, chosen, before))
    text = (base / PARAMETERS).read_text(encoding="utf-8")
    content, changes = with_parameters(
        text, {**({} if restored else record.parameters), "dataset": name}, record_path(name)
    )
    if name != chosen:
        done += keep(root, chosen, before)
        release(root, chosen)
    if restored and (kept / LOCK).is_file():
        write_text(root / LOCK, (kept / LOCK).read_text(encoding="utf-8"))
    if restored:
        done.append(f"restored what {LOCKS / name} kept of {name}")
    write_text(path, content)
    if restored:
        shutil.rmtree(kept)  # dvc.lock belongs to the data set in use, locks/ has those of the others
    done += [f"{PARAMETERS}: {key}: {_short(old)} → {_short(new)}" for key, (old, new) in changes.items()]
    return [*done, f"{name} ({record.title}) is in use; next: dvc repro"]


def plain_parameters(root: Path, chosen: str, current: Mapping[str, Any]) -> Path:
    """Return a folder whose params.yaml has nothing that a record set; the root if there is none."""
    for name in record_names(root / RECORDS):
        folder = root if name == chosen else root / LOCKS / name
        fits = name == chosen or kept_run_fits(folder, current)
        if fits and not read_record(name, root / RECORDS).parameters:
            return folder
    return root


def kept_run_fits(folder: Path, parameters: Mapping[str, Any]) -> bool:
    """Return whether a folder keeps parameters that this code knows; those of an older run may have other keys."""
    return (folder / PARAMETERS).is_file() and _keys(read_yaml(folder / PARAMETERS)) == _keys(parameters)


def locked_dataset(lock: Path) -> str | None:
    """Return the data set of the run that a lock file describes: the folder of its outputs."""
    found = re.search(r"path: artifacts/([^/\s]+)/", lock.read_text(encoding="utf-8")) if lock.is_file() else None
    return found[1] if found else None


def keep(root: Path, name: str, current: Mapping[str, Any]) -> list[str]:
    """Keep what belongs to a data set that is left, and return what was done.

    Raises:
        InputError: its parameters were changed without a run, and would replace those of a kept run.
    """
    folder = LOCKS / name
    if locked_dataset(root / LOCK) == name:
        for file in (LOCK, PARAMETERS):
            write_text(root / folder / file, (root / file).read_text(encoding="utf-8"))
        return [f"kept the parameters and the lock file of the run on {name} in {folder}"]
    if name not in record_names(root / RECORDS) or not is_edited(root, name, current):
        return []
    if (root / folder / LOCK).is_file():
        raise InputError(
            f"{PARAMETERS} was changed after `bloodcells use {name}`, and {folder} has the parameters of the last run "
            f"on {name}: run `dvc repro`, or undo the changes"
        )
    write_text(root / folder / PARAMETERS, (root / PARAMETERS).read_text(encoding="utf-8"))
    return [f"kept the parameters of {name} in {folder}"]


def release(root: Path, name: str) -> None:
    """Keep DVC from deleting the results of a data set that is left.

    `dvc checkout` and `dvc exp run` delete files that DVC has written and that the pipeline does not name any more, if
    their time stamps are those that DVC noted. Files with new time stamps belong to the user.
    """
    for folder in ("artifacts", "metrics", "plots"):
        for path in (root / folder / name).rglob("*"):
            path.touch()


def is_edited(root: Path, name: str, current: Mapping[str, Any]) -> bool:
    """Return whether params.yaml differs from what choosing the data set wrote."""
    text = (plain_parameters(root, name, current) / PARAMETERS).read_text(encoding="utf-8")
    values = {**read_record(name, root / RECORDS).parameters, "dataset": name}
    written, _ = with_parameters(text, values, record_path(name))
    return bool(YAML(typ="safe").load(written) != current)


def with_parameters(text: str, values: Mapping[str, Any], origin: Path) -> tuple[str, dict[str, tuple[object, object]]]:
    """Set values in the text of params.yaml without touching its comments.

    Args:
        text: the file's content.
        values: new values by their dotted keys.
        origin: where they come from, for the error message.

    Returns:
        The new text, and the old and new value of each key that has changed.

    Raises:
        InputError: a key does not exist.
    """
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 4096
    content, changes = yaml.load(text), {}
    for key, value in values.items():
        *sections, last = key.split(".")
        section = content
        for name in sections:
            section = section.get(name) if isinstance(section, dict) else None
        if not isinstance(section, dict) or last not in section:
            raise InputError(f"{origin}: parameters: there is no {key} in {PARAMETERS}")
        if section[last] != value:
            changes[key] = (section[last], value)
            section[last] = _inline(value, section[last]) if isinstance(value, list) else value
    buffer = io.StringIO()
    yaml.dump(content, buffer)
    return buffer.getvalue(), changes


def _inline(values: list[Any], old: object) -> CommentedSeq:
    """Return a list that is written as [a, b] and keeps the comment of the old one."""
    new = CommentedSeq(values)
    new.fa.set_flow_style()
    if isinstance(old, CommentedSeq):
        new.ca.comment = old.ca.comment
    return new


def _keys(parameters: Mapping[str, Any]) -> set[str]:
    """Return the dotted keys, but for the names of models and what belongs to one."""
    found = set[str]()
    for name, value in parameters.items():
        if name == "models" and isinstance(value, Mapping):
            found |= {f"models.*.{key}" for model in value.values() if isinstance(model, Mapping) for key in model}
        elif isinstance(value, Mapping):
            found |= {f"{name}.{key}" for key in _keys(value)}
        else:
            found.add(name)
    return found


def _short(value: object) -> str:
    return str(list(value)) if isinstance(value, list) else str(value)
