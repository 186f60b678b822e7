"""Random numbers as a function of a seed and a place, by tensor operations alone.

A generator with state draws other numbers when it is called twice, in another order, or by another program. These
numbers depend on the seed (a tensor, so that a compiled graph and a vectorised arm can be given another one) and on
the place of an entry: the same in eager mode, compiled, under `torch.func.vmap`, when a checkpointed segment is
computed again, and on every device.

The function is Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"):
additions, rotations and exclusive ors of 32-bit words, held in int64, where no sum overflows.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..randomness import derive_seed

__all__ = ["normal", "permutation", "stream_of", "threefry", "uniform"]

_MASK = 0xFFFFFFFF
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_ROUNDS = 20
_BITS = 24  # what float32 holds exactly


def stream_of(*purpose: int | str) -> int:
    """Return the number of a stream of random numbers that has a purpose of its own.

    Example:
        >>> stream_of("noise", 0, "hidden_0.post") != stream_of("noise", 1, "hidden_0.post")
        True
    """
    return derive_seed(0, *purpose) & _MASK


def threefry(seed: Tensor, counters: Tensor, stream: int | Tensor = 0) -> tuple[Tensor, Tensor]:
    """Return two random 32-bit words for every counter.

    Args:
        seed: int64 (), the 64 bits of the key.
        counters: int64 of any shape, 32 bits each.
        stream: 32 bits, the second word of every counter: another stream, other numbers; one for all or one each.

    Shape:
        - Output: two int64 tensors of the shape of the counters, values from 0 to 2^32 - 1

    Example:
        >>> [f"{int(word):08x}" for word in threefry(torch.tensor(0), torch.tensor(0))]
        ['6b200159', '99ba4efe']
    """
    low, high = seed & _MASK, (seed >> 32) & _MASK
    key = (low, high, low ^ high ^ _PARITY)
    first, second = counters + low, (stream + high) & _MASK
    for number in range(_ROUNDS):
        turn = _ROTATIONS[(number // 4) % 2][number % 4]
        # The first word is cut to 32 bits only where its higher bits would reach the second one.
        first = first + second
        second = (((second << turn) | (second >> (32 - turn))) ^ first) & _MASK
        if number % 4 == 3:
            injection = number // 4 + 1
            first = first + key[injection % 3]
            second = (second + key[(injection + 1) % 3] + injection) & _MASK
    return first & _MASK, second


def uniform(seed: Tensor, shape: Sequence[int], stream: int = 0) -> Tensor:
    """Return uniform numbers in [0, 1), multiples of 2^-24: bit by bit the same in every mode.

    Args:
        seed: int64 ().
        shape: Shape of the numbers; the entry at a flat index depends on the seed, the stream and that index alone.
        stream: See `stream_of`.

    Example:
        >>> seed = torch.tensor(5)
        >>> bool((uniform(seed, (2, 3)).flatten() == uniform(seed, (7,))[:6]).all())
        True
    """
    first, second = _words(seed, shape, stream)
    return _entries(_unit(first), _unit(second), shape)


def normal(seed: Tensor, shape: Sequence[int], stream: int = 0) -> Tensor:
    """Return standard normal numbers (Box and Muller 1958), float32, at most 5.9 in size.

    Arguments as for `uniform`. Logarithm and sine are rounded by other rules in compiled code and on other devices:
    numbers agree to about 1e-6.

    Example:
        >>> numbers = normal(torch.tensor(5), (10_000,))
        >>> abs(float(numbers.mean())) < 0.03, abs(float(numbers.std()) - 1) < 0.03
        (True, True)
    """
    first, second = _words(seed, shape, stream)
    radius = (-2.0 * (_unit(first) + 0.5 ** (_BITS + 1)).log()).sqrt()
    angle = 2.0 * math.pi * _unit(second)
    return _entries(radius * angle.cos(), radius * angle.sin(), shape)


def permutation(seed: Tensor, size: int, stream: int = 0) -> Tensor:
    """Return for each of so many items another one: a random cycle through all of them, nobody at their own place.

    Args:
        seed: int64 ().
        size: Number of items; one item alone stays where it is.
        stream: See `stream_of`.

    Shape:
        - Output: int64 (size,)

    Example:
        >>> donor = permutation(torch.tensor(5), 6)
        >>> sorted(donor.tolist()), bool((donor == torch.arange(6)).any())
        ([0, 1, 2, 3, 4, 5], False)
    """
    order = threefry(seed, torch.arange(size, device=seed.device), stream)[0].argsort(stable=True)
    return order.roll(-1).gather(0, order.argsort())


def _words(seed: Tensor, shape: Sequence[int], stream: int) -> tuple[Tensor, Tensor]:
    """Return the words of half as many counters as there are entries."""
    return threefry(seed, torch.arange((math.prod(shape) + 1) // 2, device=seed.device), stream)


def _entries(even: Tensor, odd: Tensor, shape: Sequence[int]) -> Tensor:
    return torch.stack([even, odd], dim=-1).flatten()[: math.prod(shape)].reshape(tuple(shape))


def _unit(word: Tensor) -> Tensor:
    return (word >> (32 - _BITS)).float() * 0.5**_BITS
