import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from requests.adapters import HTTPAdapter

from bloodcells.core.errors import InputError
from bloodcells.datasets.download.http import RetryPolicy
from bloodcells.datasets.download.kaggle import download
from tests.support import smallset
from tests.support.kaggle_site import CURRENT, DOWNLOAD, HANDLE, SIGNED, publish, serving_kaggle
from tests.support.loopback import Site, content, status

POLICY = RetryPolicy(connect=5, read=5, attempts=3, backoff=0)
ARCHIVE = smallset.zipped(smallset.FILES, top="dataset-master/dataset-master/")


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with serving_kaggle(tmp_path, monkeypatch) as site:
        yield site


def test_a_data_set_is_downloaded_and_unpacked(kaggle: Site) -> None:
    publish(kaggle, content(ARCHIVE))
    folder = download(HANDLE, POLICY)
    assert smallset.read(folder / "dataset-master" / "dataset-master") == smallset.FILES


def test_a_data_set_in_the_cache_is_not_downloaded_again(kaggle: Site) -> None:
    publish(kaggle, content(ARCHIVE))
    assert download(HANDLE, POLICY) == download(HANDLE, POLICY)
    assert len(kaggle.requests[SIGNED]) == 1


@pytest.mark.parametrize("path", [CURRENT, DOWNLOAD, SIGNED])
def test_a_temporary_error_is_retried(kaggle: Site, path: str) -> None:
    publish(kaggle, content(ARCHIVE))
    kaggle.responses[path].insert(0, status(503))
    assert download(HANDLE, POLICY).is_dir()


def test_an_interrupted_download_is_retried(kaggle: Site) -> None:
    publish(kaggle, content(ARCHIVE, cut=100), content(ARCHIVE))
    folder = download(HANDLE, POLICY)
    assert smallset.read(folder / "dataset-master" / "dataset-master") == smallset.FILES


@pytest.mark.parametrize(("code", "requests"), [(404, 1), (500, 3)])
def test_a_lasting_error_is_reported(kaggle: Site, code: int, requests: int) -> None:
    publish(kaggle, status(code))
    with pytest.raises(InputError, match=f"{HANDLE}: HTTP {code}"):
        download(HANDLE, POLICY)
    assert len(kaggle.requests[SIGNED]) == requests


def test_a_silent_server_is_an_error(kaggle: Site) -> None:
    awake = threading.Event()
    publish(kaggle, content(ARCHIVE, cut=10, hold=awake))
    before = HTTPAdapter.send
    try:
        with pytest.raises(InputError, match=r"no data for 0\.2 s"):
            download(HANDLE, replace(POLICY, read=0.2, attempts=1))
    finally:
        awake.set()
    assert HTTPAdapter.send is before


def test_a_bad_archive_is_reported_with_its_place_in_the_cache(kaggle: Site, tmp_path: Path) -> None:
    publish(kaggle, content(b"<html>come back later</html>"))
    with pytest.raises(InputError, match=rf"{HANDLE}: .*rchive.*{tmp_path / 'cache'}"):
        download(HANDLE, POLICY)
