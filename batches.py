"""What data modules hand to networks beside plain tensors: no part of the package has to know another for it.

Shapes: B patients of a batch, N patches of all their bags together, D patch features, G genes, C clinical columns.
"""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MODALITIES", "MultimodalInputs"]

MODALITIES = ("rna", "slides", "clinical")


class MultimodalInputs(NamedTuple):
    """The inputs of B patients, of whom each may lack modalities.

    The bags are packed: the patches of patient b are rows `pointers[b]` to `pointers[b + 1]` of `bags`; a patient
    without slides has an empty bag. Where RNA or clinical columns are absent their rows are 0.

    Its length is that of a tuple, 5; the number of patients is `num_patients`.

    Args:
        rna: (B, G) encoded expression.
        bags: (N, D) patch features of all patients, one behind another.
        pointers: (B + 1,) int64 bounds of the bags, from 0 to N.
        clinical: (B, C) encoded covariates.
        present: (B, 3) bool, which modalities a patient has, in the order of `MODALITIES`: rna, slides, clinical.

    Example:
        >>> import torch
        >>> inputs = MultimodalInputs(
        ...     rna=torch.zeros(2, 5),
        ...     bags=torch.zeros(3, 4),
        ...     pointers=torch.tensor([0, 3, 3]),
        ...     clinical=torch.zeros(2, 1),
        ...     present=torch.tensor([[True, True, True], [True, False, True]]),
        ... )
        >>> inputs.present[:, MODALITIES.index("slides")].tolist() == (inputs.pointers.diff() > 0).tolist()
        True
    """

    rna: "Tensor"
    bags: "Tensor"
    pointers: "Tensor"
    clinical: "Tensor"
    present: "Tensor"

    @property
    def num_patients(self) -> int:
        """B, the number of patients."""
        return self.present.shape[0]
