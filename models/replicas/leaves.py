"""What the leaves of a network become when many networks are one: each holds the values of all replicas.

The first dimension of every value is the replica, but for the weights of a sparse layer, which lie one replica after
the other. Batches are (R, B, N) and lie in memory as (R, N, B); what all replicas share is (B, N).
Legend of shapes: R replicas, B batch, I inputs, O outputs, N units.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

from ..layers import EdgeLinear, EdgeStructure
from ..layers.choice import choose_sparse_backend
from ..layers.products import edge_linear
from .masks import StepMasks

__all__ = [
    "StackedBatchNorm",
    "StackedDropout",
    "StackedEdgeLinear",
    "StackedLayerNorm",
    "StackedLeaf",
    "StackedLinear",
]


class StackedLeaf(nn.Module):
    """Base of the stacked leaves: finds the values of a replica again, under their names in its own network.

    Args:
        modules: The leaf of every replica.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        nn.Module.__init__(self)  # not what else a leaf inherits
        self.count = len(modules)

    def stack_values(self, modules: Sequence[nn.Module]) -> None:
        """Take over parameters and buffers, one row per replica."""
        for name, value in modules[0].named_parameters(recurse=False):
            stacked = torch.stack([module.get_parameter(name).detach() for module in modules])
            self.register_parameter(name, nn.Parameter(stacked, value.requires_grad))
        for name, _ in modules[0].named_buffers(recurse=False):
            self.register_buffer(name, torch.stack([module.get_buffer(name) for module in modules]))

    def rows(self, name: str, first: int, last: int) -> slice:
        """Return where a value of replicas from `first` to before `last` lies along its first dimension."""
        return slice(first, last)

    def values(self, replica: int) -> dict[str, Tensor]:
        """Return copies of the values of one replica, by their names in the replica's own leaf."""
        tensors = {**self._parameters, **self._buffers}
        return {name: tensor[replica].detach().clone() for name, tensor in tensors.items() if tensor is not None}

    def assign(self, replica: int, name: str, value: Tensor) -> None:
        """Set a value of one replica, given as in the replica's own leaf."""
        tensor = {**self._parameters, **self._buffers}[name]
        if tensor is not None:
            tensor.detach()[replica].copy_(value)


class StackedEdgeLinear(StackedLeaf):
    """Sparse layers as one: over a shared input (B, I) their rows are stacked, else they are diagonal blocks."""

    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(self, modules: Sequence[EdgeLinear]) -> None:
        super().__init__(modules)
        first = modules[0]
        self.in_features, self.out_features, self.backend = first.in_features, first.out_features, first.backend
        self.starts = [0, *accumulate(module.structure.num_edges for module in modules)]
        # Sorted by output, as the kernels read them; the empty order says that they already are.
        self._orders = [module.structure.output_order.long().cpu() for module in modules]
        self.weight = nn.Parameter(torch.cat([module.weight.detach() for module in modules]))
        for replica, module in enumerate(modules):
            self.assign(replica, "weight", module.weight.detach())
        bias = None if first.bias is None else nn.Parameter(torch.stack([_bias(module).detach() for module in modules]))
        self.is_bias_lost = first.is_bias_lost
        self.register_parameter("bias", bias)
        self._edges = [
            module.edges.cpu()[:, order] if len(order) else module.edges.cpu()
            for module, order in zip(modules, self._orders, strict=True)
        ]
        self._structures: dict[bool, EdgeStructure] = {}

    def structure(self, is_shared: bool) -> EdgeStructure:
        """Return the edges of all replicas, for one shared input or for one input per replica."""
        device = self.weight.device
        if is_shared not in self._structures:
            inputs, outputs = (0 if is_shared else self.in_features), self.out_features
            step = torch.tensor([[inputs], [outputs]])
            edges = torch.cat([edges + place * step for place, edges in enumerate(self._edges)], dim=1)
            width = self.in_features * (1 if is_shared else self.count)
            self._structures[is_shared] = EdgeStructure.from_edges(edges, width, outputs * self.count)
        structure = self._structures[is_shared]
        if structure.source.device != device:
            structure = self._structures[is_shared] = structure.to(device)
        return structure

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, I) or (R, B, I) to (R, B, O)."""
        is_shared = x.dim() == 2
        samples = x if is_shared else x.mT.flatten(0, 1).t()
        structure = self.structure(is_shared)
        backend = choose_sparse_backend(self.backend, x.device.type)
        # Kernels lack half types.
        compute = self.weight.dtype if self.weight.dtype.itemsize >= 4 else torch.float32
        bias = None if self.bias is None else self.bias.flatten().to(compute)
        is_bias_lost = self.is_bias_lost and self.training
        with torch.autocast(x.device.type, enabled=False):
            y = edge_linear(samples, self.weight.to(compute), bias, structure, backend, is_bias_lost)
        y = y.to(self.weight.dtype)
        return y.t().unflatten(0, (self.count, self.out_features)).mT

    def rows(self, name: str, first: int, last: int) -> slice:
        """Weights lie by the numbers of edges."""
        return slice(self.starts[first], self.starts[last]) if name == "weight" else slice(first, last)

    def values(self, replica: int) -> dict[str, Tensor]:
        """Return copies of the values of one replica, the weights in the order of its own edges."""
        weight, order = self.weight.detach()[self.rows("weight", replica, replica + 1)].clone(), self._order(replica)
        if len(order):
            weight = torch.empty_like(weight).index_copy_(0, order, weight)
        bias = {} if self.bias is None else {"bias": self.bias.detach()[replica].clone()}
        return {"weight": weight, **bias}

    def assign(self, replica: int, name: str, value: Tensor) -> None:
        """Set a value of one replica, weights given in the order of its own edges."""
        if name != "weight":
            super().assign(replica, name, value)
            return
        order = self._order(replica).to(value.device)
        self.weight.detach()[self.rows("weight", replica, replica + 1)].copy_(value[order] if len(order) else value)

    def _order(self, replica: int) -> Tensor:
        return self._orders[replica].to(self.weight.device)


def _bias(module: Any) -> Tensor:
    return module.bias


class StackedLinear(StackedLeaf):
    """Dense layers as one batched product."""

    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(self, modules: Sequence[nn.Linear]) -> None:
        super().__init__(modules)
        self.register_parameter("bias", None)
        self.stack_values(modules)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, I) or (R, B, I) to (R, B, O)."""
        columns = x.mT
        if x.dim() == 2:
            y = (self.weight.flatten(0, 1) @ columns).unflatten(0, self.weight.shape[:2])
            return (y if self.bias is None else y + self.bias.unsqueeze(-1)).mT
        if self.bias is None:
            return torch.bmm(self.weight, columns).mT
        return torch.baddbmm(self.bias.unsqueeze(-1), self.weight, columns).mT


