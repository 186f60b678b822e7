"""Shared fixtures: where the real data lie."""

import os
from pathlib import Path

import pytest


def _data_root() -> Path | None:
    candidates = [os.environ.get("AXONLIGHT_DATA"), Path(__file__).resolve().parents[2] / "shared" / "data"]
    return next((Path(path) for path in candidates if path and Path(path).is_dir()), None)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of the real data sets; tests that need it are skipped where it is absent."""
    root = _data_root()
    if root is None:
        pytest.skip("real data absent: set AXONLIGHT_DATA or put them into ../shared/data")
    return root
