"""The in-memory loader by itself: orders, positions, shares of ranks, the global random state."""

import random

import numpy as np
import pytest
import torch
from axonlight.datamodules import InMemoryLoader
from axonlight.errors import InputError
from hypothesis import given
from hypothesis import strategies as st


def _rows(loader):
    return [batch.tolist() for batch in loader]


def _flat(batches):
    return [row for batch in batches for row in batch]


def test_an_epoch_holds_every_row_once_and_the_next_another_order():
    loader = InMemoryLoader([torch.arange(100)], 32, shuffle=True, seed=5)
    first = _rows(loader)
    assert [len(batch) for batch in first] == [32, 32, 32, 4] == loader.batch_sizes
    assert sorted(_flat(first)) == list(range(100))
    assert _rows(loader) == first
    loader.set_epoch(1)
    second = _rows(loader)
    assert second != first
    assert sorted(_flat(second)) == list(range(100))
    other_seed = InMemoryLoader([torch.arange(100)], 32, shuffle=True, seed=6)
    assert _rows(other_seed) != first


def test_rows_of_all_tensors_stay_together():
    x, y = torch.arange(50).float().unsqueeze(1), torch.arange(50)
    for batch_x, batch_y in InMemoryLoader([x, y], 8, shuffle=True):
        assert torch.equal(batch_x[:, 0], batch_y.float())


def test_the_global_random_state_is_left_alone():
    torch.manual_seed(1)
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    order = _rows(InMemoryLoader([torch.arange(100)], 32, shuffle=True, seed=5))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()  # noqa: NPY002
    assert random.getstate() == states[2]
    torch.manual_seed(2)
    assert _rows(InMemoryLoader([torch.arange(100)], 32, shuffle=True, seed=5)) == order


def test_drop_last():
    loader = InMemoryLoader([torch.arange(10)], 4, shuffle=True, drop_last=True)
    assert len(loader) == 2
    assert [len(batch) for batch in _rows(loader)] == [4, 4]
    evaluation = InMemoryLoader([torch.arange(10)], 4, drop_last=True)
    assert sorted(_flat(_rows(evaluation))) == list(range(10))


@pytest.mark.parametrize("stop", [1, 3, 7, 9])
def test_a_restored_position_gives_the_remaining_batches(stop):
    loader = InMemoryLoader([torch.arange(97)], 10, shuffle=True, seed=3)
    loader.set_epoch(4)
    whole = _rows(loader)
    iterator = iter(loader)
    for _ in range(stop):
        next(iterator)
    state = loader.state_dict()
    fresh = InMemoryLoader([torch.arange(97)], 10, shuffle=True, seed=3)
    fresh.load_state_dict(state)
    pending = iter(fresh)
    fresh.set_epoch(4)  # after iter(), as Lightning does
    assert [batch.tolist() for batch in pending] == whole[stop:]
    assert _rows(fresh) == whole


def test_a_position_between_epochs_starts_the_next_one_whole():
    loader = InMemoryLoader([torch.arange(20)], 5, shuffle=True)
    _rows(loader)
    fresh = InMemoryLoader([torch.arange(20)], 5, shuffle=True)
    fresh.load_state_dict(loader.state_dict())
    fresh.set_epoch(1)
    loader.set_epoch(1)
    assert _rows(fresh) == _rows(loader)
    assert sum(map(len, _rows(fresh))) == 20


@pytest.mark.parametrize(("key", "change"), [("batch_size", {"batch_size": 4}), ("seed", {"seed": 1})])
def test_a_position_inside_an_epoch_needs_the_same_batches(key, change):
    options = {"batch_size": 5, "seed": 0}
    loader = InMemoryLoader([torch.arange(20)], **options, shuffle=True)
    next(iter(loader))
    other = InMemoryLoader([torch.arange(20)], **{**options, **change}, shuffle=True)
    with pytest.raises(InputError, match=f"inside an epoch with {key}"):
        other.load_state_dict(loader.state_dict())
    fewer = InMemoryLoader([torch.arange(19)], **options, shuffle=True)
    with pytest.raises(InputError, match="inside an epoch with num_rows 20"):
        fewer.load_state_dict(loader.state_dict())
    list(loader)  # the epoch is over: nothing is counted in batches any more
    other.load_state_dict(loader.state_dict())


@given(
    num_rows=st.integers(1, 200), batch_size=st.integers(1, 64), world_size=st.integers(1, 9), epoch=st.integers(0, 3)
)
def test_ranks_share_every_global_batch(num_rows, batch_size, world_size, epoch):
    def loaders(shuffle):
        return [
            InMemoryLoader(
                [torch.arange(num_rows)], batch_size, shuffle=shuffle, rank=rank, world_size=world_size, seed=1
            )
            for rank in range(world_size)
        ]

    if num_rows < world_size:
        with pytest.raises(InputError, match=f"{num_rows} rows cannot be shared by {world_size} devices"):
            loaders(shuffle=True)
        return
    alone = InMemoryLoader([torch.arange(num_rows)], batch_size, shuffle=True, seed=1)
    alone.set_epoch(epoch)
    training = loaders(shuffle=True)
    for loader in training:
        loader.set_epoch(epoch)
    shares = [_rows(loader) for loader in training]
    assert {len(loader) for loader in training} == {len(alone)}
    for index, batch in enumerate(_rows(alone)):
        parts = [share[index] for share in shares]
        assert min(map(len, parts)) >= 1
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
        together = _flat(parts)
        assert together[: len(batch)] == batch
        assert len(together) == max(len(batch), world_size)

    evaluation = loaders(shuffle=False)
    shards = [_rows(loader) for loader in evaluation]
    assert len({len(shard) for shard in shards}) == 1
    assert [len(batch) for shard in shards for batch in shard] == [
        size for loader in evaluation for size in loader.batch_sizes
    ]
    assert all(batch for shard in shards for batch in shard)
    assert _flat(_flat(shards)) == list(range(num_rows))


def test_evaluation_batches_of_one_process_are_full():
    assert InMemoryLoader([torch.arange(3000)], 1024).batch_sizes == [1024, 1024, 952]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 11, "shuffle": True, "drop_last": True}, "drop_last leaves no batch"),
        ({"batch_size": 2, "world_size": 11}, "10 rows cannot be shared by 11 devices"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(InputError, match=message):
        InMemoryLoader([torch.arange(10)], **options)
    with pytest.raises(InputError, match=r"tensors have \[3, 4\] rows"):
        InMemoryLoader([torch.arange(3), torch.arange(4)], 2)
