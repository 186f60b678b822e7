"""Two gloo processes, one without a single patch, learn what one process learns from all patients."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

TESTS = str(Path(__file__).parents[2])
if TESTS not in sys.path:
    sys.path.append(TESTS)
import forked  # noqa: E402  (found beside conftest.py)

pytestmark = pytest.mark.xdist_group("fusion_processes")  # its fixtures are made once

SCRIPT = Path(__file__).with_name("one_rank.py")
specification = importlib.util.spec_from_file_location("fusion_one_rank", SCRIPT)
one_rank = importlib.util.module_from_spec(specification)
specification.loader.exec_module(one_rank)


@pytest.fixture(scope="module")
def by_rank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    port = forked.free_port()
    forked.join([forked.Child(str(SCRIPT), [rank, port, folder], folder) for rank in range(2)])
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def test_gradients_of_every_step_are_those_of_one_process(name, by_rank):
    alone = one_rank.steps(name, [0, 1])
    for rank in by_rank:
        for found, expected in zip(rank[name], alone, strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)
