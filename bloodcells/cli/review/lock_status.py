"""Whether committed results belong to the code, the parameters and the data beside them, as DVC judges it.

DVC works on the current folder and its configuration, so this module also runs as a program, in a process of its own:
`python -m bloodcells.cli.review.lock_status FOLDER` prints what DVC finds there as JSON.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Stale:
    """A stage that would run again, and what changed; no reasons if it only follows another stage."""

    stage: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class LockStatus:
    """How one lock file relates to the files of a revision.

    Attributes:
        lock: path of the lock file.
        dataset: its data set.
        stale: stages that would run again; for a kept run, those whose committed results are not the ones in the lock.
        failure: DVC's message if it could not tell, otherwise empty.
        missing: outputs that the revision lacks although git had them at the base, or should have them because their
            stage is not stale; the lock itself if it was at the base.
        made_by: for a kept run, the commit that made its results; empty if that is unknown, or for the default run.
    """

    lock: str
    dataset: str
    stale: tuple[Stale, ...] = ()
    failure: str = ""
    missing: tuple[str, ...] = ()
    made_by: str = ""

    @property
    def current(self) -> bool:
        """Whether the results are those of this code."""
        return not (self.stale or self.failure or self.missing)

    @property
    def kept(self) -> bool:
        """Whether it belongs to a kept run, which may be older than the code."""
        return self.lock.startswith("locks/")

    @property
    def origin(self) -> str:
        """What the results must belong to."""
        return "the lock file of their run" if self.kept else "this code"

    @property
    def remedy(self) -> str:
        """How to make the results again."""
        if self.kept:
            return "run it again as locks/README.md says, and commit its lock, metrics/ and plots/"
        return f"run `dvc repro`, and commit {self.lock}, metrics/ and plots/"


def lock_status(tree: Path, base: Path, scratch: Path) -> list[LockStatus]:
    """Check the lock file in the root of a tree, and those of kept runs under `locks/`.

    The tree is not a repository and has no cache, like a fresh clone: files of a working tree that git does not track
    do not count.

    Args:
        tree: the files of a revision.
        base: those of the revision before it.
        scratch: an empty folder for a copy.
    """
    lock = tree / "dvc.lock"
    found = [_check(tree, base, scratch / "copy")] if lock.is_file() else []
    for kept in sorted(tree.glob("locks/*/dvc.lock")):
        found.append(_kept(tree, base, kept))
    return found + _removed(tree, base)


def _removed(tree: Path, base: Path) -> list[LockStatus]:
    """Return the locks that the base had and the tree lacks: their results can't be checked any more."""
    removed = []
    for lock in (base / "dvc.lock", *sorted(base.glob("locks/*/dvc.lock"))):
        path = lock.relative_to(base)
        if lock.is_file() and not (tree / path).is_file():
            removed.append(LockStatus(str(path), _dataset(lock.with_name("params.yaml")), missing=(str(path),)))
    return removed


def _kept(tree: Path, base: Path, lock: Path) -> LockStatus:
    """Check the committed results of a kept run against its lock; its code may be older than that of the tree."""
    dataset = _dataset(lock.with_name("params.yaml"))
    found = LockStatus(str(lock.relative_to(tree)), dataset, made_by=_made_by(tree, dataset))
    stale, missing = [], []
    try:
        stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"]
        outs = [(stage, out["path"], out["md5"]) for stage, block in stages.items() for out in block.get("outs", ())]
    except (ValueError, yaml.YAMLError, TypeError, KeyError, AttributeError):
        return replace(found, failure="it is not a lock file of DVC")
    for stage, path, md5 in outs:
        if (tree / path).is_file():
            if hashlib.md5((tree / path).read_bytes(), usedforsecurity=False).hexdigest() != md5:
                stale.append(Stale(stage, (f"{path} is not the one in the lock",)))
        elif (base / path).is_file():
            missing.append(path)
    return replace(found, stale=tuple(stale), missing=tuple(missing))


def _made_by(tree: Path, dataset: str) -> str:
    """Return the commit that made the results of a data set, as their provenance records it."""
    commits = set()
    for folder in ("report/provenance", "provenance"):
        for path in (tree / "plots" / dataset / folder).glob("*.json"):
            try:
                commits.add(str(json.loads(path.read_text(encoding="utf-8"))["evaluation"]["commit"])[:7])
            except (OSError, ValueError, KeyError, TypeError):
                continue
    return ", ".join(sorted(commits))


