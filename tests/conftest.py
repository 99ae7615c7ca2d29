"""Fixtures that several test modules share, and the environment of all tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.loopback import Site, serving

# Several test processes share the cores; one thread each is quicker than all fighting for all of them.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server on loopback that serves what a test puts there."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as site:
        yield site


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small drawn set in the published layout."""
    from tests.support import workplace  # not above: it loads numpy, which reads the number of threads once

    return workplace.draw(tmp_path_factory.mktemp("drawn") / "raw")
