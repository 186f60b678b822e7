"""Many networks as one module.

Legend of shapes: R replicas, B batch, F features, H heads, O outputs.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from ...errors import InputError
from ...structures import Hierarchy
from ..head_outputs import HeadOutputs
from ..tasks.task import NetworkFactory
from ..workers import count_workers, for_each
from .building import build_networks
from .linking import Gradients, Link, link_block
from .masks import StepMasks
from .stacking import assign_values, stack_networks, values_of

__all__ = ["Replicas"]

Outputs = Tensor | HeadOutputs

# Entries of the widest layer that go through together: more leave the cache, fewer do not pay for the calls of a block,
# which is why a batch of few rows gets what one of 64 does.
_ENTRIES = 1 << 20
_FEWEST_ROWS = 64
_FEWEST = 4


class Replicas(nn.Module):
    """Many networks that differ in edges, seed or activations, as one module over the same batches.

    Every network is built as it would be built alone, by `torch.manual_seed(seed)` and its factory. Then their layers
    become one: sparse layers stacked rows over the shared input, later ones diagonal blocks, dense layers a batched
    product, norms per row, dropouts with the mask that each replica would draw alone. Nothing flows from one replica to
    another, so each learns what it would learn alone.

    Forward is differentiable as any other. `backward` is the fast way to train: on a processor each thread goes block
    by block through forward, loss and backward of a few replicas, whose tensors stay in the cache.

    Args:
        network: Network class or factory, called with (in_features, out_features) and with `feature_names`,
            `hierarchy` and `activation` where it declares them; or networks that exist, which are copied.
        in_features: Width F of the input; not needed for networks that exist.
        out_features: Width O of the output; not needed for networks that exist.
        hierarchies: The hierarchy of every replica, one for all, or None.
        seeds: The seed of every replica, or one for all.
        feature_names: Names of the columns.
        activations: The activation spec of every replica, one for all, or None.
        names: Names of the replicas; None: their numbers.
        block_size: Replicas that go through `backward` together on a processor; None chooses by width and batch.
        copy_networks: Whether networks that exist are copied, which takes longer than the rest; if not, nobody else
            may use them any more.

    Attributes:
        stacked: The one network: the modules of the first replica's, with values for all.
        names: Names of the replicas.
        num_replicas: Their number R.

    Shape:
        - Input: (B, F)
        - Output: (R, B, O), or `HeadOutputs` with (H, R, B, O)

    Raises:
        InputError: If the numbers of hierarchies, seeds, activations and names disagree, or a module cannot be
            stacked or differs between networks in more than edges, values and activations.

    Example:
        >>> from axonlight.models import PathwayNetwork
        >>> from axonlight.structures import Hierarchy
        >>> trees = [
        ...     Hierarchy.from_edges([("cell", "repair"), ("cell", "death"), ("repair", one), ("death", other)])
        ...     for one, other in [("BRCA1", "TP53"), ("TP53", "BRCA1")]
        ... ]
        >>> replicas = Replicas(PathwayNetwork, 2, 1, hierarchies=trees, seeds=[0, 0])
        >>> replicas(torch.zeros(8, 2)).shape, type(replicas.network(1)).__name__
        (torch.Size([2, 8, 1]), 'PathwayNetwork')
    """

    def __init__(
        self,
        network: NetworkFactory | Sequence[nn.Module],
        in_features: int | None = None,
        out_features: int | None = None,
        *,
        hierarchies: Sequence[Hierarchy] | None = None,
        seeds: Sequence[int] = (),
        feature_names: list[str] | None = None,
        activations: Sequence[Any] | None = None,
        names: Sequence[str] | None = None,
        block_size: int | None = None,
        copy_networks: bool = True,
    ) -> None:
        super().__init__()
        if isinstance(network, Sequence):
            networks = [copy.deepcopy(each) if copy_networks else each for each in network]
        else:
            networks = build_networks(
                network, in_features, out_features, hierarchies, seeds, feature_names, activations
            )
        if not networks:
            raise InputError("there are no replicas; give at least one network, or one seed")
        self.names = tuple(map(str, range(len(networks)) if names is None else names))
        if len(self.names) != len(networks):
            raise InputError(f"names lists {len(self.names)} names for {len(networks)} replicas; give one each")
        self._masks = StepMasks()
        # Plain tuples: what they hold is no part of this module's state.
        self._networks = tuple(networks)
        self.stacked = stack_networks(networks, self._masks)
        if block_size is not None and block_size < 1:
            raise InputError(f"block_size is {block_size}; it must be a positive integer")
        _keep_freed_memory()
        self.block_size = block_size
        self._blocks: tuple[tuple[int, nn.Module], ...] = ()
        self._most_rows = 0
        self._link_blocks()

    @property
    def num_replicas(self) -> int:
        """The number R of replicas."""
        return len(self._networks)

    def forward(self, x: Tensor) -> Outputs:
        """Map (B, F) to (R, B, O), or to `HeadOutputs` with (H, R, B, O)."""
        self._masks.start_pass()
        return self.stacked(_feature_major(x))

    def seed_step(self, seeds: Sequence[int] | None) -> None:
        """Seed the dropout of every replica for the coming step, as its own step would seed the global generator.

        Args:
            seeds: One seed per replica; None: all draw from torch's global generator.
        """
        if seeds is not None and len(seeds) != self.num_replicas:
            raise InputError(f"seeds lists {len(seeds)} seeds for {self.num_replicas} replicas; give one each")
        self._masks.seed(seeds)

    def backward(self, x: Tensor, loss: Callable[[Outputs, slice], Tensor]) -> Tensor:
        """Add the gradients of all replicas' losses to the parameters, and return the losses (R,).

        Args:
            x: Batch (B, F).
            loss: Called with outputs (r, B, O), or `HeadOutputs` with (H, r, B, O), and with the slice of replicas that
                they belong to; it returns their losses (r,). One replica's loss must not depend on another's. On a
                processor several threads may call it at a time, where replicas have seeds.
        """
        x = _feature_major(x)
        self._masks.start_pass()
        if x.device.type != "cpu":
            losses = loss(self.stacked(x), slice(0, self.num_replicas))
            losses.sum().backward()
            return losses.detach()
        workers = count_workers() if self._masks.is_seeded else 1
        self._choose_blocks(len(x), workers)
        ends = [*(start for start, _ in self._blocks[1:]), self.num_replicas]
        if workers > 1:
            self._gradients.prepare(self._links)

        def train(place: int) -> Tensor:
            (start, block), links = self._blocks[place], self._links[place]
            if block.training != self.training:  # Lightning sets the mode of each module that it can see
                block.train(self.training)
            losses = loss(block(x), slice(start, ends[place]))
            self._gradients.add(losses.sum(), links)
            return losses.detach()

        return torch.cat(for_each(train, range(len(self._blocks)), workers))

    # One replica -----------------------------------------------------------------------------------------------

    def state(self, replica: int) -> dict[str, Tensor]:
        """Return a copy of the values of one replica, by their names in its own network."""
        return values_of(self.stacked, self._place(replica))

    def load(self, replica: int, state: dict[str, Tensor]) -> None:
        """Take over the values of one replica, as `state` returned them or as its own network's `state_dict`.

        Raises:
            InputError: If a value is missing.
        """
        if missing := self.state(replica).keys() - state.keys():
            raise InputError(f"the state of replica {replica} lacks {', '.join(sorted(missing))}")
        assign_values(self.stacked, replica, state)

    def network(self, replica: int) -> nn.Module:
        """Return an ordinary network with the values that a replica has now."""
        network = copy.deepcopy(self._networks[self._place(replica)])
        some = next(self.stacked.parameters())
        network = network.to(some.device, some.dtype).train(self.training)
        network.load_state_dict(self.state(replica), strict=False)
        return network

    def _place(self, replica: int) -> int:
        if not 0 <= replica < self.num_replicas:
            raise InputError(f"replica is {replica}; there are {self.num_replicas}, numbered from 0")
        return replica

    # What keeps the blocks views of the whole ------------------------------------------------------------------

    def _choose_blocks(self, rows: int, workers: int) -> None:
        """Divide the replicas into blocks; smaller ones where a batch has more rows than any before."""
        if rows <= self._most_rows:
            return
        self._most_rows = rows
        size = self.block_size or _good_block_size(self._networks[0], self.num_replicas, rows, workers)
        starts = range(0, self.num_replicas, size)
        if len(starts) == len(self._blocks):
            return
        self._blocks = tuple(
            (start, stack_networks(self._networks[start : start + size], self._masks, start, True, self.stacked))
            for start in starts
        )
        self._link_blocks()

    def _link_blocks(self) -> None:
        self._links: list[list[Link]] = [link_block(self.stacked, block, start) for start, block in self._blocks]
        self._gradients = Gradients()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)
        self._link_blocks()
        return self

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all replicas."""
        super().train(mode)
        for _, block in self._blocks:
            block.train(mode)
        return self

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._link_blocks()  # copies have storage of their own


def _keep_freed_memory() -> None:
    """Let the C library hand freed memory of up to 32 MiB out again.

    glibc returns large pieces to the system and pays for the pages of the next; it learns from the largest piece that
    was ever freed. What a block of replicas frees in a step would otherwise cost an eighth of the training.
    """
    torch.empty((32 << 20) - (64 << 10), dtype=torch.uint8, device="cpu")  # never touched, so never real


def _good_block_size(network: nn.Module, count: int, rows: int, workers: int) -> int:
    widest = max((getattr(module, "out_features", 1) for module in network.modules()), default=1)
    most = max(_FEWEST, _ENTRIES // (widest * max(rows, _FEWEST_ROWS)))
    blocks = -(-count // most)
    return -(-count // (workers * -(-blocks // workers)))  # as many for every thread, of about the same size


def _feature_major(x: Tensor) -> Tensor:
    """Return (B, F) as the sparse layers read it, so that it is copied once and not by every block."""
    return x.t().contiguous().t() if x.dim() == 2 else x
