"""Batches of bags: order, ranks, drawn patches and resuming do not depend on who reads them, or how far ahead."""

import numpy as np
import pytest
import torch
from axonlight.batches import MultimodalInputs
from axonlight.datamodules.slides import SlideStore
from axonlight.datamodules.slides.index import index_slides
from axonlight.datamodules.slides.loader import BagLoader, PatientBatches
from axonlight.datamodules.slides.writing import write_slide
from axonlight.errors import InputError

pytestmark = pytest.mark.xdist_group("slide_loader")  # its fixtures are made once

PATIENTS = [f"P{number:02}" for number in range(13)]
SIZES = {name: (number * 7) % 12 for number, name in enumerate(PATIENTS)}  # P00 and P12 have no slides


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    for number, (name, size) in enumerate(SIZES.items()):
        if size:
            rows = np.arange(size)[:, None] + np.array([[100.0 * number, 0.5]])
            write_slide(folder / f"{name}.h5", rows.astype(np.float32))
    return SlideStore(index_slides(folder, PATIENTS))


def patients(store, **options):
    number = torch.arange(13.0)
    present = torch.tensor([[True, SIZES[name] > 0, False] for name in PATIENTS])
    target = torch.stack([number + 1, number % 2], dim=1)
    return PatientBatches(PATIENTS, number[:, None], torch.zeros(13, 0), present, target, store, **options)


def numbers(batches):
    return [inputs.rna[:, 0].int().tolist() for inputs, _ in batches]


def equal(first, second):
    assert len(first) == len(second) > 0
    for (a, y), (b, z) in zip(first, second, strict=True):
        assert isinstance(a, MultimodalInputs)
        assert isinstance(b, MultimodalInputs)
        assert all(torch.equal(left, right) for left, right in zip((*a, y), (*b, z), strict=True))


def test_a_batch_holds_the_bags_of_its_patients(store):
    seen = []
    for inputs, target in BagLoader(patients(store), 4, shuffle=True, seed=3):
        assert inputs.pointers.dtype == torch.int64
        assert inputs.present.dtype == torch.bool
        assert len(inputs.pointers) == len(target) + 1 == inputs.num_patients + 1
        for row, number in enumerate(inputs.rna[:, 0].int().tolist()):
            bag = inputs.bags[inputs.pointers[row] : inputs.pointers[row + 1]]
            size = SIZES[PATIENTS[number]]
            np.testing.assert_array_equal(bag[:, 0], 100.0 * number + np.arange(size))
            assert inputs.present[row].tolist() == [True, size > 0, False]
            assert target[row].tolist() == [number + 1, number % 2]
            seen.append(number)
    assert sorted(seen) == list(range(13))
    assert seen != list(range(13))


def test_without_slides_bags_are_empty():
    inputs, _ = next(iter(BagLoader(patients(None), 4)))
    assert inputs.bags.shape == (0, 0)
    assert inputs.pointers.tolist() == [0] * 5


def test_drawn_patches_depend_on_seed_epoch_and_patient_alone(store):
    def drawn(batch_size, epoch, seed=0):
        loader = BagLoader(patients(store, max_patches=4, seed=seed), batch_size, shuffle=True, seed=1)
        loader.set_epoch(epoch)
        found = {}
        for inputs, _ in loader:
            for row, number in enumerate(inputs.rna[:, 0].int().tolist()):
                found[number] = inputs.bags[inputs.pointers[row] : inputs.pointers[row + 1], 0].tolist()
        return found

    first = drawn(4, epoch=0)
    assert {number: len(bag) for number, bag in first.items()} == {
        number: min(SIZES[name], 4) for number, name in enumerate(PATIENTS)
    }
    assert all(bag == sorted(set(bag)) for bag in first.values())
    assert drawn(5, epoch=0) == first
    assert drawn(4, epoch=1) != first
    assert drawn(4, epoch=0, seed=1) != first


