"""What is found out before many arms train: where they start, what a pass changes, whether protocols fit."""

import copy
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from ...errors import InputError
from ..clock import Clock
from ..conducting.conductor import Conductor
from ..conducting.wiring import Wiring
from ..protocol import Protocol
from ..scene import Scene
from .data import ArmData
from .program import Stack

__all__ = ["changing_buffers", "check_arms", "groups_of", "initial_stack", "without_common"]


def initial_stack(factory: Callable[[], nn.Module], seeds: Sequence[int]) -> tuple[nn.Module, Stack]:
    """Return a network in training mode, and the tensors of one network per seed.

    Every network is made right after ``torch.manual_seed(seed)``; torch's own random state stays as it is.

    Raises:
        InputError: If the networks differ in their parameters' names or shapes.
    """
    networks = [_network(factory, seed) for seed in seeds]
    shapes = [{name: value.shape for name, value in network.state_dict().items()} for network in networks]
    if any(own != shapes[0] for own in shapes[1:]):
        raise InputError("network_factory gives networks whose parameters differ in names or shapes from seed to seed")
    named = [_tensors(network) for network in networks]
    trained = {name for name, value in networks[0].named_parameters() if value.requires_grad}
    values = {name: torch.stack([own[name] for own in named]) for name in named[0] if name in trained}
    if not values:
        raise InputError(f"{type(networks[0]).__name__} has no parameter to train")
    buffers = {name: torch.stack([own[name] for own in named]) for name in named[0] if name not in trained}
    first, second = ({name: torch.zeros_like(value) for name, value in values.items()} for _ in range(2))
    return networks[0], Stack(values, first, second, buffers)


def changing_buffers(network: nn.Module, arguments: tuple[Tensor, ...]) -> frozenset[str]:
    """Return the names of buffers that a pass in training mode changes.

    Example:
        >>> sorted(changing_buffers(nn.BatchNorm1d(3), (torch.ones(4, 3),)))
        ['num_batches_tracked', 'running_mean', 'running_var']
    """
    network = copy.deepcopy(network).train()
    before = {name: (value._version, value.clone()) for name, value in network.named_buffers()}
    with torch.no_grad():
        network(*arguments)
    return frozenset(
        name
        for name, value in network.named_buffers()
        # some kernels change a tensor without counting it as a version
        if value._version != before[name][0] or not torch.equal(value, before[name][1])
    )


def without_common(stack: Stack, changing: frozenset[str]) -> Stack:
    """Return a stack without the buffers that are the same for all runs and stay so: the network's own serve them."""
    differing = {
        name: value for name, value in stack.buffers.items() if name in changing or not bool((value == value[:1]).all())
    }
    return Stack(stack.values, stack.first, stack.second, differing)


def check_arms(
    protocols: Mapping[str, Protocol | None], network: nn.Module, data: ArmData, seed: int, updates: int
) -> None:
    """Refuse a protocol that does not fit the network, the data or the length of the run.

    Raises:
        InputError: With the name of the arm and the line of its protocol.
        RunError: If an activation never comes by at a site.
    """
    batch = {name: value[0] for name, value in data.read(seed, 0, 1).items()}
    missing = [name for name in (*data.inputs, "target") if name not in {*batch, *data.train_shared}]
    if missing:
        raise InputError(f"batches have no {missing[0]!r}; they have {', '.join(batch)}")
    metrics = {f"val/{kind}/{name}" for kind in ("loss", "accuracy") for name in data.evaluators}
    for arm, protocol in protocols.items():
        if protocol is None:
            continue
        try:
            protocol.check(network, totals={"steps": updates}, metrics=metrics, batch=set(batch))
            _first_pass(protocol, copy.deepcopy(network), batch, data.arguments(batch, training=True))
        except InputError as error:
            raise InputError(f"arm {arm!r}: {error}") from None


def groups_of(protocols: Mapping[str, Protocol | None], network: nn.Module) -> list[dict[str, Protocol | None]]:
    """Return the arms by the other passes (unperturbed, of a checkpoint) that they need: who needs none pays for none.

    Raises:
        InputError: If a stimulus takes values from the batch before.
    """
    groups: dict[tuple[str, ...], dict[str, Protocol | None]] = {}
    for arm, protocol in protocols.items():
        needs = [] if protocol is None else Wiring(protocol, network, Scene()).needs
        for need in needs:
            if need.source == "batch":
                raise InputError(
                    f"arm {arm!r}: {need.fiber.bound.line}: values of the batch before are not kept where many arms "
                    "train at once; train this arm alone"
                )
        groups.setdefault(tuple(sorted({need.source for need in needs})), {})[arm] = protocol
    return list(groups.values())


def _network(factory: Callable[[], nn.Module], seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return factory().train()


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in (*network.named_parameters(), *network.named_buffers())}


def _first_pass(
    protocol: Protocol, network: nn.Module, batch: Mapping[str, Tensor], arguments: tuple[Tensor, ...]
) -> None:
    conductor = Conductor(protocol, network)
    conductor.install()
    conductor.watch()
    conductor.begin(Clock(), batch)
    with torch.no_grad():
        network(*arguments)
    conductor.check_first_pass()
