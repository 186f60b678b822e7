"""Which samples get light: the same for any number of ranks, in any pieces, and in the stated share."""

import pytest
import torch
from axonlight.stimulation.light import Light, assign_samples
from scipy import stats


def test_the_share_is_the_probability_and_draws_are_independent():
    drawn = assign_samples(0.3, seed=5, first_row=0, rows=20_000)
    assert drawn.dtype == torch.float32
    assert set(drawn.tolist()) == {0.0, 1.0}
    assert stats.binomtest(int(drawn.sum()), 20_000, 0.3).pvalue > 1e-3
    pairs = torch.stack([drawn[:-1], drawn[1:]]).numpy()
    assert abs(stats.pearsonr(*pairs).statistic) < 4 / 20_000**0.5
    other = assign_samples(0.3, seed=6, first_row=0, rows=20_000)
    assert abs(stats.pearsonr(drawn.numpy(), other.numpy()).statistic) < 4 / 20_000**0.5


@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_ranks_draw_what_one_process_draws(world_size):
    alone = assign_samples(0.5, 1, first_row=96, rows=12 * world_size)
    parts = [assign_samples(0.5, 1, 96, 12, rank, world_size) for rank in range(world_size)]
    assert torch.equal(torch.stack(parts, dim=1).flatten(), alone)


def test_pieces_of_a_batch_draw_what_the_whole_draws():
    whole = assign_samples(0.5, 1, first_row=1000, rows=32)
    pieces = [assign_samples(0.5, 1, 1000 + 8 * place, 8) for place in range(4)]
    assert torch.equal(torch.cat(pieces), whole)


def test_a_smaller_share_lies_within_a_larger_one():
    small, large = (assign_samples(share, 1, 0, 500) for share in (0.2, 0.6))
    assert (small <= large).all()
    assert assign_samples(1.0, 1, 0, 500).all()


def test_billions_of_samples_later_draws_are_new_and_agree_over_ranks():
    wrap = 2**32
    across = assign_samples(0.5, 1, first_row=wrap - 500, rows=1000)
    assert torch.equal(across[500:], assign_samples(0.5, 1, first_row=wrap, rows=500))
    assert torch.equal(across[1::2], assign_samples(0.5, 1, wrap - 500, 500, rank=1, world_size=2))
    agreement = (across[500:] == assign_samples(0.5, 1, first_row=0, rows=500)).sum()
    assert 200 < agreement < 300


def test_light_draws_only_where_it_has_a_probability():
    assert Light().assignment(seed=1, first_row=0, rows=8) is None
    light = Light(probability=0.5)
    assert torch.equal(light.assignment(1, 64, 8, 1, 2), assign_samples(0.5, 1, 64, 8, 1, 2))
