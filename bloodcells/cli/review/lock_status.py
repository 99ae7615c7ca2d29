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

ORIGINAL = "original/dvc.yaml"
"""The pipeline beside that in the root, with a lock of its own."""

_ORIGINAL_LOCK = Path(ORIGINAL).with_name("dvc.lock")


@dataclass(frozen=True)
class Stale:
    """A stage that would run again, and what changed under it; nothing where it only follows another one."""

    stage: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Freshness:
    """How one lock file stands to the tree: of which data set it is, the stages that are stale.

    failure: what DVC said where it could not tell, else empty. lost: outputs that the tree has not, though git held
    them at the base, or should hold them as what a stage that is not stale has made; the lock itself or its pipeline
    where they were at the base.
    """

    lock: str
    dataset: str
    stale: tuple[Stale, ...] = ()
    failure: str = ""
    lost: tuple[str, ...] = ()

    @property
    def current(self) -> bool:
        """Whether the results are those of this tree."""
        return not (self.stale or self.failure or self.lost)

    @property
    def remedy(self) -> str:
        """What makes the results anew."""
        if self.lock.startswith("locks/"):
            return "run it again as locks/README.md says, and commit its lock, metrics/ and plots/"
        target = f" {ORIGINAL}" if Path(self.lock).parent == Path(ORIGINAL).parent else ""
        return f"run `dvc repro{target}`, and commit {self.lock}, metrics/ and plots/"


def freshness(tree: Path, base: Path, scratch: Path) -> list[Freshness]:
    """Hold each lock file of a tree against it: the one in its root, and those of kept runs under `locks/`.

    Beside each goes the lock of the pipeline `ORIGINAL` where there is one. A kept run's locks and parameters are
    put in the place of the default run's, in a copy. The tree is no repository and has no cache, like a fresh clone:
    what lies about in a working tree but is not committed says nothing here.

    Args:
        tree: the files of a revision.
        base: those of the revision before it; what git held there and the tree lacks is lost.
        scratch: an empty folder for copies.
    """
    locks = [path for path in (tree / "dvc.lock", *sorted(tree.glob("locks/*/dvc.lock"))) if path.is_file()]
    with ThreadPoolExecutor() as pool:
        by_run = pool.map(lambda lock: _check(tree, base, lock, scratch / f"at-{locks.index(lock)}"), locks)
        return [one for run in by_run for one in run] + _gone(tree, base)


def _gone(tree: Path, base: Path) -> list[Freshness]:
    """Name the locks that the base had and the tree has not: of what they told nothing can be said any more."""
    kept = sorted(path for name in ("dvc.lock", "original.lock") for path in base.glob(f"locks/*/{name}"))
    gone = []
    for lock in (base / "dvc.lock", base / _ORIGINAL_LOCK, *kept):
        path = lock.relative_to(base)
        if lock.is_file() and not (tree / path).is_file():
            params = (lock.parent if lock in kept else base) / "params.yaml"
            gone.append(Freshness(str(path), _dataset(params), lost=(str(path),)))
    return gone


