"""Shared fixtures: where the real data lie, and what no test may leave behind for the next one."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

# Before torch and matplotlib are imported: two workers on two cores must not start four threads, and no test opens a
# window. Child processes inherit both.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")

import hypothesis
import pytest
import torch
from axonlight.activations.specs import imports
from jsonargparse._common import parsing_settings
from matplotlib import pyplot as plt

# Workers share the cores with other programs: a slow example is not a failure.
hypothesis.settings.register_profile("axonlight", deadline=None)
hypothesis.settings.load_profile("axonlight")

# As a process starts: fixtures of a file run before those of its tests, which would take their traces for the start.
FRESH_SETTINGS, FRESH_ALLOWED = dict(parsing_settings), set(imports._allowed)

CHECKOUT = Path(__file__).resolve().parents[1]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT)
# Caches of tools and environments; and sources, which people edit while tests run.
# "runs" at the root: somebody may train there while the tests run; every test that trains has a folder of its own
IGNORED_FOLDERS = {"__pycache__", "build", "_build", "node_modules", "shared", "runs"}
SOURCE_SUFFIXES = {".py", ".md", ".yaml", ".toml", ".txt", ".cfg", ".swp", ".tmp"}


def _data_root() -> Path | None:
    candidates = [os.environ.get("AXONLIGHT_DATA"), CHECKOUT.parent / "shared" / "data"]
    return next((Path(path) for path in candidates if path and Path(path).is_dir()), None)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of the real data sets; tests that need it are skipped where it is absent."""
    root = _data_root()
    if root is None:
        pytest.skip("real data absent: set AXONLIGHT_DATA or put them into ../shared/data")
    return root


@pytest.fixture(autouse=True)
def restored_process() -> Iterator[None]:
    """Give the environment, the working directory, the import path and the signal handlers back as they were."""
    environment, folder, import_path = dict(os.environ), Path.cwd(), list(sys.path)
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:] = import_path
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def restored_import_policy() -> Iterator[None]:
    """Forget which packages a test, or a fixture of its file, allowed configs and specs to import."""
    yield
    parsing_settings.clear()
    parsing_settings.update(FRESH_SETTINGS)
    imports._allowed.clear()
    imports._allowed.update(FRESH_ALLOWED)


@pytest.fixture(autouse=True)
def restored_torch() -> Iterator[None]:
    """Start from one seed, whatever ran before, and give torch's global settings back."""
    dtype, threads, grad = torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.manual_seed(0)
    yield
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    torch.set_default_dtype(dtype)
    torch.set_num_threads(threads)
    torch.set_grad_enabled(grad)
    torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)


@pytest.fixture(autouse=True)
def restored_matplotlib() -> Iterator[None]:
    """Close all figures and undo changes of style."""
    with plt.rc_context():
        yield
    plt.close("all")


@pytest.fixture(scope="module", autouse=True)
def clean_checkout() -> Iterator[None]:
    """Fail if the tests of a file leave files in the checkout."""
    before = _written_files()
    yield
    left = sorted(_written_files() - before)
    assert not left, f"tests left files in the checkout: {', '.join(left)}"


def _written_files() -> set[str]:
    found = set()
    for folder, below, files in os.walk(CHECKOUT):
        below[:] = [name for name in below if name not in IGNORED_FOLDERS and name[0] != "." and "egg-info" not in name]
        found.update(str(Path(folder, name).relative_to(CHECKOUT)) for name in files)
    return {name for name in found if Path(name).suffix not in SOURCE_SUFFIXES and not name.endswith("~")}
