"""The lab table: a protocol as people discuss it, one row per stimulus."""

from collections.abc import Sequence

from torch import nn

from ...errors import InputError
from .binding import BoundStimulus, bind
from .stimulus import Stimulus
from .tables import in_words

__all__ = ["lab_rows"]


def lab_rows(stimuli: Sequence[Stimulus], network: nn.Module | None = None, seed: int = 0) -> list[dict[str, str]]:
    """Return one row of text per stimulus.

    Args:
        stimuli: The stimuli.
        network: A network: sites are then given by name, and units are counted where their number is known.
        seed: Seed of the protocol.

    Example:
        >>> from axonlight.stimulation.protocol import Protocol
        >>> protocol = Protocol.build([{"target": {"site": "level_1.post", "units": [0, 3]}, "opsin": "silence"}])
        >>> lab_rows(protocol.stimuli)[0]["units"]
        'units 0, 3'
    """
    bound = bind(stimuli, network, seed) if network is not None else ()
    return [
        _row(number, stimulus, [item for item in bound if item.number == number])
        for number, stimulus in enumerate(stimuli)
    ]


def _row(number: int, stimulus: Stimulus, bound: Sequence[BoundStimulus]) -> dict[str, str]:
    return {
        "stimulus": f"{number + 1} {stimulus.name}",
        "where": ", ".join([item.site.name for item in bound] or stimulus.target.site),
        "units": _units(stimulus, bound),
        "opsin": in_words(stimulus.opsin.to_dict()),
        "light": in_words(stimulus.light.to_dict()) or "always, full strength",
        "gradient": in_words(stimulus.rule.to_dict()),
        "optimizer": stimulus.optimizer,
        "phases": ", ".join(stimulus.phases),
    }


def _units(stimulus: Stimulus, bound: Sequence[BoundStimulus]) -> str:
    target = {key: value for key, value in stimulus.target.to_dict().items() if key not in ("site", "cell_types")}
    words = "; ".join(f"{key} {in_words(value)}" for key, value in target.items()) or "all"
    try:
        number = sum(item.count()[0] for item in bound)
    except InputError:  # sizes that only the first pass tells
        return words
    return f"{words} ({number:,} in all)" if bound else words
