"""The environment of these tests, lent to a clone as the `.venv` that `make` would have set up in it."""

import sys
from pathlib import Path


def lend(clone: Path) -> None:
    """Make a `.venv` in which `make` and the workflows find everything installed."""
    own = clone / ".venv"
    own.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        if (Path(sys.prefix) / name).exists():
            (own / name).symlink_to(Path(sys.prefix) / name)
    for marker in ("ready", "ready-dev"):
        (own / marker).touch()  # newer than the requirements: nothing is to be installed