def test_every_patch_is_as_likely_as_any_other(store):
    data = patients(store, max_patches=4)
    counts = np.zeros(11)
    for epoch in range(600):
        (inputs, _) = data[epoch, [PATIENTS.index("P11")]]  # 5 patches
        counts[(inputs.bags[:, 0] - 1100).int().numpy()] += 1
    np.testing.assert_allclose(counts[:5] / 600, 0.8, atol=4 * np.sqrt(0.8 * 0.2 / 600))


def test_workers_change_nothing(store):
    plain = BagLoader(patients(store, max_patches=4), 3, shuffle=True, seed=5)
    ahead = BagLoader(patients(store, max_patches=4), 3, num_workers=2, prefetch=3, shuffle=True, seed=5)
    for epoch in (0, 1):
        plain.set_epoch(epoch)
        ahead.set_epoch(epoch)
        equal(list(plain), list(ahead))
        assert plain.state_dict() == ahead.state_dict()
    # A pass that is left early, and what was read ahead in it, does not show in the next.
    for loader in (plain, ahead):
        loader.set_epoch(2)
        next(iter(loader))
        loader.set_epoch(3)
    equal(list(plain), list(ahead))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_resuming_within_an_epoch(store, num_workers):
    options = {"shuffle": True, "seed": 2, "num_workers": num_workers}
    whole = BagLoader(patients(store, max_patches=4), 3, **options)
    whole.set_epoch(4)
    batches = list(whole)
    stopped = BagLoader(patients(store, max_patches=4), 3, **options)
    stopped.set_epoch(4)
    run = iter(stopped)
    equal([next(run), next(run)], batches[:2])
    state = stopped.state_dict()
    assert (state["epoch"], state["fetched"]) == (4, 2)  # not what workers have read ahead
    resumed = BagLoader(patients(store, max_patches=4), 3, **options)
    resumed.load_state_dict(state)
    equal(list(resumed), batches[2:])
    equal(list(resumed), batches)
    with pytest.raises(InputError, match="inside an epoch with batch_size 3"):
        BagLoader(patients(store), 4, **options).load_state_dict(state)


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
def test_every_patient_is_scored_once_by_one_rank(store, ranks):
    each = [list(BagLoader(patients(store), 4, rank=rank, world_size=ranks)) for rank in range(ranks)]
    assert len({len(batches) for batches in each}) == 1  # unequal bags, equal numbers of batches
    found = [number for batches in each for batch in numbers(batches) for number in batch]
    assert sorted(found) == list(range(13))
    assert all(batch for batches in each for batch in numbers(batches))


def test_ranks_share_the_batches_of_training(store):
    alone = numbers(BagLoader(patients(store), 4, shuffle=True, seed=1))
    each = [numbers(BagLoader(patients(store), 4, shuffle=True, seed=1, rank=rank, world_size=2)) for rank in (0, 1)]
    first, second = each
    joined = [a + b for a, b in zip(first, second, strict=True)]
    assert joined[:-1] == alone[:-1]
    assert joined[-1][:1] == alone[-1]  # 13 = 3 x 4 + 1: one rank repeats a patient, for no rank may be without


def test_a_bad_slide_in_a_worker_is_named(tmp_path):
    write_slide(tmp_path / "P00.h5", np.zeros((3, 2), np.float32))
    write_slide(tmp_path / "P01.h5", np.full((3, 2), np.inf, np.float32))
    bags = SlideStore(index_slides(tmp_path, PATIENTS))
    with pytest.raises(InputError, match=r"^slide 'P01' of patient 'P01': .* extract them again$"):
        list(BagLoader(patients(bags), 1, num_workers=1))


@pytest.mark.parametrize("options", [{"num_workers": -1}, {"prefetch": 0}])
def test_bad_options(options):
    with pytest.raises(
        InputError, match=r"num_workers is .* and prefetch is .*; they must be at least 0 and at least 1"
    ):
        BagLoader(patients(None), 4, **options)
