"""A local stand-in for Kaggle: the two calls of kagglehub for a download, and the archive they lead to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kagglesdk import kaggle_env  # type: ignore[import-untyped]

from tests.support.loopback import Response, Site, content, redirect, serving

HANDLE = "someone/some-cells"
CURRENT = "/api/v1/datasets.DatasetApiService/GetDataset"
DOWNLOAD = "/api/v1/datasets.DatasetApiService/DownloadDataset"
SIGNED = "/bucket/archive.zip"


@contextmanager
def serving_kaggle(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Let kagglehub use a local server, without an account, with its cache below `home`."""
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "KAGGLE_KERNEL_RUN_TYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(home / "cache"))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as site:
        # The default port of this environment, 7777, may be in use.
        monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.TEST, site.address)
        yield site


def publish(site: Site, *responses: Response) -> None:
    """Publish a data set whose archive is served by `responses`."""
    site.put(CURRENT, content(b'{"currentVersionNumber": 3}', kind="application/json"))
    site.put(DOWNLOAD, redirect(f"{SIGNED}?signature=secret"))
    site.put(SIGNED, *responses)
