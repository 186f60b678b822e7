"""Two processes are one: losses, gradients, decisions; data in parallel (DDP) and weights in shards (FSDP2)."""

import sys
from pathlib import Path

import lab_processes
import pytest
import torch
from lab import CLOSE, assert_same
from lab_processes import DDP, SHARDED
from torch import multiprocessing

TESTS = str(Path(__file__).parents[2])
if TESTS not in sys.path:
    sys.path.append(TESTS)
import forked  # noqa: E402  (found beside conftest.py)

pytestmark = pytest.mark.xdist_group("stimulation_processes")  # its fixtures are made once


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What each of two processes found, by scenario; both ran once, for all tests here."""
    folder = tmp_path_factory.mktemp("ranks")
    arguments = (str(folder), forked.free_port())
    multiprocessing.start_processes(lab_processes.rank_of_two, arguments, nprocs=2, start_method="forkserver")

    def found(name):
        results = [torch.load(folder / f"{name}.{rank}.pt") for rank in range(2)]
        for result in results:
            assert "error" not in result, result["error"]
        return results

    return found


def assert_two_equal_one(ranks, one, **tolerance):
    tolerance = tolerance or CLOSE
    torch.testing.assert_close(mean_losses(ranks), one["losses"], **tolerance)
    for rank in ranks:
        for left, right in zip(rank["gradients"], one["gradients"], strict=True):
            assert_same(left, right, **tolerance)
        assert_same(rank["weights"], one["weights"], **tolerance)
        assert rank["silent"] == one["silent"]


def mean_losses(results):
    return [sum(losses) / 2 for losses in zip(*(result["losses"] for result in results), strict=True)]


@pytest.mark.parametrize("name", [name for name in DDP if name != "trigger on a metric"])
def test_two_processes_equal_one(tmp_path, both, name):
    one, ranks = lab_processes.alone(tmp_path, DDP[name]), both(f"ddp {name}")
    # statistics of sites are float32
    assert_two_equal_one(ranks, one, **({"rtol": 1e-5, "atol": 1e-7} if "site" in name else {}))
    untouched = lab_processes.alone(tmp_path, [{"target": "hidden", "opsin": "sham"}])
    assert one["losses"] != untouched["losses"]


def test_a_sample_keeps_its_draw_in_whatever_part_of_a_batch(tmp_path, both):
    """Loaders of this package give every rank a consecutive part of the batch, not every second row."""
    one = lab_processes.alone(tmp_path, DDP["drawn for every sample"], loader=lab_processes.in_parts())
    assert_two_equal_one(both("parts"), one)


@pytest.mark.parametrize("name", ["trigger on the loss", "trigger on a metric"])
def test_decisions_are_the_same_on_all_ranks(both, name):
    """Each rank sees other samples and another loss; one decision holds for all."""
    first, second = both(f"ddp {name}")
    assert first["losses"] != second["losses"]
    assert first["record"] == second["record"]
    assert first["silent"] == second["silent"]
    assert {True, False} == set(first["silent"])


@pytest.mark.parametrize("hooks_first", [True, False])
@pytest.mark.parametrize("name", SHARDED)
def test_shards_equal_the_whole(both, name, hooks_first):
    one, ranks = lab_processes.stimulated_shards(0, SHARDED[name], None), both(f"shards {name} {hooks_first}")
    torch.testing.assert_close(mean_losses(ranks), one["losses"], **CLOSE)
    for rank in ranks:
        assert_same(rank["weights"], one["weights"], **CLOSE)


def test_sharded_under_the_trainer_equals_one_process(tmp_path, both):
    assert_two_equal_one(both("trainer shards"), lab_processes.alone(tmp_path, DDP["pulsed head"]))
