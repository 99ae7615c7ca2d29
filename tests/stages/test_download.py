import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from bloodcells.core.errors import run
from bloodcells.core.paths import DatasetPaths
from bloodcells.datasets.annotations import read_box_table
from stages.download import main
from tests.support import smallset
from tests.support.loopback import Site, content
from tests.support.project import set_params
from tests.support.workplace import error_of

ROOT = Path(__file__).parents[2]
DATASET = DatasetPaths("cells")
RAW = DATASET.raw
RECORD = Path("datasets", "cells", "record.yaml")
OWN = RECORD.parent / "source"
CHANGED = smallset.FILES | {"JPEGImages/BloodImage_00001.jpg": b"another image"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for a project with a published data set."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("BLOODCELLS_MIRROR", raising=False)
    Path("params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    set_params(Path(), {"dataset": "cells", "synthetic.images": 20})
    OWN.mkdir(parents=True)
    record(source="published", published={"archive": "http://127.0.0.1:9/a.tar.gz", "fingerprint": "that of the set"})
    return folder


def record(**changes: object) -> None:
    """Describe the data set."""
    content = {
        "title": "cells",
        "images": {"folder": "JPEGImages"},
        "labels": {"table": "labels.csv"},
        "classes": list(smallset.CLASSES),
        "white_cells": {"annotations": "Annotations", "name": "WBC"},
    }
    RECORD.write_text(yaml.safe_dump(content | changes))


def source() -> dict[str, object]:
    return dict(json.loads(DATASET.source.read_text()))


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
    return {path.as_posix() for path in Path("artifacts").rglob("*")} - {"artifacts/cells"}


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
    assert {path.name for path in DATASET.artifacts.iterdir()} == {"raw", "source.json"}
    size = sum(map(len, smallset.FILES.values()))
    assert source() == {"source": "published", "range": None, "fingerprint": pin, "files": 4, "bytes": size}


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
    DATASET.source.touch()
    smallset.write(project / "data", CHANGED)
    monkeypatch.setattr(sys, "argv", ["download", "--pin", pin])
    with pytest.raises(SystemExit, match="differs"):
        run(main)
    assert smallset.read(RAW) == {"labels.csv": b"of an earlier pin"}
    assert not DATASET.source.exists()


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


def test_a_synthetic_data_set_is_generated_without_a_network(project: Path) -> None:
    record(source="synthetic")
    code = "import sys; from stages.download import main; main(); assert 'requests' not in sys.modules"
    fingerprints = []
    for seed in (7, 7, 8):
        set_params(project, {"synthetic.seed": seed})
        subprocess.run(
            [sys.executable, "-c", code, "--pin", "any"],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=True,
            timeout=60,
        )
        assert {path.name for path in RAW.iterdir()} == {"labels.csv", "JPEGImages", "Annotations"}
        assert len(list((RAW / "JPEGImages").iterdir())) == 20
        assert source()["source"] == "synthetic"
        fingerprints.append(source()["fingerprint"])
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_a_folder_is_copied_as_it_is(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    record(source="folder", images={"folder": "my images"})
    mine = {"my images/a.png": b"a", "my images/deep/\N{LATIN SMALL LETTER A WITH DIAERESIS}.png": b"b", "t.xlsx": b"t"}
    smallset.write(OWN, mine)
    monkeypatch.setattr(sys, "argv", ["download", "--pin", "any"])
    main()
    assert smallset.read(RAW) == mine
    fingerprint = smallset.checksums(tmp_path / "same", mine).fingerprint()  # that of `dvc add`
    assert source() == {"source": "folder", "range": None, "fingerprint": fingerprint, "files": 3, "bytes": 3}
    (OWN / "t.xlsx").write_bytes(b"u")
    (OWN / "my images" / "a.png").unlink()
    main()
    assert smallset.read(RAW) == smallset.read(OWN)
    assert source()["fingerprint"] != fingerprint


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_without_files_is_an_error_with_its_remedy(
    project: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    record(source="folder")
    if not there:
        OWN.rmdir()
    monkeypatch.setattr(sys, "argv", ["download", "--pin", "any"])
    message = error_of(main)
    assert message.startswith("error: datasets/cells/source holds no files")
    assert "`dvc add datasets/cells/source`" in message
    assert leftovers() == set()


def test_a_label_table_called_like_the_table_of_boxes_is_part_of_the_fingerprint(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(source="folder", labels={"table": "white_cells.csv"})
    monkeypatch.setattr(sys, "argv", ["download", "--pin", "any"])
    found = []
    for label in ("NEUTROPHIL", "MONOCYTE"):
        (OWN / "white_cells.csv").write_text(f"Image,Category\n0,{label}\n")
        main()
        found.append(source()["fingerprint"])
    assert found[0] != found[1]


def test_known_boxes_are_added_for_unchanged_published_images_only(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    published = smallset.checksums(tmp_path / "published").md5s
    (OWN / "files.md5").write_text("".join(f"{md5}  {name}\n" for name, md5 in published.items()))
    first = "image,xmin,ymin,xmax,ymax\nBloodImage_00000.jpg,1,2,3,4\n"
    both = first + "BloodImage_00001.jpg,5,6,7,8\n"
    (OWN / "white_cells.csv").write_text(both)
    for name, files, expected in (("a", smallset.FILES, both), ("b", CHANGED, first)):
        pin = smallset.checksums(tmp_path / name, files).fingerprint()
        monkeypatch.setenv("BLOODCELLS_MIRROR", str(tmp_path / name))
        monkeypatch.setattr(sys, "argv", ["download", "--pin", pin])
        main()
        assert smallset.read(RAW) == files | {"white_cells.csv": expected.encode()}
        assert source()["fingerprint"] == pin  # the files alone are pinned


def test_a_data_set_without_a_record_is_an_error_that_names_a_similar_one(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_params(project, {"dataset": "cell"})
    monkeypatch.setattr(sys, "argv", ["download", "--pin", "any"])
    assert "no data set 'cell': datasets/cell/record.yaml is missing (there are cells); did you mean" in error_of(main)
    assert leftovers() == set()


@pytest.mark.skipif(not (ROOT / "../shared/bccd/dataset-master").is_dir(), reason="needs the published data set")
def test_the_published_data_set_is_copied_from_a_mirror(project: Path) -> None:
    mirror = ROOT / "../shared/bccd/dataset-master"
    shutil.copytree(ROOT / "datasets" / "bccd", "datasets/bccd")
    set_params(project, {"dataset": "bccd"})
    done = download("5509ad5d0a27f562a049d08381f3a988.dir", BLOODCELLS_MIRROR=str(mirror))
    assert (done.returncode, done.stderr) == (0, "")
    raw = DatasetPaths("bccd").raw
    assert len(smallset.read(raw)) == 710 + 1
    assert (raw / "labels.csv").read_bytes() == (mirror / "labels.csv").read_bytes()
    assert len(read_box_table(raw / "white_cells.csv")) == 358
