"""Which modalities of a patient a network may use, and what stands for those that are absent.

Legend of shapes: B patients, N patches of all bags together, d width.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from ...errors import InputError
from ..bags import MODALITIES, MultimodalInputs

__all__ = ["AbsentModalities", "Missing", "keep_modalities", "modality_subsets"]

Missing = Literal["zeros", "learned"]


class AbsentModalities(nn.Module):
    """Decides per patient which modalities are used, and puts something in the place of the others.

    Dropout hides whole modalities in training, patient by patient: what a patient lacks is then nothing new to the
    network. Nobody loses everything: a patient who would keep nothing keeps what he has. The numbers come from torch's
    generator, which the trainer seeds by step and process (`callbacks.StepSeed`).

    Args:
        widths: Width d of the tokens of every modality that the network takes, by its name.
        missing: What stands for an absent modality: "zeros", or "learned", one trainable token per modality.
        dropout: Probability that a modality of a patient is hidden in training, in [0, 1).

    Raises:
        InputError: If an option is unusable.

    Source: learned codes for absent modalities and dropout per patient as in PathQ-Former (github SharoonSharif).

    Example:
        >>> absent = AbsentModalities({"rna": 4, "slides": 4}, missing="learned")
        >>> used = absent.used(torch.tensor([[True, True, True], [True, False, True]]))
        >>> used.tolist()
        [[True, True, False], [True, False, False]]
        >>> absent.fill("slides", torch.ones(2, 3, 4), used)[0].unique().tolist()
        [1.0]
    """

    def __init__(self, widths: Mapping[str, int], missing: Missing = "zeros", dropout: float = 0.0) -> None:
        super().__init__()
        if missing not in get_args(Missing):
            raise InputError(f"missing is {missing!r}; it must be one of {', '.join(get_args(Missing))}")
        if not 0 <= dropout < 1:
            raise InputError(f"modality_dropout is {dropout}; it must lie in [0, 1)")
        self.dropout = dropout
        self.names = tuple(name for name in MODALITIES if name in widths)
        self.tokens = nn.ParameterDict(
            {name: torch.randn(widths[name]) * widths[name] ** -0.5 for name in self.names if missing == "learned"}
        )

    def used(self, present: Tensor) -> Tensor:
        """Return which of the modalities (B, 3) that are present are used; those the network does not take are not."""
        taken = torch.tensor([name in self.names for name in MODALITIES], device=present.device)
        present = present & taken
        if not (self.training and self.dropout):
            return present
        kept = present & (torch.rand(present.shape, device=present.device) >= self.dropout)
        return torch.where(kept.any(1, keepdim=True), kept, present)

    def fill(self, name: str, values: Tensor, used: Tensor) -> Tensor:
        """Put the token of a modality, or zeros, in the place of values (B, ..., d) of patients who do not use it."""
        mask = used[:, MODALITIES.index(name)].view(-1, *[1] * (values.dim() - 1))
        token = self.tokens[name].to(values.dtype) if name in self.tokens else values.new_zeros(())
        return torch.where(mask, values, token)


def keep_modalities(inputs: MultimodalInputs, names: Collection[str]) -> MultimodalInputs:
    """Return inputs in which all but some modalities are absent: their values are 0 and their bags are empty.

    Raises:
        InputError: If a name is not one of `MODALITIES`.

    Example:
        >>> inputs = MultimodalInputs(
        ...     torch.ones(1, 5), torch.ones(4, 3), torch.tensor([0, 4]), torch.ones(1, 2), torch.ones(1, 3).bool())
        >>> alone = keep_modalities(inputs, ["rna"])
        >>> alone.present.tolist(), alone.bags.shape, alone.clinical.sum().item()
        ([[True, False, False]], torch.Size([0, 3]), 0.0)
    """
    if unknown := [name for name in names if name not in MODALITIES]:
        raise InputError(f"modality is {unknown[0]!r}; it must be one of {', '.join(MODALITIES)}")
    rna, slides, clinical = (name in names for name in MODALITIES)
    return MultimodalInputs(
        inputs.rna if rna else torch.zeros_like(inputs.rna),
        inputs.bags if slides else inputs.bags[:0],
        inputs.pointers if slides else torch.zeros_like(inputs.pointers),
        inputs.clinical if clinical else torch.zeros_like(inputs.clinical),
        inputs.present & torch.tensor([rna, slides, clinical], device=inputs.present.device),
    )


def modality_subsets(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return every subset of modalities but the empty one, the smallest first.

    Example:
        >>> modality_subsets(["rna", "slides"])
        [('rna',), ('slides',), ('rna', 'slides')]
    """
    ordered: Sequence[str] = list(names)
    return [chosen for size in range(1, len(ordered) + 1) for chosen in combinations(ordered, size)]
