"""A linear layer that stores and multiplies only the edges that exist.

Legend of shapes: B batch, E edges, I inputs, O outputs, C channels.
"""

import math
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn

from ...errors import InputError
from .choice import Backend, check_backend, choose_backend
from .initialization import Initialization, initialize_edges_
from .products import DenseLayout, dense_product, dense_weight, edge_linear, without_gradient
from .structure import EdgeStructure

__all__ = ["EdgeLinear"]

_MOST_PLANS = 64


class EdgeLinear(nn.Module):
    """y[o] = bias[o] + sum of weight[e] * x[source of e] over the edges e into o.

    Equal to `torch.nn.Linear` with all other weights fixed at 0, but those others do not exist: they take no memory,
    no time, no optimizer state, and no weight decay or rounding can bring them to life. The values in `weight` lie in
    the order of `edges`. Outputs without edges give their bias.

    Derivatives of any order, `torch.func` transforms, `torch.compile`, export and ONNX work. bfloat16 and float16
    are computed in float32 inside and rounded at the end; under autocast the output has autocast's type.

    The output is feature-major in memory, as the kernels want it: the next sparse layer reads it without a copy;
    `.view` needs `.contiguous()` first, `.reshape` does not.

    Args:
        edges: int64 (2, E), row 0 the input and row 1 the output of each edge, as an `edge_index` of
            torch_geometric; every pair at most once.
        in_features: Number of inputs I.
        out_features: Number of outputs O.
        bias: Whether each output has a trainable bias, initially 0.
        channels: None, or the number C of independent sets of values over the same edges.
        backend: "auto", or one kernel for all calls: "bag" (embedding bags), "csr" (compressed rows: MKL or
            cuSPARSE), "triton" (GPUs; the same bits in every run), "gather" (any device) or "dense" (the values
            scattered into a matrix).
        init: "degree", "glorot" or "dense", see `initialize_edges_`.
        device: As in `torch.nn.Linear`.
        dtype: As in `torch.nn.Linear`.

    Attributes:
        is_bias_lost: Set it where a batch norm follows, which takes any constant away: in training the gradient of the
            bias is then 0 instead of the rounding that is left of it, and that Adam with weight decay amplifies.

    Shape:
        - Input: (..., I); with channels (..., C, I), or (..., 1, I) for all channels alike
        - Output: (..., O); with channels (..., C, O)
        - weight: (E,) or (C, E); bias: (O,) or (C, O)

    Raises:
        InputError: If the edges, a size or an option is unusable, the input does not fit, or a loaded state belongs
            to other edges or to another order of them.

    Example:
        >>> import torch
        >>> from axonlight.models import EdgeLinear
        >>> gene_and_pathway = torch.tensor([[0, 1, 1, 3], [0, 0, 1, 1]])
        >>> layer = EdgeLinear(gene_and_pathway, in_features=4, out_features=2)
        >>> layer(torch.randn(8, 4)).shape, sum(parameter.numel() for parameter in layer.parameters())
        (torch.Size([8, 2]), 6)
    """

    weight: nn.Parameter
    bias: nn.Parameter | None
    edges_digest: Tensor
    is_bias_lost: bool = False

    def __init__(
        self,
        edges: Tensor,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        channels: int | None = None,
        backend: Backend = "auto",
        init: Initialization = "degree",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_backend(backend)
        if channels is not None and channels < 1:
            raise InputError(f"channels is {channels}; it must be None or a positive integer")
        self.structure = EdgeStructure.from_edges(edges, in_features, out_features)
        self.in_features, self.out_features, self.channels = in_features, out_features, channels
        self.backend: Backend = backend
        self.init: Initialization = init
        leading = () if channels is None else (channels,)
        self.weight = nn.Parameter(torch.empty(*leading, self.structure.num_edges, device=device, dtype=dtype))
        if bias:
            self.bias = nn.Parameter(torch.empty(*leading, out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.register_buffer("edges_digest", torch.empty((), dtype=torch.int64, device=device))
        self.reset_parameters()
        self._place_structure()

    def reset_parameters(self) -> None:
        """Draw the weights anew by `init` and set the bias to 0."""
        initialize_edges_(self.weight, self.structure, self.init)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        self.edges_digest.fill_(self.structure.digest)

    @property
    def edges(self) -> Tensor:
        """The edges as given: int64 (2, E)."""
        return self.structure.edges

    def dense_weight(self) -> Tensor:
        """The equal dense matrix (O, I), or (C, O, I); differentiable."""
        return dense_weight(self.weight, self._layout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., I) to (..., O), or (..., C or 1, I) to (..., C, O)."""
        weight = self.weight
        if torch.compiler.is_compiling() or torch.is_autocast_enabled(self._device_type):
            return self._planned_forward(x, None)
        # Small layers take a tenth of a millisecond: what is decided about a kind of input is looked up.
        kind = (x.shape, x.dtype, weight.dtype, self.backend)
        backend = self._plans.get(kind)
        if backend is None:
            return self._planned_forward(x, kind)
        if backend == "dense":
            return torch.nn.functional.linear(x, dense_weight(weight, self._layout), self._used_bias())
        return self._sparse_product(x, weight, self.bias, backend)

    def _used_bias(self) -> Tensor | None:
        return without_gradient(self.bias) if self.is_bias_lost and self.training else self.bias

    def _planned_forward(self, x: Tensor, kind: tuple[Any, ...] | None) -> Tensor:
        """Check the input and choose the kernel; keep the choice for the kind of input, if any is given."""
        weight = self.weight
        if self.channels is not None or x.ndim == 0 or x.shape[-1] != self.in_features:
            x = self._checked(x)
        backend = self._backend_for(x)
        if torch.is_autocast_enabled(x.device.type) or x.dtype != weight.dtype or x.dtype.itemsize < 4:
            return self._converted(x, backend)
        if kind is not None and self.channels is None:
            if len(self._plans) == _MOST_PLANS:
                self._plans.clear()
            self._plans[kind] = backend
        if backend == "dense":
            return dense_product(x, dense_weight(weight, self._layout), self._used_bias())
        return self._sparse_product(x, weight, self.bias, backend)

    def chosen_backend(self, batch: int, device: str = "cpu") -> str:
        """Name the kernel that a call with `batch` samples takes on a type of device ("cpu", "cuda", ...)."""
        if self.backend != "auto":
            return self.backend
        return choose_backend(self.in_features, self.out_features, self.structure.num_edges, batch, device)

    def _backend_for(self, x: Tensor) -> str:
        if torch.compiler.is_exporting():
            return "dense"  # runs wherever the exported program does, without this package
        batch = x.shape[0] if x.ndim == 2 else math.prod(x.shape[:-1]) // (self.channels or 1)
        return self.chosen_backend(batch, x.device.type)

    def _converted(self, x: Tensor, backend: str) -> Tensor:
        """Compute in float32 what is to be returned in a half type, where kernels lack half types or lose by them."""
        device, result = x.device.type, x.dtype
        if torch.is_autocast_enabled(device) and result != torch.float64:
            result = torch.get_autocast_dtype(device)
        elif result != self.weight.dtype:
            raise InputError(
                f"the input has type {result} and the weights {self.weight.dtype}; convert one of them or use autocast"
            )
        compute = torch.float32 if result.itemsize < 4 and (backend != "dense" or device == "cpu") else result
        weight, bias = self.weight.to(compute), self._used_bias()
        bias = None if bias is None else bias.to(compute)
        with torch.autocast(device, enabled=False):
            if backend == "dense":
                return dense_product(x.to(compute), dense_weight(weight, self._layout), bias).to(result)
            return self._sparse_product(x, weight, bias, backend).to(result)

    def _sparse_product(self, x: Tensor, weight: Tensor, bias: Tensor | None, backend: str) -> Tensor:
        if self.channels is None and x.ndim == 2:
            return edge_linear(x, weight, bias, self.structure, backend, self.is_bias_lost and self.training)
        samples = x.reshape(-1, self._blocks.in_features)
        bias = None if bias is None else bias.flatten()
        y = edge_linear(samples, weight.flatten(), bias, self._blocks, backend, self.is_bias_lost and self.training)
        tail = (self.out_features,) if self.channels is None else (self.channels, self.out_features)
        return y.reshape(*x.shape[: x.ndim - len(tail)], *tail)

    def _checked(self, x: Tensor) -> Tensor:
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise InputError(f"the input has shape {tuple(x.shape)}; its last dimension must be {self.in_features}")
        if self.channels is None:
            return x
        if x.ndim == 1 or x.shape[-2] not in (1, self.channels):
            raise InputError(
                f"the input has shape {tuple(x.shape)}; its last dimensions must be ({self.channels} or 1, "
                f"{self.in_features}), one row per channel or one for all"
            )
        return x.expand(*x.shape[:-2], self.channels, self.in_features)

    def _place_structure(self) -> None:
        if not self.weight.is_meta:
            self.structure = self.structure.to(self.weight.device)
        self._device_type = self.structure.source.device.type
        self._plans: dict[tuple[Any, ...], str] = {}
        self._layout = DenseLayout.of(self.structure)
        self._blocks = self.structure if self.channels is None else self.structure.repeated(self.channels)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # The structure is no buffer: data-parallel training would send it at every step.
        super()._apply(fn, recurse)
        self._place_structure()
        return self

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        saved = state_dict.get(f"{prefix}edges_digest")
        if saved is not None and int(saved) != self.structure.digest:
            count = state_dict[f"{prefix}weight"].shape[-1] if f"{prefix}weight" in state_dict else "?"
            raise InputError(
                f"the state of {prefix.rstrip('.') or 'this layer'} belongs to other edges or to another order of them "
                f"({count} there, {self.structure.num_edges} here); build the layer with the edges it was trained with"
            )
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def extra_repr(self) -> str:
        """Sizes and options."""
        density = self.structure.num_edges / (self.in_features * self.out_features)
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, edges={self.structure.num_edges}, "
            f"density={density:.2%}, bias={self.bias is not None}, channels={self.channels}, backend={self.backend!r}"
        )
