import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bloodcells.core.errors import run
from stages.download import main
from tests.support import smallset
from tests.support.loopback import Site, content
from tests.support.project import set_params

ROOT = Path(__file__).parents[2]
RAW = Path("artifacts", "bccd", "raw")
CHANGED = smallset.FILES | {"JPEGImages/BloodImage_00001.jpg": b"another image"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for a project that uses the data set `bccd`."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("BLOODCELLS_MIRROR", raising=False)
    choose("bccd")
    return folder


def choose(dataset: str, images: int = 20) -> None:
    Path("params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    set_params(Path(), {"dataset": dataset, "rendered.images": images})


@pytest.fixture
def pin(project: Path, tmp_path: Path) -> str:
    """The fingerprint of the small data set, whose checksums are in DVC's cache."""
    checksums = smallset.checksums(tmp_path / "published")
    md5 = checksums.fingerprint()
    entries = ", ".join(f'{{"md5": "{value}", "relpath": "{name}"}}' for name, value in checksums.md5s.items())
    smallset.write(project / ".dvc" / "cache" / "files" / "md5" / md5[:2], {md5[2:]: f"[{entries}]".encode()})
    return md5


def command(pin: str) -> list[str]:
    return [sys.executable, "-m", "stages.download", "--pin", pin]


def download(pin: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the stage as DVC does."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    return subprocess.run(command(pin), env=environment, capture_output=True, text=True, timeout=60, check=False)


def leftovers() -> set[str]:
    return {path.as_posix() for path in Path("artifacts").rglob("*")} - {"artifacts/bccd"}


@pytest.mark.parametrize("kind", ["folder", "relative", "archive", "address"])
def test_a_mirror_in_the_environment_is_used(project: Path, pin: str, site: Site, tmp_path: Path, kind: str) -> None:
    (tmp_path / "set.zip").write_bytes(smallset.zipped(smallset.FILES))
    url = site.put("/set.tar.gz", content(smallset.tar(smallset.FILES)))
    mirrors = {
        "folder": str(tmp_path / "published"),
        "relative": "../published",
        "archive": "../set.zip",
        "address": url,
    }
    done = download(pin, BLOODCELLS_MIRROR=mirrors[kind])
    assert (done.returncode, done.stderr) == (0, "")
    assert smallset.read(RAW) == smallset.FILES
    assert [path.name for path in Path("artifacts", "bccd").iterdir()] == ["raw"]


def test_data_in_the_cache_are_used_without_a_network(pin: str, project: Path, tmp_path: Path) -> None:
    checksums = smallset.checksums(tmp_path / "published")
    for name, md5 in checksums.md5s.items():
        smallset.write(project / ".dvc" / "cache" / "files" / "md5" / md5[:2], {md5[2:]: smallset.FILES[name]})
    result = download(pin, HTTPS_PROXY="http://127.0.0.1:9")
    assert (result.returncode, result.stderr) == (0, "")
    assert smallset.read(RAW) == smallset.FILES


def test_a_local_folder_is_used(project: Path, pin: str) -> None:
    smallset.write(project / "data")
    assert download(pin, BLOODCELLS_MIRROR="nowhere").returncode == 0
    assert smallset.read(RAW) == smallset.FILES


def test_files_that_differ_are_named(project: Path, pin: str) -> None:
    smallset.write(project / "data", CHANGED)
    done = download(pin)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == f"error: data/: these are not the files that data.dvc pins ({pin}):"
    assert lines[1] == "  differs: JPEGImages/BloodImage_00001.jpg"
    assert "`dvc add data`" in lines[2]
    assert len(lines) == 3
    assert leftovers() == set()


def test_the_output_of_an_earlier_run_stays_if_a_run_fails(
    project: Path, pin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    smallset.write(project / RAW, {"labels.csv": b"of an earlier pin"})
    smallset.write(project / "data", CHANGED)
    monkeypatch.setattr(sys, "argv", ["download", "--pin", pin])
    with pytest.raises(SystemExit, match="differs"):
        run(main)
    assert smallset.read(RAW) == {"labels.csv": b"of an earlier pin"}


def test_the_output_of_an_earlier_run_is_replaced(project: Path, pin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    smallset.write(project / RAW, {"JPEGImages/old.jpg": b"of an earlier pin"})
    smallset.write(project / "data")
    monkeypatch.setattr(sys, "argv", ["download", "--pin", pin])
    main()
    assert smallset.read(RAW) == smallset.FILES


def test_a_full_disk_is_an_error_and_leaves_no_files(project: Path, pin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    smallset.write(project / "data")
    written = 0
    real = shutil.copyfile

    def full(source: Path, target: Path) -> None:
        nonlocal written
        written += 1
        if written == 3:
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        real(source, target)

    monkeypatch.setattr(shutil, "copyfile", full)
    monkeypatch.setattr(sys, "argv", ["download", "--pin", pin])
    with pytest.raises(SystemExit, match="the disk is full"):
        run(main)
    assert leftovers() == set()


def test_an_interrupted_download_leaves_no_files(project: Path, pin: str, site: Site) -> None:
    awake = threading.Event()
    url = site.put("/set.tar.gz", content(smallset.tar(smallset.FILES), cut=100, hold=awake))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "BLOODCELLS_MIRROR": url}
    # A shell's background jobs ignore Ctrl-C, and so would this process.
    heed = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heed}; runpy.run_module('stages.download', run_name='__main__')"
    arguments = [sys.executable, "-c", code, "--pin", pin]
    process = subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        while process.poll() is None and not list(Path("artifacts").rglob("set.tar.gz")):
            time.sleep(0.02)
        assert leftovers() != set()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    finally:
        awake.set()
        process.kill()
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    assert leftovers() == set()


@pytest.mark.parametrize("wrong", ["latest", "5509ad5d0a27f562a049d08381f3a988"])
def test_a_wrong_pin_is_an_error(project: Path, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setattr(sys, "argv", ["download", "--pin", wrong])
    with pytest.raises(SystemExit, match=f"'{wrong}' is not the hash of a folder"):
        run(main)


def test_the_synthetic_data_set_needs_no_network(project: Path) -> None:
    choose("rendered")
    code = "import sys; from stages.download import main; main(); assert 'requests' not in sys.modules"
    subprocess.run(
        [sys.executable, "-c", code, "--pin", "any"], env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, timeout=60
    )
    raw = Path("artifacts", "rendered", "raw")
    assert {path.name for path in raw.iterdir()} == {"labels.csv", "JPEGImages", "Annotations"}
    assert len(list((raw / "JPEGImages").iterdir())) == 20


@pytest.mark.skipif(not (ROOT / "../shared/bccd/dataset-master").is_dir(), reason="needs the published data set")
def test_the_published_data_set_is_copied_from_a_mirror(project: Path) -> None:
    mirror = ROOT / "../shared/bccd/dataset-master"
    done = download("5509ad5d0a27f562a049d08381f3a988.dir", BLOODCELLS_MIRROR=str(mirror))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(smallset.read(RAW)) == 710
    assert (RAW / "labels.csv").read_bytes() == (mirror / "labels.csv").read_bytes()