class StackedBatchNorm(StackedLeaf, nn.modules.batchnorm._BatchNorm):
    """Batch normalisation, whose statistics belong to one unit of one replica anyway."""

    def __init__(self, modules: Sequence[nn.BatchNorm1d]) -> None:
        first = modules[0]
        StackedLeaf.__init__(self, modules)
        self.eps, self.momentum, self.affine = first.eps, first.momentum, first.affine
        self.num_features, self.track_running_stats = first.num_features, first.track_running_stats
        for name in ("weight", "bias"):
            self.register_parameter(name, None)
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, None)
        self.stack_values(modules)

    def check(self, x: Tensor) -> None:
        """Refuse a batch of one row, as batch normalisation alone does."""
        if x.shape[-2] < 2:
            raise ValueError(f"batch normalisation needs two rows or more in training; the input is {tuple(x.shape)}")

    def update(self, mean: Tensor, variance: Tensor) -> None:
        """Update the running statistics by the means and unbiased variances (R * N,) of a batch."""
        share = self._next_share()
        if self.running_mean is not None and self.running_var is not None:
            self.running_mean.view(-1).lerp_(mean, share)
            self.running_var.view(-1).lerp_(variance, share)

    def _next_share(self) -> float:
        """Count a training batch; return what it counts in the running statistics."""
        if self.num_batches_tracked is None:
            return 0.0 if self.momentum is None else self.momentum
        self.num_batches_tracked.add_(1)
        return self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked[0])

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (torch's own name for it)
        """Normalise (R, B, N) over the samples."""
        x = input.expand(self.count, -1, -1)
        uses_batch = self.training or self.running_mean is None
        share = self._next_share() if self.training else 0.0
        if uses_batch:
            self.check(x)
        tensors = (self.running_mean, self.running_var, self.weight, self.bias)
        mean, variance, weight, bias = (None if tensor is None else tensor.flatten() for tensor in tensors)
        # As one "image" per unit, whose pixels are the samples, it is read where it lies.
        images = x.mT.reshape(1, -1, x.shape[1])
        y = nn.functional.batch_norm(images, mean, variance, weight, bias, uses_batch, share, self.eps)
        return y.view(self.count, -1, x.shape[1]).mT


class StackedLayerNorm(StackedLeaf):
    """Layer normalisation, over the units of one replica."""

    weight: nn.Parameter | None
    bias: nn.Parameter | None

    def __init__(self, modules: Sequence[nn.LayerNorm]) -> None:
        super().__init__(modules)
        self.eps = modules[0].eps
        for name in ("weight", "bias"):
            self.register_parameter(name, None)
        self.stack_values(modules)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (R, B, N) over the units."""
        centred = x - x.mean(-1, keepdim=True)
        y = centred * torch.rsqrt(centred.square().mean(-1, keepdim=True) + self.eps)
        y = y if self.weight is None else y * self.weight.unsqueeze(1)
        return y if self.bias is None else y + self.bias.unsqueeze(1)


class StackedDropout(StackedLeaf):
    """Dropout with the masks that each replica would draw alone.

    Args:
        modules: The leaf of every replica.
        masks: Where the masks come from.
        first: Place of the first of these replicas among all.
    """

    def __init__(self, modules: Sequence[nn.Dropout], masks: StepMasks, first: int) -> None:
        super().__init__(modules)
        self.p, self.masks, self.first = modules[0].p, masks, first

    def forward(self, x: Tensor) -> Tensor:
        """Zero a share p of the entries of (R, B, N) in training."""
        if not self.training or self.p == 0:
            return x
        like = x.detach().expand(self.count, -1, -1)[0].mT
        return x * self.masks.draw(self.first, self.count, like, self.p).mT

    def draw(self, like: Tensor, factor: float) -> Tensor | None:
        """Return masks (R, N, B), or (1, N, B) for all, times a factor; None where nothing is dropped."""
        if not self.training or self.p == 0:
            return None
        return self.masks.draw(self.first, self.count, like, self.p, factor)