def _check(tree: Path, base: Path, copy: Path) -> LockStatus:
    shutil.copytree(tree, copy)
    local = copy / ".dvc" / "config.local"
    local.parent.mkdir(exist_ok=True)
    local.write_text("[core]\n    no_scm = true\n    analytics = false\n", encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-P", "-m", __name__, str(copy)],  # -P: a file of the tree may have the name of a module
        cwd=copy,
        env=os.environ | {"DVC_SITE_CACHE_DIR": str(copy / ".dvc" / "site"), "DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    dataset = _dataset(copy / "params.yaml")
    if ended.returncode:
        message = (ended.stderr.strip().splitlines() or ["DVC ended without a message"])[-1]
        return LockStatus("dvc.lock", dataset, failure=message.replace(f"{copy}/", "").rstrip("."))
    return _judge(json.loads(ended.stdout), dataset, copy, base)


def _judge(found: Mapping[str, Any], dataset: str, copy: Path, base: Path) -> LockStatus:
    # a stage may change without a reason of its own: its lock and that of the stage before are from different runs
    reasons = {
        stage: _reasons(found["status"].get(stage, ())) or ("its inputs in the lock are those of another run",)
        for stage in found["changed"]
    }
    for stage, path in found["deps"]:
        if not (copy / path).exists():  # to DVC, a file that could be fetched
            reasons[stage] = (*reasons.get(stage, ()), f"{path} is missing")
    for stage in found["frozen"]:
        reasons[stage] = (*reasons.get(stage, ()), "it is frozen, so DVC ignores it: `dvc unfreeze` it")
    would_run = {*reasons}.union(*(found["followers"][stage] for stage in reasons))
    missing = [
        path
        for stage, path, cached in found["outs"]
        if not (copy / path).exists() and ((base / path).exists() or not (cached or stage in would_run))
    ]
    stale = [Stale(stage, reasons.get(stage, ())) for stage in found["order"] if stage in would_run]
    return LockStatus("dvc.lock", dataset, tuple(stale), missing=tuple(missing))


def _dataset(params: Path) -> str:
    try:
        return str(yaml.safe_load(params.read_text(encoding="utf-8"))["dataset"])
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError):
        return ""  # DVC reports what is wrong


def _reasons(changes: Sequence[Any]) -> tuple[str, ...]:
    """Return what changed for a stage, from its `dvc status`, without the files that a clone lacks anyway."""
    reasons = []
    for change in changes:
        if isinstance(change, str):
            reasons.append(change.replace("changed command", "the command"))
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


# ---- the program


def examine(folder: Path) -> dict[str, Any]:
    """Return what DVC finds in a folder: which stages changed, what changed, what follows them, and their paths."""
    import networkx as nx  # noqa: PLC0415 (DVC brings it, and takes a second to import)
    from dvc.repo import Repo, lock_repo  # noqa: PLC0415

    with Repo(os.fspath(folder)) as repo, lock_repo(repo):
        stages = [stage for stage in repo.index.stages if stage.path.endswith(".yaml")]
        outs = [Path(out.fs_path) for stage in repo.index.stages for out in stage.outs]  # also what `dvc add` tracks
        before, after = repo.index.graph, repo.index.graph.reverse()

        def is_made(path: Path) -> bool:
            return any(path.is_relative_to(out) or out.is_relative_to(path) for out in outs)

        def relative(path: str) -> str:
            return Path(path).relative_to(folder).as_posix()

        return {
            "status": repo.status(),
            "changed": [stage.addressing for stage in stages if stage.changed(True, [*before.successors(stage)])],
            "order": [stage.addressing for stage in nx.topological_sort(after) if stage in stages],
            "followers": {
                stage.addressing: [other.addressing for other in nx.descendants(after, stage)] for stage in stages
            },
            "outs": [
                (stage.addressing, relative(out.fs_path), out.use_cache) for stage in stages for out in stage.outs
            ],
            "deps": [
                (stage.addressing, relative(dep.fs_path))
                for stage in stages
                for dep in stage.deps
                if dep.is_in_repo and not is_made(Path(dep.fs_path))
            ],
            "frozen": [stage.addressing for stage in stages if stage.frozen],
        }


if __name__ == "__main__":
    place = Path(sys.argv[1]).resolve()
    real_stdout, sys.stdout = sys.stdout, sys.stderr  # DVC may print
    real_stdout.write(json.dumps(examine(place)))
