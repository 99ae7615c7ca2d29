"""Whether committed results belong to the code, the parameters and the data beside them, as DVC judges it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Stale:
    """A stage that would run again, and what changed under it; nothing where it only follows another one."""

    stage: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Freshness:
    """How one lock file stands to the tree: of which data set it is, the stages that are stale.

    failure: what DVC said where it could not tell, else empty.
    """

    lock: str
    dataset: str
    stale: tuple[Stale, ...] = ()
    failure: str = ""

    @property
    def current(self) -> bool:
        """Whether the results are those of this tree."""
        return not self.stale and not self.failure


def freshness(tree: Path, scratch: Path) -> list[Freshness]:
    """Hold each lock file of a tree against it: the one in its root, and those of kept runs under `locks/`.

    A kept run's lock and parameters are put in the place of those in the root, in a copy. The tree is no repository
    and has no cache, like a fresh clone: what lies about in a working tree but is not committed says nothing here.

    Args:
        tree: the files of a revision.
        scratch: an empty folder for copies.
    """
    locks = [path for path in (tree / "dvc.lock", *sorted(tree.glob("locks/*/dvc.lock"))) if path.is_file()]
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda lock: _check(tree, lock, scratch / f"at-{locks.index(lock)}"), locks))


def _check(tree: Path, lock: Path, place: Path) -> Freshness:
    shutil.copytree(tree, place, symlinks=True)
    for name in ("dvc.lock", "params.yaml"):
        if lock.with_name(name).is_file():
            shutil.copyfile(lock.with_name(name), place / name)
    local = place / ".dvc" / "config.local"
    local.parent.mkdir(exist_ok=True)
    local.write_text("[core]\n    no_scm = true\n    analytics = false\n", encoding="utf-8")
    name = str(lock.relative_to(tree))
    dataset = _dataset(place / "params.yaml")

    tried = _dvc(place, "repro", "--dry", "--allow-missing", "--keep-going")
    would_run = _stages(tried.stdout + tried.stderr)
    if not would_run:
        last = (tried.stderr.strip() or "DVC ended without a word").splitlines()[0].removeprefix("ERROR: ")
        return Freshness(name, dataset, failure=last.replace(f"{place}/", "") if tried.returncode else "")
    status = json.loads(_dvc(place, "status", "--json").stdout or "{}")
    stale = [Stale(stage, _reasons(status[stage])) for stage in status if stage in would_run]
    stale += [Stale(stage, ()) for stage in would_run if stage not in status]
    return Freshness(name, dataset, tuple(stale))


def _dataset(params: Path) -> str:
    try:
        return str(yaml.safe_load(params.read_text(encoding="utf-8"))["dataset"])
    except (OSError, yaml.YAMLError, TypeError, KeyError):
        return ""  # DVC will say what is wrong


def _dvc(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "dvc", *arguments],  # -P: a file of the tree may be called like a module
        cwd=place,
        env=os.environ | {"DVC_SITE_CACHE_DIR": str(place / ".dvc" / "site"), "DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def _stages(said: str) -> list[str]:
    """Name the stages that a dry run would run: where inputs are missing it fails at them, and skips what follows."""
    lines = [
        line
        for line in said.splitlines()
        if line.startswith("Running stage") or "failed to reproduce" in line or "will be skipped" in line
    ]
    return list(dict.fromkeys(name for line in lines for name in re.findall(r"'([^']+)'", line)))


def _reasons(changes: list[Any]) -> tuple[str, ...]:
    """Give what changed under a stage out of its `dvc status`, without what a clone does not have."""
    reasons = []
    for change in changes:
        if change == "changed command":
            reasons.append("the command")
        elif isinstance(change, Mapping):
            deps, outs = change.get("changed deps", {}), change.get("changed outs", {})
            if deps.get("params.yaml") == "new":
                return ("never run",)
            for path, state in deps.items():
                if isinstance(state, Mapping):
                    reasons += [f"parameters {key}" for key in state]
                elif state in ("modified", "new"):
                    reasons.append(path)
            reasons += [f"{path} is not the one in the lock" for path, state in outs.items() if state == "modified"]
    return tuple(reasons)
