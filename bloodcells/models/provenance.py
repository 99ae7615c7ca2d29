"""Where a result comes from: code, data, parameters, libraries, machine and time."""

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

LIBRARIES = ("dvc", "imbalanced-learn", "lightning", "numpy", "pillow", "scikit-learn", "scipy", "torch", "torchvision")
"""The packages that have a say in the numbers."""

_RESULTS = (":(exclude)metrics", ":(exclude)plots", ":(exclude)*dvc.lock")


def of_this_process(seconds: float) -> dict[str, Any]:
    """Say when, from which commit, on what machine and with which libraries this process worked for `seconds`."""
    return {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        **state_of_code(Path.cwd()),
        "device": device(),
        "python": platform.python_version(),
        "libraries": libraries(),
    }


def libraries() -> dict[str, str]:
    """Give the versions of those of `LIBRARIES` that are installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def device() -> dict[str, Any]:
    """Name the processor and the GPUs, as far as the system tells."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())],
    }


def state_of_code(folder: Path) -> dict[str, Any]:
    """Give the git commit of a folder, and which of its tracked files differ from that; outside of git neither.

    What a run writes itself (`_RESULTS`) is not counted: it differs in the midst of any run.
    """
    try:
        head = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "diff", "--name-only", "--relative", "HEAD", "--", ".", *_RESULTS)
    except (OSError, subprocess.CalledProcessError):
        return {"commit": "", "changed": []}
    return {"commit": head, "changed": changed.splitlines()}


def fingerprint(values: Mapping[str, Any]) -> str:
    """Hash parameters (SHA-256 of their JSON with sorted keys), so that two runs' can be held against each other."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _git(folder: Path, *arguments: str) -> str:
    run = subprocess.run(["git", "-C", os.fspath(folder), *arguments], capture_output=True, text=True, check=True)
    return run.stdout.strip()


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()
