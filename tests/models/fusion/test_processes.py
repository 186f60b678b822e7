"""Two gloo processes, one without a single patch, learn what one process learns from all patients."""

import importlib.util
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.xdist_group("fusion_processes")  # its fixtures are made once

SCRIPT = Path(__file__).with_name("one_rank.py")
specification = importlib.util.spec_from_file_location("fusion_one_rank", SCRIPT)
one_rank = importlib.util.module_from_spec(specification)
specification.loader.exec_module(one_rank)


@pytest.fixture(scope="module")
def by_rank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    commands = [[sys.executable, str(SCRIPT), str(rank), port, str(folder)] for rank in range(2)]
    children = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
    for child in children:
        _, errors = child.communicate(timeout=300)
        assert child.returncode == 0, errors
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def test_gradients_of_every_step_are_those_of_one_process(name, by_rank):
    alone = one_rank.steps(name, [0, 1])
    for rank in by_rank:
        for found, expected in zip(rank[name], alone, strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)
