"""Commands set up their whole process; tests undo it."""

import logging
import warnings
from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def leave_the_process_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what a command sets: threads, levels of loggers, filters of warnings."""
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")
    threads = torch.get_num_threads()
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric", "axonlight")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        yield
    torch.set_num_threads(threads)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
