"""What a multimodal network is called with, checked.

Legend of shapes: B patients, G genes, N patches, D patch features, C clinical columns.
"""

import torch
from torch import Tensor

from ...errors import InputError
from ..bags import MultimodalInputs

__all__ = ["as_inputs", "check_inputs", "rna_alone"]


def rna_alone(rna: Tensor, patch_features: int = 0, clinical_features: int = 0) -> MultimodalInputs:
    """Return inputs of patients who have nothing but expression (B, G).

    Example:
        >>> rna_alone(torch.zeros(2, 5)).present.tolist()
        [[True, False, False], [True, False, False]]
    """
    present = torch.zeros(len(rna), 3, dtype=torch.bool, device=rna.device)
    present[:, 0] = True
    return MultimodalInputs(
        rna,
        rna.new_zeros(0, patch_features),
        torch.zeros(len(rna) + 1, dtype=torch.int64, device=rna.device),
        rna.new_zeros(len(rna), clinical_features),
        present,
    )


def as_inputs(
    inputs: MultimodalInputs | Tensor, in_features: int, patch_features: int, clinical_features: int
) -> MultimodalInputs:
    """Return checked inputs; a tensor (B, G) is expression alone. Slides are present where there are patches.

    Raises:
        InputError: If a part has another width or another number of patients than the rest.

    Example:
        >>> as_inputs(torch.zeros(2, 4), in_features=5, patch_features=0, clinical_features=0)
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: rna has shape (2, 4); this network was built for (patients, 5)
    """
    if isinstance(inputs, Tensor):
        inputs = rna_alone(inputs, patch_features, clinical_features)
    check_inputs(inputs, in_features, patch_features, clinical_features)
    rna, _, clinical = inputs.present.unsqueeze(-1).unbind(1)
    filled = inputs.pointers.diff() > 0
    return inputs._replace(
        # what is absent may hold anything; nothing of it must reach a gradient
        rna=torch.where(rna, inputs.rna, 0),
        clinical=torch.where(clinical, inputs.clinical, 0),
        present=inputs.present & torch.stack([torch.ones_like(filled), filled, torch.ones_like(filled)], 1),
    )


def check_inputs(inputs: MultimodalInputs, in_features: int, patch_features: int, clinical_features: int) -> None:
    """Refuse inputs that do not fit a network.

    Raises:
        InputError: If a part has another width or another number of patients than the rest.
    """
    patients = len(inputs.present)
    parts = [("rna", inputs.rna, in_features, "patients"), ("clinical", inputs.clinical, clinical_features, "patients")]
    parts += [("bags", inputs.bags, patch_features, "patches")] if patch_features else []
    for name, values, width, rows in parts:
        # a network without use for covariates takes data that have some
        if values.dim() != 2 or (width and values.shape[1] != width):
            raise InputError(f"{name} has shape {tuple(values.shape)}; this network was built for ({rows}, {width})")
    counts = {"rna": len(inputs.rna), "clinical": len(inputs.clinical), "pointers": len(inputs.pointers) - 1}
    for name, count in counts.items():
        if count != patients:
            raise InputError(f"{name} has {count} patients, present has {patients}")
