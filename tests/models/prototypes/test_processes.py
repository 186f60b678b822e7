"""Two gloo processes with unequal bags learn what one process learns from all bags."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from axonlight.models.bags import split_bags
from axonlight.models.prototypes import kmeans_prototypes

TESTS = str(Path(__file__).parents[2])
if TESTS not in sys.path:
    sys.path.append(TESTS)
import forked  # noqa: E402  (found beside conftest.py)

pytestmark = pytest.mark.xdist_group("prototype_processes")  # its fixtures are made once

SCRIPT = Path(__file__).with_name("one_of_two.py")
specification = importlib.util.spec_from_file_location("one_of_two", SCRIPT)
one_of_two = importlib.util.module_from_spec(specification)
specification.loader.exec_module(one_of_two)


@pytest.fixture(scope="module")
def by_rank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    port = forked.free_port()
    forked.join([forked.Child(str(SCRIPT), [rank, port, folder], folder) for rank in range(2)])
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("rule", one_of_two.RULES)
def test_gradients_of_every_step_are_those_of_one_process(rule, by_rank):
    alone = one_of_two.steps(rule, slice(None))
    for rank in by_rank:
        for step, expected in zip(rank[rule]["gradients"], alone["gradients"], strict=True):
            torch.testing.assert_close(step, expected, rtol=1e-9, atol=1e-11)
    added = by_rank[0][rule]["usage"] + by_rank[1][rule]["usage"]
    torch.testing.assert_close(added, alone["usage"], rtol=1e-9, atol=1e-11)


def test_callbacks_see_all_patients_and_start_all_processes_alike(by_rank, tmp_path):
    first, second = (rank["trainer"] for rank in by_rank)
    (bags, _), *_ = one_of_two.Bags(slice(0, 2)).train_dataloader()
    expected = kmeans_prototypes(split_bags(*bags), 3, seed=2).prototypes.double()
    for rank in (first, second):
        torch.testing.assert_close(rank["started"], expected, rtol=0, atol=0)
    alone = one_of_two.by_trainer(slice(None), tmp_path)["figures"]
    assert set(alone) == {f"prototypes/{name}" for name in ("usage_entropy", "dead", "drift", "max_cosine")}
    assert first["figures"] == pytest.approx(alone, abs=1e-6)
    assert second["figures"] == pytest.approx(alone, abs=1e-6)
