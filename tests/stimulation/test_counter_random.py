"""Random numbers by counter: those of an independent reference, statistically sound, the same however they are run."""

import numpy as np
import pytest
import torch
from axonlight.stimulation.counter_random import normal, permutation, random_words, stream_of, uniform
from scipy import stats
from torch.utils.checkpoint import checkpoint

SEEDS = [0, 1, 2**31 + 5, 2**62 + 12345, 2**63 - 1]


def mixed(word: np.ndarray) -> np.ndarray:
    """The mixing in arithmetic of 32 bits, which wraps around: [16 21f0aaad 15 735a2d97 15]."""
    word = word ^ (word >> np.uint32(16))
    word = word * np.uint32(0x21F0AAAD)
    word = word ^ (word >> np.uint32(15))
    word = word * np.uint32(0x735A2D97)
    return word ^ (word >> np.uint32(15))


def reference_words(seed: int, places: np.ndarray, stream: int) -> np.ndarray:
    low, high, stream32 = (np.array([value & 0xFFFFFFFF], dtype=np.uint32) for value in (seed, seed >> 32, stream))
    first = mixed(mixed(mixed(low) ^ high) ^ stream32)
    second = mixed(mixed(first ^ np.uint32(0x9E3779B9)) ^ mixed(low))
    return mixed(mixed(places.astype(np.uint32) ^ first) + second)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("stream", [0, 7, 2**32 - 1])
def test_words_are_those_of_an_independent_implementation(seed, stream):
    places = np.concatenate([np.arange(1000), np.arange(2**32 - 1000, 2**32)])
    words = random_words(torch.tensor(seed), torch.from_numpy(places), stream)
    np.testing.assert_array_equal(words.numpy(), reference_words(seed, places, stream).astype(np.int64))


def test_uniform_and_normal_are_functions_of_the_words():
    words = reference_words(9, np.arange(6000), 3).astype(np.float64)
    numbers = uniform(torch.tensor(9), (20, 300), stream=3)
    assert numbers.dtype == torch.float32
    np.testing.assert_array_equal(numbers.double().numpy().ravel(), np.floor(words / 2**8) / 2**24)
    quantiles = stats.norm.ppf((np.floor(words / 2**8) + 0.5) / 2**24)
    np.testing.assert_allclose(normal(torch.tensor(9), (6000,), 3).double(), quantiles, rtol=2e-5, atol=1e-6)


def test_normal_is_finite_at_both_ends(monkeypatch):
    ends = torch.tensor([0, 2**32 - 1])
    monkeypatch.setattr("axonlight.stimulation.counter_random.random_words", lambda *_: ends)
    low, high = normal(torch.tensor(0), (2,)).tolist()
    assert low == -high
    assert 5 < high < 6


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_numbers_follow_their_distribution(seed):
    size = 100_000
    assert stats.kstest(uniform(torch.tensor(seed), (size,)).numpy(), "uniform").pvalue > 1e-3
    assert stats.kstest(normal(torch.tensor(seed), (size,)).numpy(), "norm").pvalue > 1e-3


@pytest.mark.parametrize("start", [0, 2**50])
def test_neighbouring_seeds_streams_and_places_are_unrelated(start):
    size, rows = 20_000, []
    for seed in range(start, start + 4):
        rows += [uniform(torch.tensor(seed), (size,), stream).numpy() for stream in (0, 1)]
    for first, one in enumerate(rows):
        for second, other in enumerate(rows[first:]):
            for lag in range(0 if second else 1, 4):
                correlation = np.corrcoef(one[: size - lag], other[lag:])[0, 1]
                assert abs(correlation) < 5 / np.sqrt(size)


def test_every_bit_of_place_and_seed_turns_half_of_all_bits():
    size = 20_000
    drawn = np.random.default_rng(3)
    places = torch.from_numpy(drawn.integers(0, 2**14, size))
    seeds = torch.from_numpy(drawn.integers(0, 2**20, size))
    words = random_words(seeds, places)
    flips = [(seeds, places ^ (1 << bit)) for bit in range(32)] + [(seeds ^ (1 << bit), places) for bit in range(63)]
    for seed, place in flips:
        turned = words ^ random_words(seed, place)
        shares = [float(((turned >> bit) & 1).float().mean()) for bit in range(32)]
        assert max(abs(share - 0.5) for share in shares) < 0.025


def test_permutations_are_cycles_and_every_other_item_is_as_likely():
    size, seeds = 5, range(2000)
    counts = np.zeros((size, size))
    for seed in seeds:
        donors = permutation(torch.tensor(seed), size).tolist()
        place, steps = donors[0], 1
        while place:
            place, steps = donors[place], steps + 1
        assert steps == size
        counts[range(size), donors] += 1
    assert np.diag(counts).sum() == 0
    assert stats.chisquare(counts[~np.eye(size, dtype=bool)]).pvalue > 1e-3


def test_one_item_alone_stays():
    assert permutation(torch.tensor(3), 1).tolist() == [0]


def test_streams_tell_purposes_apart():
    names = [("noise", number, site) for number in range(50) for site in ("a", "b")]
    assert len({stream_of(*name) for name in names}) == 100
    assert all(0 <= stream_of(*name) < 2**32 for name in names)


def test_compiled_vectorised_and_alone_they_are_the_same():
    seeds = torch.tensor(SEEDS)

    def drawn(seed):
        return uniform(seed, (3, 4), 5), normal(seed, (3, 4), 6), permutation(seed, 6, 7)

    alone = [torch.stack(parts) for parts in zip(*map(drawn, seeds), strict=True)]
    together = torch.func.vmap(drawn)(seeds)
    compiled = torch.compile(torch.func.vmap(drawn), fullgraph=True)(seeds)
    for parts in (together, compiled):
        assert torch.equal(parts[0], alone[0])
        torch.testing.assert_close(parts[1], alone[1], rtol=1e-5, atol=1e-6)
        assert torch.equal(parts[2], alone[2])


@pytest.mark.parametrize("in_dims", [(1, None), (None, 1), (1, 0)])
def test_words_vectorised_over_any_dimension(in_dims):
    seeds = torch.tensor([[3, 4, 5]]) if in_dims[0] is not None else torch.tensor(3)
    places = {None: torch.arange(4).reshape(4, 1), 0: torch.arange(6).reshape(3, 2), 1: torch.arange(6).reshape(2, 3)}
    places = places[in_dims[1]]
    together = torch.func.vmap(random_words, in_dims=in_dims)(seeds, places)
    given = list(zip((seeds, places), in_dims, strict=True))
    alone = [random_words(*(x if dim is None else x.select(dim, arm) for x, dim in given)) for arm in range(3)]
    assert torch.equal(together, torch.stack(alone))


def test_a_segment_that_is_computed_again_sees_the_same_noise():
    x = torch.ones(4, 3, requires_grad=True)

    def segment(x, seed):
        return (x * normal(seed, x.shape)).exp()

    gradients = []
    for run in (segment, lambda *given: checkpoint(segment, *given, use_reentrant=False, preserve_rng_state=False)):
        gradients += torch.autograd.grad(run(x, torch.tensor(4)).sum(), x)
    assert torch.equal(*gradients)
