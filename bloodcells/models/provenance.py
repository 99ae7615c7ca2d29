"""Provenance: code, parameters, libraries, machine and time behind a result."""

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
"""The packages that influence the numbers."""

FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
"""Processor features that change speed and rounding."""

_RESULTS = (":(exclude)metrics", ":(exclude)plots", ":(exclude)*dvc.lock")


def describe_process(seconds: float) -> dict[str, Any]:
    """Record when, from which commit, on which machine and with which libraries this process worked for `seconds`."""
    return {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        **describe_code(Path.cwd()),
        "device": describe_device(),
        "python": platform.python_version(),
        "libraries": installed_libraries(),
    }


def installed_libraries() -> dict[str, str]:
    """Return the versions of those of `LIBRARIES` that are installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def describe_device() -> dict[str, Any]:
    """Return the processor with its features, and the GPUs, as far as the system reports them."""
    processor, features = _processor()
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor,
        "features": features,
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())],
    }


def describe_code(folder: Path) -> dict[str, Any]:
    """Return the git commit of a folder, and its tracked files that differ from it; outside of git, neither.

    What a run writes itself (metrics, plots, lock files) does not count.
    """
    try:
        head = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "diff", "--name-only", "--relative", "HEAD", "--", ".", *_RESULTS)
    except (OSError, subprocess.CalledProcessError):
        return {"commit": "", "changed": []}
    return {"commit": head, "changed": changed.splitlines()}


def fingerprint(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 of parameters (their JSON with sorted keys)."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _git(folder: Path, *arguments: str) -> str:
    run = subprocess.run(["git", "-C", os.fspath(folder), *arguments], capture_output=True, text=True, check=True)
    return run.stdout.strip()


def _processor() -> tuple[str, list[str]]:
    """Return the processor's name, and those of `FEATURES` that it has."""
    if sys.platform != "linux":
        return platform.processor(), []
    lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    entries: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition(":")
        entries.setdefault(key.strip(), value.strip())  # those of the first core
    flags = entries.get("flags", "").split()
    return entries.get("model name", platform.processor()), [name for name in FEATURES if name in flags]
