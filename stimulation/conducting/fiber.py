"""One stimulus at one site: how much light comes in, who expresses the opsin, and the write itself."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...errors import RunError
from ..gradient import write
from ..scene import Place, Scene

if TYPE_CHECKING:
    from ..protocol import BoundStimulus

__all__ = ["Fiber"]

# Pulses come back to the levels that they had; ramps do not.
_KEPT = 8


class Fiber:
    """Brings the light of one stimulus to one site. It changes at the start of a batch only.

    Args:
        bound: The stimulus and its site.
        scene: The scene of its protocol.

    Attributes:
        gate: float32 (), how much light comes in now; a batched tensor where many arms run as one (`torch.func.vmap`).
        samples: (B,) 0 or 1 (or a gain) for the samples of the batch; None where all are alike.
        lit: Whether any light comes in now; read in eager mode only.

    Example:
        >>> from axonlight.models import DenseNetwork
        >>> from axonlight.stimulation import Protocol, Scene
        >>> protocol = Protocol.build([{"target": {"site": "hidden_0.post", "units": [0]}, "opsin": "silence"}])
        >>> fiber = Fiber(protocol.bind(DenseNetwork(30, 1, hidden=[3]))[0], Scene())
        >>> fiber.set_level(1.0)
        >>> fiber(torch.ones(2, 3)).tolist()
        [[0.0, 1.0, 1.0], [0.0, 1.0, 1.0]]
    """

    def __init__(self, bound: "BoundStimulus", scene: Scene) -> None:
        self.bound = bound
        self.site = bound.site
        self.opsin = bound.stimulus.opsin
        self.rule = bound.stimulus.rule
        self.scene = scene
        self.gate = torch.zeros(())
        self.samples: Tensor | None = None
        self.lit = False
        # Nothing is written, although everything else happens as if: the light of a sham is the control.
        self.is_sham = self.opsin.kind == "sham"
        # sizes of the axes other than the batch, as of the first pass
        self.sizes: dict[str, int] = {}
        self._level: float | None = 0.0
        self._expressions: dict[tuple, Tensor] = {}
        self._least: dict[tuple, float] = {}
        self._lights: dict[tuple, Tensor] = {}
        self._plain_writes: dict[tuple, tuple[Tensor, Tensor] | None] = {}

    def set_level(self, level: float, samples: Tensor | None = None) -> None:
        """Let so much light in; the tensor stays the same one, so that a compiled graph sees it."""
        if samples is not self.samples or len(self._lights) + len(self._plain_writes) > _KEPT:
            self._forget()
        if level != self._level:
            self.gate.fill_(level)
            self._level = level
        self.samples = samples
        self.lit = level != 0.0 and not self.is_sham

    def set_gate(self, gate: Tensor, lit: bool = True) -> None:
        """Use another tensor as gate: one of a whole stack of arms, as `torch.func.vmap` sees it.

        Args:
            gate: float32 (), possibly batched.
            lit: Whether light comes in for any arm.
        """
        self.gate, self.lit, self._level = gate, lit and not self.is_sham, None
        self._forget()

    def to(self, device: torch.device) -> None:
        """Bring the gate to the device of the network."""
        self.gate = self.gate.to(device)

    def note_sizes(self, x: Tensor) -> None:
        """Note the sizes of the axes of an activation."""
        named = zip(self.site.axes_of(x), x.shape, strict=True)
        self.sizes = {axis: size for axis, size in named if axis != "batch"}

    def __call__(self, x: Tensor) -> Tensor:
        """Return the activation with the new values written where light and expression meet."""
        plain = None if torch.compiler.is_compiling() else self._plain_write(x)
        if plain is not None:
            return torch.where(*plain, x)
        axes, batch_dim = self._axes(x)
        place = Place(self.site, axes, self.scene, self.bound.number)
        intensity = self._intensity(x, axes, batch_dim)
        written = intensity != 0
        entries = self.opsin.entries(x, place)
        if entries is not None:
            written = written & entries
        value = self.opsin.value(x, intensity, place)
        if value.shape != x.shape:
            raise RunError(
                f"{self.bound.line}: the opsin gave values of shape {tuple(value.shape)} for an activation of shape "
                f"{tuple(x.shape)}; they must be the same"
            )
        target = self.scene.batch.get("target")
        return write(x, value.to(x.dtype), written, self.rule, target, batch_dim)

    def _plain_write(self, x: Tensor) -> tuple[Tensor, Tensor] | None:
        """Return the entries and the value of full light that sets a value whatever the activation is; else None.

        Most clamps are of this kind: one `torch.where` is all that they need.
        """
        if self._level is None or self.samples is not None or self.rule.kind not in ("block", "natural"):
            return None
        key = (self._level, x.shape, x.dtype, x.device)
        if key not in self._plain_writes:
            axes, batch_dim = self._axes(x)
            with torch.inference_mode(False), torch.no_grad():  # what validation leaves behind, training uses
                constant = self.opsin.constant(x, Place(self.site, axes, self.scene, self.bound.number))
                light = self._light(x, axes, batch_dim)
                is_full = self._level * min(self._least.values()) >= 1
                self._plain_writes[key] = (light != 0, constant) if is_full and constant is not None else None
        return self._plain_writes[key]

    def _axes(self, x: Tensor) -> tuple[tuple[str, ...], int]:
        axes = self.site.axes_of(x)
        return axes, axes.index("batch") if "batch" in axes else 0

    def _forget(self) -> None:
        self._lights.clear()
        self._plain_writes.clear()

    def _intensity(self, x: Tensor, axes: tuple[str, ...], batch_dim: int) -> Tensor:
        """Return light times expression in the dtype of x, broadcastable to it."""
        if torch.compiler.is_compiling() or self._level is None or self.samples is not None:
            return self._light(x, axes, batch_dim)
        key = (self._level, x.shape[:batch_dim] + x.shape[batch_dim + 1 :], x.dtype, x.device)
        if key not in self._lights:
            with torch.inference_mode(False), torch.no_grad():
                self._lights[key] = self._light(x, axes, batch_dim)
        return self._lights[key]

    def _light(self, x: Tensor, axes: tuple[str, ...], batch_dim: int) -> Tensor:
        sizes = tuple(size for place, size in enumerate(x.shape) if place != batch_dim)
        expression = self._expression(sizes, tuple(axis for axis in axes if axis != "batch"), x.device)
        light = self.gate.to(x.device) * expression.unsqueeze(batch_dim)
        if self.samples is not None:
            shape = [-1 if place == batch_dim else 1 for place in range(len(axes))]
            light = light * self.samples.to(x.device).reshape(shape)
        return light.to(x.dtype)

    def _expression(self, sizes: tuple[int, ...], axes: tuple[str, ...], device: torch.device) -> Tensor:
        key = (sizes, axes, device)
        if torch.compiler.is_compiling() or key not in self._expressions:
            self._prepare(sizes, axes, device)
        return self._expressions[key]

    # Chosen units are looked up in Python, once for every shape. This runs while a graph is traced, and the graph reads
    # the tensor that it left behind: a constant of the graph would be that of other networks, too, which share graphs.
    @torch.compiler.assume_constant_result
    def _prepare(self, sizes: tuple[int, ...], axes: tuple[str, ...], device: torch.device) -> bool:
        key = (sizes, axes, device)
        if key not in self._expressions:
            self.sizes = dict(zip(axes, sizes, strict=True))
            with torch.inference_mode(False), torch.no_grad():
                expression = self.bound.expression(self.sizes)
            self._least[key] = float(expression[expression > 0].min()) if (expression > 0).any() else 0.0
            self._expressions[key] = expression.to(device)
        return True
