"""Progress measures: a protocol applied to the checkpoints of a run that was trained without it.

The twin of stimulation through training. The two differ where parts of a network learn from one another: under a clamp
through training the rest learns beside a finished part, while a progress measure asks what it has learned beside the
unfinished one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch
from lightning.fabric.utilities import move_data_to_device
from torch import Tensor, nn

from ..errors import InputError
from .batches import named_batch, number_of_samples, stimulated_network
from .clock import Clock
from .conducting.conductor import Conductor
from .conducting.sources import load_graft
from .light import Light
from .protocol import Protocol

__all__ = ["progress_measures"]

Measure = Callable[[Any, Any], Mapping[str, Any]]
Checkpoints = Mapping[int, str | Path] | Sequence[str | Path]


def progress_measures(
    protocol: Any,
    checkpoints: Checkpoints,
    task: nn.Module,
    batches: Iterable[Any],
    *,
    measure: Measure | None = None,
    stimulated_checkpoints: Checkpoints = (),
    light: Literal["steady", "schedule"] = "steady",
    seed: int = 0,
) -> pd.DataFrame:
    """Measure networks of several checkpoints with and without stimulation.

    The network is measured in evaluation mode without gradients, then gets its own weights back. Stimuli act whatever
    phases they name.

    Args:
        protocol: A `Protocol`, or what `Protocol.build` takes.
        checkpoints: Checkpoints of a run without stimulation: Lightning checkpoints, or state dicts as a mapping from
            the step to the file.
        task: The task, or any module; its weights are replaced meanwhile.
        batches: Batches, gone through once per checkpoint and arm: a list or a data loader that does not shuffle.
        measure: Called with the task and a batch, returns means over its samples by name; None: the loss of a task of
            this package ("loss").
        stimulated_checkpoints: Checkpoints of a run that was trained under the protocol: what it is compared with.
        light: "steady": all stimuli are fully lit at every checkpoint, without kinetics; "schedule": as lit as they
            would be at the step of the checkpoint.
        seed: Seed of noise and random light.

    Returns:
        A row per checkpoint and arm: trained and measured ("free" or "stimulated"), step, checkpoint, samples, and the
        measures. Trained free and measured stimulated is the progress measure.

    Raises:
        InputError: If there is no checkpoint or no batch, a checkpoint does not fit the network or does not say its
            step, or the light of a "schedule" follows what a checkpoint does not tell.

    Example:
        >>> import tempfile
        >>> from axonlight.models import RankOneTensor
        >>> network = RankOneTensor(width=4)
        >>> truth = {"kind": "clamp", "value": network.truth[2].tolist()}
        >>> path = Path(tempfile.mkdtemp(), "start.pt")
        >>> torch.save(network.state_dict(), path)
        >>> table = progress_measures([{"target": "c", "opsin": truth}], {0: path}, network, [torch.zeros(1, 1)],
        ...                           measure=lambda network, batch: {"loss": network.loss(batch)})
        >>> table[["trained", "measured", "step", "samples"]].values.tolist()
        [['free', 'free', 0, 1], ['free', 'stimulated', 0, 1]]
    """
    network = stimulated_network(task)
    own = {name: value.clone() for name, value in network.state_dict().items()}
    modes = {module: module.training for module in task.modules()}
    acting = _acting(Protocol.build(protocol), light)
    runs = {"free": checkpoints, "stimulated": stimulated_checkpoints}
    found = [(trained, step, path) for trained, given in runs.items() for step, path in _with_steps(given)]
    if not found:
        raise InputError("checkpoints is empty; progress needs the checkpoints of a run")
    rows = []
    try:
        task.eval()
        for trained, step, path in found:
            network.load_state_dict(load_graft(network, str(path), f"progress at step {step}").state_dict())
            for measured in ("free", "stimulated"):
                stimulation = acting if measured == "stimulated" else None
                values = _measured(task, batches, measure or _loss_of_task, stimulation, step, seed)
                keys = {"trained": trained, "measured": measured, "step": step, "checkpoint": Path(path).name}
                rows.append({**keys, **values})
    finally:
        network.load_state_dict(own)
        for module, mode in modes.items():
            module.training = mode
    return pd.DataFrame(rows)


def _acting(protocol: Protocol, light: str) -> Protocol:
    """Return the protocol as it acts on checkpoints: in the phase of training, lit by what a checkpoint tells."""
    if light not in ("steady", "schedule"):
        raise InputError(f"light is {light!r}; it must be steady or schedule")
    stimuli = []
    for number, stimulus in enumerate(protocol.stimuli, 1):
        if light == "steady":
            steady = Light(strength=stimulus.light.strength, probability=stimulus.light.probability)
            opsin = replace(stimulus.opsin, kinetics=None)
            stimulus = replace(stimulus, light=steady, opsin=opsin)
        else:
            follows = [*sorted(stimulus.light.needs() - {"samples"}), *(["kinetics"] * bool(stimulus.opsin.kinetics))]
            if follows:
                where = stimulus.line(number)
                raise InputError(
                    f"{where}: its light follows {follows[0]}, which a checkpoint does not tell; take light 'steady'"
                )
        stimuli.append(replace(stimulus, phases=("train",)))
    return replace(protocol, stimuli=tuple(stimuli))


def _with_steps(checkpoints: Checkpoints) -> list[tuple[int, str | Path]]:
    if isinstance(checkpoints, Mapping):
        return sorted(checkpoints.items())
    return sorted(((_step_of(path), path) for path in checkpoints), key=lambda pair: pair[0])


def _step_of(path: str | Path) -> int:
    if not Path(path).is_file():
        raise InputError(f"checkpoint is {path}, and there is no such file")
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    if "global_step" not in content:
        raise InputError(f"checkpoint {path} does not say its step; give a mapping from the step to the file")
    return int(content["global_step"])


def _loss_of_task(task: Any, batch: Any) -> Mapping[str, Any]:
    """Return the loss of a task of this package on a batch whose last part is the target."""
    if not callable(getattr(task, "total_loss", None)):
        raise InputError(f"measure is None, and {type(task).__name__} has no total_loss; say what is measured")
    inputs = task.network_inputs(batch) if hasattr(task, "network_inputs") else (batch[0],)
    return {"loss": task.total_loss(task(*inputs), batch[-1])}


@torch.no_grad()
def _measured(
    task: nn.Module, batches: Iterable[Any], measure: Measure, protocol: Protocol | None, step: int, seed: int
) -> dict[str, Any]:
    """Return the means of the measures over all samples, under a protocol if there is one."""
    if protocol is None:
        return _means(task, batches, measure, None, step)
    conductor = Conductor(protocol, stimulated_network(task), seed)
    conductor.install()
    try:
        if any(fiber.opsin.needs_statistic() for fiber in conductor.fibers):
            _means(task, batches, measure, conductor, step)  # the running means of this checkpoint
        return _means(task, batches, measure, conductor, step)
    finally:
        conductor.remove()


def _means(
    task: nn.Module, batches: Iterable[Any], measure: Measure, conductor: Conductor | None, step: int
) -> dict[str, Any]:
    sums: dict[str, Tensor] = {}
    samples = 0
    device = next((value.device for value in task.parameters()), torch.device("cpu"))
    for batch in batches:
        batch = move_data_to_device(batch, device)
        named = named_batch(batch, task)
        if conductor is not None:
            conductor.begin(Clock(step=step, samples=samples), named)
        for name, value in measure(task, batch).items():
            share = torch.as_tensor(value).detach().double() * number_of_samples(named)
            sums[name] = sums[name] + share if name in sums else share
        if conductor is not None:
            conductor.end()
        samples += number_of_samples(named)
    if not samples:
        raise InputError("batches is empty, or was gone through before; give a list or a data loader")
    return {"samples": samples, **{name: float(value) / samples for name, value in sums.items()}}
