"""Kaggle on loopback: the two calls that kagglehub makes to download a data set, and where its answer leads."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kagglesdk import kaggle_env  # type: ignore[import-untyped]

from tests.loopback import Answer, Site, content, redirect, serving

HANDLE = "someone/some-cells"
CURRENT = "/api/v1/datasets.DatasetApiService/GetDataset"
DOWNLOAD = "/api/v1/datasets.DatasetApiService/DownloadDataset"
SIGNED = "/bucket/archive.zip"


@contextmanager
def serving_kaggle(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Send kagglehub to a server of ours, with a home and a cache of its own below `home` and no account."""
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "KAGGLE_KERNEL_RUN_TYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(home / "cache"))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as site:
        # The port of this environment is fixed, 7777, and may be taken.
        monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.TEST, site.address)
        yield site


def publish(site: Site, *answers: Answer) -> None:
    """Have the third version of the set, whose archive comes as `answers` say."""
    site.put(CURRENT, content(b'{"currentVersionNumber": 3}', kind="application/json"))
    site.put(DOWNLOAD, redirect(f"{SIGNED}?signature=secret"))
    site.put(SIGNED, *answers)
