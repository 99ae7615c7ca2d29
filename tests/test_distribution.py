"""A wheel built from the project."""

import sys
import zipfile
from pathlib import Path

from tests.support import project


def test_a_wheel_holds_every_file_of_the_package_and_its_license(tmp_path: Path) -> None:
    clone = project.copy(tmp_path / "clone")
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet")
    project.done(sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", str(tmp_path), ".", cwd=clone)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    packaged = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert packaged == {*project.done("git", "ls-files", "bloodcells", cwd=clone).split()}
    assert any(name.endswith("/LICENSE") for name in names)
