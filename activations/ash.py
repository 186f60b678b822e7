"""ASH: an activation that lets through what stands out within its own sample.

Legend of shapes: B batch, F features, T tokens, D model width, C channels, H x W space, N nodes in all.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Literal

import torch
from torch import Tensor, nn

from ..errors import InputError
from ._ash_compiled import CompiledAsh
from ._ash_function import Ash, AshOptions, composed_ash
from .base import Activation
from .quantile import sample_quantile
from .statistics import Dims, align_mask, reduced_dimensions, sample_statistics, statistics_dtype

__all__ = ["ASH", "ash", "percentile_to_z", "z_to_percentile"]

Mode = Literal["smooth", "hard", "leaky"]
Threshold = Literal["normal", "quantile"]
_ALLOWED = {
    "dims": ("sample", "channel", "last"),
    "mode": ("smooth", "hard", "leaky"),
    "threshold": ("normal", "quantile"),
    "trainable": (True, False, "z", "alpha"),
}


def percentile_to_z(percent: float) -> float:
    """Return the z at which the top `percent` % of a normally distributed sample pass.

    Raises:
        InputError: If `percent` is not strictly between 0 and 100.

    Example:
        >>> from axonlight.activations import percentile_to_z
        >>> round(percentile_to_z(2.5), 2), abs(round(percentile_to_z(50.0), 2))
        (1.96, 0.0)
    """
    if not 0 < percent < 100:
        raise InputError(f"percent is {percent}; it must lie strictly between 0 and 100")
    return -NormalDist().inv_cdf(percent / 100)


def z_to_percentile(z: float) -> float:
    """Return the percentage of a normally distributed sample that lies above mean + z standard deviations.

    Example:
        >>> from axonlight.activations import z_to_percentile
        >>> round(z_to_percentile(1.96), 2), z_to_percentile(0.0)
        (2.5, 50.0)
    """
    return 50.0 * math.erfc(z / math.sqrt(2))


def _one_of(key: str, value: object) -> None:
    if not any(value is choice or value == choice for choice in _ALLOWED[key]):
        raise InputError(f"{key} is {value!r}; it must be one of {', '.join(map(repr, _ALLOWED[key]))}")


def ash(
    x: Tensor,
    z: float | Tensor = 0.0,
    alpha: float | Tensor = 1.0,
    *,
    dims: Dims = "sample",
    mode: Mode = "smooth",
    eps: float = 1e-5,
    mask: Tensor | None = None,
    batch: Tensor | None = None,
    channel_dim: int | None = None,
    threshold: Threshold = "normal",
    negative_slope: float = 0.01,
) -> Tensor:
    """Compute x * sigmoid(2 alpha (x - mu - z sigma)) with each sample's own mu and sigma (arXiv 2210.11672).

    Args:
        x: (B, F), (B, T, D), (B, C, H, W) or longer; (N, F) with `batch`. Any floating type: half types are
            computed in float32.
        z: Threshold in standard deviations above the mean; a number or a tensor that broadcasts over `x`.
        alpha: Steepness, positive; a number or a tensor that broadcasts over `x`.
        dims: What one mu and sigma cover, as in `ASH`.
        mode: "smooth", "hard" or "leaky", as in `ASH`.
        eps: Added to the variance inside the root.
        mask: Boolean, True = counts; (B, T) for (B, T, D), or any shape that broadcasts to the input's. What
            does not count has no influence and comes out as 0.
        batch: int64 (N,), the graph of each row of (N, F): statistics are then per graph.
        channel_dim: Dimension of the units for dims="channel".
        threshold: "normal" (mu + z sigma) or "quantile" (the exact one), as in `ASH`.
        negative_slope: Smallest gate in leaky mode.

    Returns:
        A tensor of the input's shape and type.

    Raises:
        InputError: If an option is unknown, or does not fit the input's shape.

    Example:
        >>> import torch
        >>> from axonlight.activations import ash
        >>> ash(torch.tensor([[0.0, 1.0, 2.0, 5.0]]), z=1.0, alpha=100.0)
        tensor([[0., 0., 0., 5.]])
    """
    dtype = statistics_dtype(x.dtype)
    z = z.to(dtype) if isinstance(z, Tensor) else torch.tensor([z], dtype=dtype, device=x.device)
    alpha = alpha.to(dtype) if isinstance(alpha, Tensor) else torch.tensor([alpha], dtype=dtype, device=x.device)
    plain = mask is None and batch is None and threshold == "normal"
    # Subclasses of Tensor (fake, distributed) and compilers get the operators, which they know how to treat.
    if plain and type(x) is Tensor and not torch.compiler.is_compiling():
        if mode not in _ALLOWED["mode"]:
            _one_of("mode", mode)
        leak = negative_slope if mode == "leaky" else 0.0
        options = AshOptions(reduced_dimensions(x, dims, channel_dim), eps, mode, leak)
        return Ash.apply(x, z, alpha, options)[0]  # pyright: ignore[reportIndexIssue]
    _one_of("mode", mode)
    _one_of("threshold", threshold)
    if plain and torch.compiler.is_compiling() and not torch.compiler.is_exporting():
        leak = negative_slope if mode == "leaky" else 0.0
        return CompiledAsh.apply(x, z, alpha, AshOptions(reduced_dimensions(x, dims, channel_dim), eps, mode, leak))
    if mask is not None:
        mask = align_mask(mask, x)
        x = torch.where(mask, x, 0)  # whatever fills the padding, NaN included, ends here
    if threshold == "quantile":
        if batch is not None:
            raise InputError("threshold='quantile' takes no batch vector; call it once per graph")
        level = sample_quantile(x, z, reduced_dimensions(x, dims, channel_dim), mask)
    else:
        mean, std = sample_statistics(x, dims, eps=eps, mask=mask, batch=batch, channel_dim=channel_dim)
        level = mean + z * std
    return composed_ash(x, level, alpha, mode, negative_slope)


class ASH(Activation):
    """x * sigmoid(2 alpha (x - mu - z sigma)): a trainable, sample-wise soft threshold.

    mu and sigma = sqrt(population variance + eps) belong to one sample (or channel, or token, or graph), so
    batch-mates have no influence and training and evaluation agree. Under a normal model the top k percent of
    a sample pass, k and z being tied by `percentile_to_z`. Large alpha gives the hard rectifier, alpha near 0
    gives x / 2, and alpha = 1/2 with a threshold of 0 gives SiLU.

    After a BatchNorm or LayerNorm mu is near 0 and sigma near 1: ASH then degenerates to Swish with a learned
    bias, x * sigmoid(2 alpha (x - z)). Place it before the normalisation where the statistics should matter.

    Source: K. Lee, J. Yang, H. Lee, J. Y. Hwang, "Stochastic Adaptive Activation Function", NeurIPS 2022,
    arXiv 2210.11672; nothing in it is random. It is NOT "ASH: Extremely Simple Activation Shaping", the
    out-of-distribution detection method of the same abbreviation.

    Args:
        z: Initial threshold in standard deviations above the mean.
        alpha: Initial steepness; positive, and kept so as the softplus of the trained value.
        dims: What one mu and sigma cover: "sample" (all but the batch), "channel" (per sample and unit, over
            the rest; not for (B, F)) or "last" (the last dimension).
        mode: "smooth"; "hard" (x where x >= mu + z sigma, else 0, with the smooth gradient: straight-through)
            or "leaky" (the gate is negative_slope + (1 - negative_slope) * sigmoid).
        trainable: True, False, "z" (alpha stays fixed) or "alpha" (z stays fixed). What is fixed is a buffer.
        num_parameters: 1, or one z and alpha per unit.
        eps: Added to the variance inside the root; positive.
        groups: One label per unit; units with the same label share z and alpha.
        channel_dim: Dimension of the units, see `axonlight.activations.base.unit_dimension`.
        threshold: "normal", or "quantile": the sample's exact quantile at the normal probability of z in
            place of mu + z sigma. It sorts every sample: a reference for how well the normal model fits.
        negative_slope: Smallest gate in leaky mode, in [0, 1).

    Shape:
        (B, F), (B, T, D), (B, C, H, W) or longer, or (N, F) with a batch vector; the output is the same.

    Raises:
        InputError: If an option is unknown or a number out of range.

    Example:
        >>> import torch
        >>> from axonlight.activations import ASH
        >>> x_BTD = torch.randn(2, 5, 8)
        >>> token_is_real = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
        >>> y_BTD = ASH(z=0.5, dims="last")(x_BTD, mask=token_is_real)
        >>> y_BTD.shape, y_BTD[1, 3:].abs().max().item()
        (torch.Size([2, 5, 8]), 0.0)
    """

    gated = True
    z: Tensor
    raw_alpha: Tensor

    def __init__(
        self,
        z: float = 0.0,
        alpha: float = 1.0,
        *,
        dims: Dims = "sample",
        mode: Mode = "smooth",
        trainable: bool | Literal["z", "alpha"] = True,
        num_parameters: int = 1,
        eps: float = 1e-5,
        groups: Sequence[int | str] | None = None,
        channel_dim: int | None = None,
        threshold: Threshold = "normal",
        negative_slope: float = 0.01,
    ) -> None:
        super().__init__(num_parameters, groups, channel_dim)
        for key, value in (
            ("dims", dims),
            ("mode", mode),
            ("threshold", threshold),
            ("trainable", trainable),
        ):
            _one_of(key, value)
        self._check_numbers(z, alpha, eps, negative_slope)
        self.dims: Dims = dims
        self.mode: Mode = mode
        self.trainable = trainable
        self.eps = eps
        self.threshold: Threshold = threshold
        self.negative_slope = negative_slope
        # Inverse of softplus, which is the identity above 20 in torch as well.
        raw = alpha if alpha > 20 else math.log(math.expm1(alpha))
        for name, value, train in (
            ("z", z, trainable in (True, "z")),
            ("raw_alpha", raw, trainable in (True, "alpha")),
        ):
            tensor = torch.full((self.num_parameters,), float(value))
            if train:
                self.register_parameter(name, nn.Parameter(tensor))
            else:
                self.register_buffer(name, tensor)

    @staticmethod
    def _check_numbers(z: float, alpha: float, eps: float, negative_slope: float) -> None:
        if not math.isfinite(z):
            raise InputError(f"z is {z}; it must be finite")
        if not (math.isfinite(alpha) and alpha > 0):
            raise InputError(f"alpha is {alpha}; it must be positive and finite")
        if not eps > 0:
            raise InputError(f"eps is {eps}; it must be positive")
        if not 0 <= negative_slope < 1:
            raise InputError(f"negative_slope is {negative_slope}; it must lie in [0, 1)")

    @property
    def alpha(self) -> Tensor:
        """Steepness, (num_parameters,), always positive."""
        return nn.functional.softplus(self.raw_alpha)

    def forward(self, x: Tensor, mask: Tensor | None = None, batch: Tensor | None = None) -> Tensor:
        """Gate `x`; `mask` (True = counts) and `batch` (graph of each row) as in `ash`."""
        return ash(
            x,
            self.per_unit(self.z, x),
            self.per_unit(self.alpha, x),
            dims=self.dims,
            mode=self.mode,
            eps=self.eps,
            mask=mask,
            batch=batch,
            channel_dim=self.channel_dim,
            threshold=self.threshold,
            negative_slope=self.negative_slope,
        )

    def extra_repr(self) -> str:
        """Options, and how many values z and alpha hold."""
        keys = ("dims", "mode", "trainable", "num_parameters", "threshold")
        return ", ".join(f"{key}={getattr(self, key)!r}" for key in keys)