def _check(tree: Path, base: Path, lock: Path, place: Path) -> list[Freshness]:
    """Hold the lock of a run, and that of `ORIGINAL` on the same data, against the tree."""
    shutil.copytree(tree, place)
    beside = place / _ORIGINAL_LOCK
    original = tree / _ORIGINAL_LOCK
    if lock.parent != tree:
        original = lock.with_name("original.lock")
        beside.unlink(missing_ok=True)  # that of the default run
        for source, target in ((lock, "dvc.lock"), (lock.with_name("params.yaml"), "params.yaml"), (original, beside)):
            if source.is_file() and (place / target).parent.is_dir():
                shutil.copyfile(source, place / target)
    local = place / ".dvc" / "config.local"
    local.parent.mkdir(exist_ok=True)
    local.write_text("[core]\n    no_scm = true\n    analytics = false\n", encoding="utf-8")
    locks = {"dvc.yaml": lock}
    dataset = _dataset(place / "params.yaml")
    found = []
    if original.is_file() and (place / ORIGINAL).is_file():
        locks[ORIGINAL] = original
    elif original.is_file():
        found.append(Freshness(str(original.relative_to(tree)), dataset, lost=(ORIGINAL,)))

    with ThreadPoolExecutor() as pool:
        listing = pool.submit(_python, place, "-c", _INDEX)  # a second start of DVC, which takes seconds
        tried = _python(place, "-m", "dvc", "repro", "--dry", "--allow-missing", "--keep-going", *locks)
    would_run = _stages(tried.stdout + tried.stderr)
    failure = "" if would_run else _failure(tried, place) or _failure(listing.result(), place)
    index = json.loads(listing.result().stdout or "{}")
    unseen: dict[str, list[str]] = {}  # by stage, what DVC says nothing of
    for stage, path in index.get("deps", ()):
        if not (place / path).exists():
            unseen.setdefault(stage, []).append(f"{path} is gone")
    for stage in index.get("frozen", ()):
        unseen.setdefault(stage, []).append("it is frozen, so that DVC doesn't look at it: `dvc unfreeze` it")
    status = json.loads(_python(place, "-m", "dvc", "status", "--json").stdout or "{}") if would_run else {}
    stale = [
        Stale(stage, (*_reasons(status.get(stage, [])), *unseen.get(stage, ())))
        for stage in dict.fromkeys([*(stage for stage in status if stage in would_run), *would_run, *unseen])
    ]
    lost = [
        (stage, path)
        for stage, path, cached in index.get("outs", ())
        if not (place / path).exists() and ((base / path).exists() or not (cached or stage in would_run))
    ]
    return found + [
        Freshness(
            str(path.relative_to(tree)),
            dataset,
            tuple(one for one in stale if _pipeline(one.stage) == pipeline),
            failure,
            tuple(path for stage, path in lost if _pipeline(stage) == pipeline),
        )
        for pipeline, path in locks.items()
    ]


_INDEX = """
import json, os
from pathlib import Path
from dvc.repo import Repo

stages = list(Repo().index.stages)
outs = [Path(out.fs_path) for stage in stages for out in stage.outs]
def made(path):
    return any(path.is_relative_to(out) or out.is_relative_to(path) for out in outs)
pipelines = [stage for stage in stages if stage.path.endswith(".yaml")]
print(json.dumps({
    "outs": [(stage.addressing, os.path.relpath(out.fs_path), out.use_cache) for stage in stages for out in stage.outs],
    "deps": [(stage.addressing, os.path.relpath(dep.fs_path)) for stage in pipelines for dep in stage.deps
             if dep.is_in_repo and not made(Path(dep.fs_path))],
    "frozen": [stage.addressing for stage in pipelines if stage.frozen],
}))
"""
"""A program that tells of the pipelines: of each output its stage, its path, and whether DVC keeps it, not git; of each
dependency that no stage makes its stage and its path, since DVC takes one that is missing for one that it could fetch;
and the stages that DVC was told not to look at."""


def _pipeline(stage: str) -> str:
    """Give the file in which a stage is: of one in the root DVC leaves it out."""
    return stage.rpartition(":")[0] or "dvc.yaml"


def _failure(ended: subprocess.CompletedProcess[str], place: Path) -> str:
    """Give DVC's message where it failed, else nothing."""
    lines = ended.stderr.strip().splitlines() or ["DVC ended without a word"]
    told = lines[-1] if lines[0].startswith("Traceback") else lines[0].removeprefix("ERROR: ")
    return told.replace(f"{place}/", "").rstrip(".") if ended.returncode else ""


def _dataset(params: Path) -> str:
    try:
        return str(yaml.safe_load(params.read_text(encoding="utf-8"))["dataset"])
    except (OSError, yaml.YAMLError, TypeError, KeyError):
        return ""  # DVC will say what is wrong


def _python(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", *arguments],  # -P: a file of the tree may be called like a module
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
