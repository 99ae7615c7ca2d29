"""A copy of the project in a folder of its own, as a clone would have it, on parameters that take seconds."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]

SMALL: dict[str, Any] = {
    "synthetic.images": 60,
    "clean.n_splits": 3,
    "clean.validation": 0.34,
    "test_folds": [0, 1],
    "image.side": 64,
    "train.epochs": 2,
    "evaluate.tta": 1,
    "models.resnet.architecture": "shufflenet_v2_x0_5",
    "models.efficientnet.architecture": "squeezenet1_1",
    "models.alexnet.architecture": "squeezenet1_0",
}


def command(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program of this environment there."""
    binaries = str(Path(sys.executable).parent)
    path = os.pathsep.join([binaries, os.environ.get("PATH", "")])
    keep = {key: value for key, value in os.environ.items() if not key.startswith(("BLOODCELLS_", "DVC_", "GIT_"))}
    return subprocess.run(
        arguments,
        cwd=cwd,
        env={**keep, "PATH": path, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def done(*arguments: str, cwd: Path, **environment: str) -> str:
    """Run a program that must end well, and give what it printed."""
    result = command(*arguments, cwd=cwd, **environment)
    assert result.returncode == 0, f"{' '.join(arguments)}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def committed(folder: Path) -> Path:
    """Clone the last commit."""
    done("git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder), cwd=ROOT)
    return folder


def copy(folder: Path) -> Path:
    """Copy what git tracks, or would track, into a new repository with one commit."""
    listed = done("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    done("git", "init", "--quiet", "--initial-branch=main", cwd=folder)
    commit(folder, "as it stands")
    return folder


def commit(folder: Path, message: str) -> None:
    done("git", "add", "--all", cwd=folder)
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    done("git", *who, "commit", "--quiet", "--allow-empty", "--message", message, cwd=folder)


def set_params(folder: Path, changes: dict[str, Any]) -> None:
    """Change values in params.yaml by their dotted keys."""
    path = folder / "params.yaml"
    params = yaml.safe_load(path.read_text())
    for key, value in changes.items():
        *parents, last = key.split(".")
        section = params
        for parent in parents:
            section = section[parent]
        section[last] = value
    path.write_text(yaml.safe_dump(params, sort_keys=False))
