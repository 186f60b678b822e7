"""The hook at a site: writes what the protocol says, and lets others read what is there."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import RunError
from ..scene import Scene
from .fiber import Fiber
from .statistics import summary

__all__ = ["Stimulator", "Traffic"]


@dataclass
class Traffic:
    """What the passes through a network are for, seen by all stimulators of a protocol.

    Args:
        source: Name of the source that the running pass is for; None in the pass of the task itself.
        paused: Whether nothing of this protocol acts, because another protocol looks at the network unperturbed.
    """

    source: str | None = None
    paused: bool = False


@dataclass
class Reading:
    """What is read at a place.

    Args:
        captured: Sites (names of this place) whose activation other opsins of the same pass read.
        sourced: Sites by the name of the source that they are read for.
        sensed: Whether mean, standard deviation and rate are asked for.
        averaged: Whether the mean over the batch before anything is written is asked for.
    """

    captured: set[str] = field(default_factory=set)
    sourced: dict[str, set[str]] = field(default_factory=dict)
    sensed: bool = False
    averaged: bool = False


class Stimulator:
    """All that a protocol does at one side of one module. It is a hook, no part of the network.

    In eager mode it looks at one flag and returns, as long as nothing is lit or read. Compiled, it never looks at
    Python values that change: the light comes in through gates, which are tensors.

    A copy of a network, however it is made (`copy.deepcopy`, pickling), is not stimulated: copies of the hook do
    nothing.

    Args:
        path: Path of the module.
        side: "input" or "output".
        scene: The scene of the protocol.
        traffic: What passes are for.

    Attributes:
        fibers: The stimuli in the order in which they act.
        active: Whether anything is lit or read in this batch; read in eager mode only.
        fired: Whether a pass, or a compiler that traced it, came by since it was last set to False.
        traced: Whether a compiler ever came by: its graphs may serve again, and do not tell.
        sensed: Mean, standard deviation and rate (share of entries above 0) of the last pass, (3,) float32.
        average: Mean over the batch of the last pass before anything was written, in the shape of a sample.

    Example:
        >>> from axonlight.models import DenseNetwork
        >>> import copy
        >>> network = DenseNetwork(30, 1, hidden=[3])
        >>> handle = network.layers[0].register_forward_hook(Stimulator("layers.0", "output", Scene()).on_output)
        >>> hook, = copy.deepcopy(network).layers[0]._forward_hooks.values()
        >>> hook.__self__.fibers
        []
    """

    def __init__(self, path: str, side: str, scene: Scene, traffic: Traffic | None = None) -> None:
        self.path, self.side = path, side
        self.scene = scene
        self.traffic = traffic or Traffic()
        self.fibers: list[Fiber] = []
        self.reading = Reading()
        self.active = False
        self.fired = self.traced = False
        self.sensed: Tensor | None = None
        self.average: Tensor | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Stimulator, (self.path, self.side, Scene())

    def on_output(self, module: nn.Module, args: Any, output: Any) -> Any:
        """Forward hook: return what the module puts out, written over; the first of several outputs is the site."""
        if not torch.compiler.is_compiling():
            if not self.fired:
                self._arrive(output)
            if not self.active:
                return None
        else:
            self._trace()
        if isinstance(output, Tensor):
            return self.through(output)
        if isinstance(output, (tuple, list)) and output and isinstance(output[0], Tensor):
            rest = (self.through(output[0]), *output[1:])
            return type(output)(*rest) if hasattr(output, "_fields") else type(output)(rest)
        raise RunError(f"site {self.path} put out a {type(output).__name__}; a site needs a tensor")

    def on_input(self, module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Forward pre-hook: return what goes into the module, written over; its first tensor is the site."""
        if not torch.compiler.is_compiling():
            if not self.fired:
                self._arrive((*args, *kwargs.values()))
            if not self.active:
                return None
        else:
            self._trace()
        if args and isinstance(args[0], Tensor):
            return (self.through(args[0]), *args[1:]), kwargs
        for name, value in kwargs.items():
            if isinstance(value, Tensor):
                return args, {**kwargs, name: self.through(value)}
        raise RunError(f"site {self.path}:input was given no tensor; a site needs one")

    def through(self, x: Tensor) -> Tensor:
        """Return the activation as the network goes on with it."""
        if self.traffic.source is not None:
            for name in self.reading.sourced.get(self.traffic.source, ()):
                self.scene.sources[self.traffic.source, name] = x
            return x
        if self.traffic.paused:
            return x
        if self.reading.averaged:
            self.average = x.detach().float().mean(self.fibers[0].site.axes_of(x).index("batch"))
        if self.fibers and not x.is_floating_point():
            raise RunError(f"{self.fibers[0].bound.line}: the activation is {x.dtype}; only floating types are written")
        compiling = torch.compiler.is_compiling()
        for fiber in self.fibers:
            if compiling or fiber.lit:  # in this order: a graph must not depend on the flag
                x = fiber(x)
        for name in self.reading.captured:
            self.scene.captured[name] = x
        if self.reading.sensed:
            self.sensed = summary(x)
        return x

    def decide(self, read: set[str], due: set[str], training: bool) -> None:
        """Decide whether anything is to be done in a batch.

        Args:
            read: Sites that lit stimuli read.
            due: Sources whose passes are due.
            training: Whether statistics are gathered.
        """
        self.active = (
            any(fiber.lit for fiber in self.fibers)
            or not self.reading.captured.isdisjoint(read)
            or not due.isdisjoint(self.reading.sourced)
            or (training and (self.reading.sensed or self.reading.averaged))
        )

    def darken(self) -> None:
        """Let no light in and read nothing, for graphs that go on calling it too."""
        for fiber in self.fibers:
            fiber.set_level(0.0)
        self.active = False

    def _arrive(self, values: Any) -> None:
        """Note that an activation came by, and its sizes."""
        self.fired = True
        several = values if isinstance(values, (tuple, list)) else (values,)
        first = next((value for value in several if isinstance(value, Tensor)), None)
        for fiber in self.fibers:
            if first is not None:
                fiber.note_sizes(first)

    # Run while a graph is traced, not by the graph: it says that the compiler saw the hook.
    @torch.compiler.assume_constant_result
    def _trace(self) -> bool:
        self.traced = self.fired = True
        return True
