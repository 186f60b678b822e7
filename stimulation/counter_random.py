"""Random numbers as a function of a seed and a place, by tensor operations alone.

A generator with state draws other numbers when it is called twice, in another order, or by another program. These
numbers depend on the seed (a tensor, so that a compiled graph and a vectorised arm can be given another one) and on
the place of an entry: the same in eager mode, compiled, under `torch.func.vmap`, when a checkpointed segment is
computed again, and on every device.

A number is a word of 32 bits: the place, keyed by one word of seed and stream, mixed, keyed by another, mixed again.
The mixing is the permutation of words with the lowest known bias among those of two multiplications (Wellons,
"hash-prospector"); words are held in int64, where neither factor lets a product overflow. It is no cipher.

To a compiler the words are one operation, not the thirty that they are made of: fused into a kernel those add seconds
to every compilation (Threefry, Salmon et al. 2011, which was tried too, three times as many).
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..randomness import derive_seed

__all__ = ["normal", "permutation", "random_words", "stream_of", "uniform"]

_MASK = 0xFFFFFFFF
_ODD = 0x9E3779B9
_BITS = 24  # what float32 holds exactly


# A hash of plain values: for a graph that is being traced, a constant.
@torch.compiler.assume_constant_result
def stream_of(*purpose: int | str) -> int:
    """Return the number of a stream of random numbers that has a purpose of its own.

    Example:
        >>> stream_of("noise", 0, "hidden_0.post") != stream_of("noise", 1, "hidden_0.post")
        True
    """
    return derive_seed(0, *purpose) & _MASK


def random_words(seed: Tensor, places: Tensor, stream: int = 0) -> Tensor:
    """Return a random 32-bit word for every place.

    Args:
        seed: int64 (), or of any shape that broadcasts to the places.
        places: int64 of any shape, values from 0 to 2^32 - 1.
        stream: 32 bits: another stream, other numbers.

    Shape:
        - Output: int64 of the shape of the places, values from 0 to 2^32 - 1; under one seed and stream different
          places have different words

    Example:
        >>> random_words(torch.tensor(0), torch.arange(3)).tolist()
        [1445982368, 4099831331, 678946081]
    """
    return _random_words(seed, places, stream)


@torch.library.custom_op("axonlight::random_words", mutates_args=())
def _random_words(seed: Tensor, places: Tensor, stream: int) -> Tensor:
    low = _mix(seed & _MASK)
    first = _mix(_mix(low ^ ((seed >> 32) & _MASK)) ^ stream)
    second = _mix(_mix(first ^ _ODD) ^ low)
    return _mix((_mix(places ^ first) + second) & _MASK)


@_random_words.register_fake
def _(seed: Tensor, places: Tensor, stream: int) -> Tensor:
    return places.new_empty(torch.broadcast_shapes(seed.shape, places.shape))


@_random_words.register_vmap
def _(info: Any, in_dims: tuple[int | None, ...], seed: Tensor, places: Tensor, stream: int) -> tuple[Tensor, int]:
    dims = max(seed.dim() - (in_dims[0] is not None), places.dim() - (in_dims[1] is not None))
    return _random_words(_in_front(seed, in_dims[0], dims), _in_front(places, in_dims[1], dims), stream), 0


def _in_front(x: Tensor, dim: int | None, dims: int) -> Tensor:
    """Return a tensor with the batch of arms in front of so many dimensions."""
    x = x.unsqueeze(0) if dim is None else x.movedim(dim, 0)
    return x.reshape(len(x), *(1,) * (dims + 1 - x.dim()), *x.shape[1:])


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
    return (random_words(seed, _places(shape, seed), stream) >> (32 - _BITS)).float() * 0.5**_BITS


def normal(seed: Tensor, shape: Sequence[int], stream: int = 0) -> Tensor:
    """Return standard normal numbers, float32, at most 5.4 in size: the quantiles of as many uniform ones.

    Arguments as for `uniform`. The inverse error function is rounded by other rules in compiled code and on other
    devices: numbers agree to about 1e-6.

    Example:
        >>> numbers = normal(torch.tensor(5), (10_000,))
        >>> abs(float(numbers.mean())) < 0.03, abs(float(numbers.std()) - 1) < 0.03
        (True, True)
    """
    odd = 2 * (random_words(seed, _places(shape, seed), stream) >> (32 - _BITS)) + (1 - 2**_BITS)
    # odd numbers between -2^24 and 2^24: exact in float32, symmetric, and never at an end
    return math.sqrt(2.0) * torch.erfinv(odd.float() * 0.5**_BITS)


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
    order = random_words(seed, _places((size,), seed), stream).argsort(stable=True)
    return order.roll(-1).gather(0, order.argsort())


def _places(shape: Sequence[int], seed: Tensor) -> Tensor:
    return torch.arange(math.prod(shape), device=seed.device).reshape(tuple(shape))


def _mix(word: Tensor) -> Tensor:
    word = ((word ^ (word >> 16)) * 0x21F0AAAD) & _MASK
    word = ((word ^ (word >> 15)) * 0x735A2D97) & _MASK
    return word ^ (word >> 15)
