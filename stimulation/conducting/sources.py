"""Other passes that a pass takes values from: unperturbed, of the batch before, of another checkpoint."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from ...models import Site, find_sites
from ..opsins.base import source_name
from ..scene import Scene
from .fiber import Fiber
from .grafts import load_graft
from .stimulator import Stimulator, Traffic

__all__ = ["Need", "SourcePasses"]


class Need:
    """What one stimulus at one site takes from another pass.

    Args:
        fiber: The stimulus at its site.
        need: What the opsin says, see `Opsin.needs_source`.
        site: Name of the site where values are taken.
        detach: Whether no gradient flows into the other pass.
    """

    def __init__(self, fiber: Fiber, need: Mapping[str, Any], site: str, detach: bool) -> None:
        self.fiber, self.need, self.site = fiber, dict(need), site
        self.source = source_name(need)
        self.detach = detach or need["pass"] != "first"  # noqa: S105


class SourcePasses:
    """Runs the passes whose values a lit stimulus needs, before the task's own pass, and puts them into the scene.

    "first": the same input through the same weights with nothing lit. Random numbers and batch statistics are put back
    after it: the task's own pass draws the dropout masks that it would draw alone, and the first pass the same ones.
    Values are part of the graph unless every opsin that reads them detaches them.

    "batch": the input of the training batch before through the weights of now, without gradient. Before there is one,
    the batch itself; where it had fewer samples, they are repeated.

    "checkpoint": the same input through a frozen copy of the network with weights of a checkpoint, in evaluation mode.

    Compiled, the passes are part of the graph and run whether lit or not; dropout draws other numbers in each.

    Args:
        network: The network.
        scene: The scene of the protocol.
        traffic: What passes are for.
        needs: What is needed.

    Raises:
        InputError: If a checkpoint cannot be read or does not fit.
    """

    def __init__(self, network: nn.Module, scene: Scene, traffic: Traffic, needs: Sequence[Need]) -> None:
        self.scene, self.traffic = scene, traffic
        self.needs = list(needs)
        self.due: set[str] = set()
        self.others: list[Traffic] = []
        self.previous: tuple[tuple, dict] | None = None
        self.latest: tuple[tuple, dict] | None = None
        self._network = network
        self._grafts: dict[str, nn.Module] = {}
        self._names = list(dict.fromkeys(need.source for need in self.needs))
        self._without_gradient = {name: all(n.detach for n in self.needs if n.source == name) for name in self._names}

    def load(self) -> None:
        """Build the frozen copies of checkpoints; a second call changes nothing."""
        for need in self.needs:
            if need.source.startswith("checkpoint:") and need.source not in self._grafts:
                graft = load_graft(self._network, need.need["path"], need.fiber.bound.line)
                sites = [other.site for other in self.needs if other.source == need.source]
                for site in find_sites(graft, sites):
                    _read_at(graft, site, need.source, self.scene)
                self._grafts[need.source] = graft

    def choose(self, acting_on: Callable[[nn.Module], list[Stimulator]]) -> None:
        """Find out which passes are due in a batch, and who must be quiet in them: stimulators of other protocols.

        Args:
            acting_on: Returns all stimulators on a network.
        """
        self.due = {need.source for need in self.needs if need.fiber.lit}
        if self.due:
            traffics = {id(item.traffic): item.traffic for item in acting_on(self._network)}
            self.others = [traffic for traffic in traffics.values() if traffic is not self.traffic]

    def state_dict(self) -> dict[str, Any]:
        """Return the input of the batch before, where it is needed; that of the first process."""
        previous = self.latest or self.previous
        if previous is None:
            return {"previous": None}
        args, kwargs = previous
        return {
            "previous": [[_plain(value) for value in args], {name: _plain(value) for name, value in kwargs.items()}]
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        if state["previous"] is not None:
            args, kwargs = state["previous"]
            self.previous = (tuple(args), dict(kwargs))

    def advance(self) -> None:
        """Take the input of the last training pass for the batch before."""
        if self.latest is not None:
            self.previous, self.latest = self.latest, None

    def before_pass(self, module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        """Pre-hook of the network: run the passes that are due."""
        compiling = torch.compiler.is_compiling()
        for name in self._names:
            if compiling or name in self.due:
                self._run(name, module, args, kwargs)
        if "batch" in self._names and module.training:
            self.latest = (args, kwargs)

    def _run(self, name: str, module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        if name in self._grafts:
            with torch.no_grad():
                self._grafts[name](*args, **kwargs)
            return
        if name == "batch" and self.previous is not None:
            args, kwargs = _with_rows(self.previous, _rows(args, kwargs), self.scene.step_seed.device)
        self.traffic.source = name
        for other in self.others:
            other.paused = True
        quiet = torch.no_grad() if self._without_gradient[name] else nullcontext()
        undisturbed = nullcontext() if torch.compiler.is_compiling() else _undisturbed(module)
        try:
            with quiet, undisturbed:
                module.forward(*args, **kwargs)
        finally:
            self.traffic.source = None
            for other in self.others:
                other.paused = False


def _read_at(network: nn.Module, site: Site, source: str, scene: Scene) -> None:
    """Put what passes at a site of a copy into the scene."""
    reader = Stimulator(site.path, site.side, scene, Traffic(source))
    reader.reading.sourced[source] = {site.name}
    reader.active = True
    module = network.get_submodule(site.path)
    if site.side == "input":
        module.register_forward_pre_hook(reader.on_input, with_kwargs=True)
    else:
        module.register_forward_hook(reader.on_output)


@contextmanager
def _undisturbed(network: nn.Module) -> Iterator[None]:
    """Put random numbers and buffers back as they were. Buffers are swapped: backward passes may still need them."""
    devices = {value.device for value in network.parameters() if value.device.type != "cpu"}
    states = {device: torch.get_device_module(device).get_rng_state(device) for device in devices}
    generator = torch.default_generator.get_state()
    modules = [module for module in network.modules() if module._buffers]
    buffers = [dict(module._buffers) for module in modules]
    for module in modules:
        for name, value in module._buffers.items():
            module._buffers[name] = None if value is None else value.clone()
    try:
        yield
    finally:
        for module, own in zip(modules, buffers, strict=True):
            module._buffers.update(own)
        torch.default_generator.set_state(generator)
        for device, state in states.items():
            torch.get_device_module(device).set_rng_state(state, device)


def _rows(args: tuple, kwargs: Mapping[str, Any]) -> int:
    return next(len(value) for value in (*args, *kwargs.values()) if isinstance(value, Tensor) and value.dim())


def _plain(value: Any) -> Any:
    return value.detach().cpu() if isinstance(value, Tensor) else value


def _with_rows(inputs: tuple[tuple, dict], rows: int, device: torch.device) -> tuple[tuple, dict]:
    """Return the inputs of another batch with so many rows, repeated where there are fewer."""
    args, kwargs = inputs
    had = _rows(args, kwargs)

    def cut(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        value = value.to(device)
        if had == rows or not value.dim() or len(value) != had:
            return value
        return value[torch.arange(rows, device=device) % had]

    return tuple(map(cut, args)), {name: cut(value) for name, value in kwargs.items()}
