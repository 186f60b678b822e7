"""Small convolutional network with an activation that the config names.

Shapes: B batch, C channels, H rows, W columns, F = C * H * W pixels, O outputs.
"""

import math
from collections.abc import Iterator
from typing import Literal, get_args

from torch import Tensor, nn

from ..activations import ActivationSpec, LayerActivations, build_activation
from ..errors import InputError
from .sites import Site

__all__ = ["ConvolutionalNetwork"]

Norm = Literal["batch", "layer", "none"]


class ConvolutionalNetwork(nn.Module):
    """Blocks of convolution, norm, activation and pooling; then the mean over space and one linear layer.

    Convolutions keep the size of the image; pooling halves it as long as both sides are 2 or longer.

    Args:
        in_features: Number of pixels F; on the command line it comes from the data.
        out_features: Width O of the output; on the command line the task decides it.
        channels: Channels that each block puts out.
        kernel_size: Width of the kernels, odd.
        activation: One spec for all blocks, or a list with one spec per block. Every block gets a module of its own.
        norm: Normalisation before the activation: "batch", "layer" (of a sample, over channels and space) or "none".
        pool: What stands for 2 x 2 pixels: their "max" or "average".
        dropout: Share of the channels zeroed in training before the last layer, in [0, 1).
        activation_parameters: Whether an activation with trainable values holds one per "layer" or one per "unit", that
            is, per channel.
        image_shape: Channels, rows and columns of the input; None: a square with one channel or with three, of which
            only one has `in_features` pixels.

    Shape:
        - Input: (B, C, H, W), or (B, F) channel by channel, row by row
        - Output: (B, O)

    Raises:
        InputError: If a size is not positive, `image_shape` has another number of pixels or cannot be told, `dropout`
            is outside [0, 1), or the list of activations does not have one entry per block.

    Example:
        >>> import torch
        >>> network = ConvolutionalNetwork(64, 10, channels=[16, 32], activation="ash(z=0.5)")
        >>> network(torch.zeros(5, 1, 8, 8)).shape, network(torch.zeros(5, 64)).shape
        (torch.Size([5, 10]), torch.Size([5, 10]))
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        channels: list[int] = [16, 32],  # noqa: B006  (a literal default that --print_config can show; never mutated)
        kernel_size: int = 3,
        activation: LayerActivations = "relu",
        norm: Norm = "batch",
        pool: Literal["max", "average"] = "max",
        dropout: float = 0.0,
        activation_parameters: Literal["layer", "unit"] = "layer",
        image_shape: list[int] | None = None,
    ) -> None:
        super().__init__()
        _check(in_features, out_features, channels, kernel_size, norm, dropout)
        self.image_shape = _square(in_features) if image_shape is None else _checked_shape(image_shape, in_features)
        groups = 1 if activation_parameters == "layer" else None
        before, *size = self.image_shape
        blocks: list[nn.Module] = []
        for width, spec in zip(channels, _one_per_block(activation, len(channels)), strict=True):
            halves = min(size) >= 2
            blocks.append(
                nn.Sequential(
                    # a norm subtracts what a bias adds
                    nn.Conv2d(before, width, kernel_size, padding=kernel_size // 2, bias=norm == "none"),
                    _norm(norm, width),
                    build_activation(spec, width=width, groups=groups),
                    (nn.MaxPool2d(2) if pool == "max" else nn.AvgPool2d(2)) if halves else nn.Identity(),
                )
            )
            before, size = width, [side // 2 for side in size] if halves else size
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(before, out_features)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) or (B, F) to (B, O)."""
        images = x.unflatten(1, self.image_shape) if x.dim() == 2 else x
        return self.output(self.dropout(self.blocks(images).mean(dim=(2, 3))))

    def sites(self) -> Iterator[Site]:
        """Yield what goes into ("block_0.pre") and comes out of ("block_0.post") every activation."""
        axes = ("batch", "unit", "height", "width")
        for number, block in enumerate(self.blocks):
            convolution = block.get_submodule("0")
            sizes = {"unit": int(convolution.out_channels)}  # pyright: ignore[reportArgumentType]
            yield Site(f"block_{number}.pre", f"blocks.{number}.2", "input", axes, sizes=sizes)
            yield Site(f"block_{number}.post", f"blocks.{number}.2", "output", axes, sizes=sizes)


def _check(
    in_features: int, out_features: int, channels: list[int], kernel_size: int, norm: str, dropout: float
) -> None:
    for name, value in [("in_features", in_features), ("out_features", out_features)]:
        if value < 1:
            raise InputError(f"{name} is {value}; it must be a positive integer")
    if not channels or any(width < 1 for width in channels):
        raise InputError(f"channels is {list(channels)}; it must list one or more positive integers")
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise InputError(f"kernel_size is {kernel_size}; it must be an odd positive integer")
    if norm not in get_args(Norm):
        raise InputError(f"norm is {norm!r}; it must be 'batch', 'layer' or 'none'")
    if not 0 <= dropout < 1:
        raise InputError(f"dropout is {dropout}; it must lie in [0, 1)")


def _square(pixels: int) -> tuple[int, int, int]:
    for channels in (1, 3):  # the root of 3 is irrational: never both
        side = math.isqrt(pixels // channels)
        if channels * side * side == pixels:
            return channels, side, side
    raise InputError(f"{pixels} pixels are no square of one channel or of three; give image_shape, such as [1, 8, 8]")


def _checked_shape(shape: list[int], pixels: int) -> tuple[int, int, int]:
    if len(shape) != 3 or any(size < 1 for size in shape) or math.prod(shape) != pixels:
        raise InputError(
            f"image_shape is {list(shape)}; it must be [channels, rows, columns], whose product is the {pixels} pixels "
            "of the data"
        )
    channels, rows, columns = shape
    return channels, rows, columns


def _one_per_block(activation: LayerActivations, count: int) -> list[ActivationSpec]:
    if not isinstance(activation, list):
        return [activation] * count
    if len(activation) != count:
        raise InputError(f"activation lists {len(activation)} specs for {count} blocks; give one per block")
    return list(activation)


def _norm(kind: Norm, channels: int) -> nn.Module:
    if kind == "none":
        return nn.Identity()
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.GroupNorm(1, channels)
