"""What every network of several modalities begins with.

Legend of shapes: B patients, N patches of all bags, d width.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ...errors import InputError
from ..bags import MODALITIES, MultimodalInputs, segment_expand
from .inputs import as_inputs
from .modalities import AbsentModalities, Missing

__all__ = ["MultimodalNetwork"]

_SLIDES = MODALITIES.index("slides")


class MultimodalNetwork(nn.Module):
    """Base of the networks that take `MultimodalInputs`: sizes, absent modalities, the stream of clinical columns.

    A subclass calls `begin` first: from there on a patient who does not use his slides has an empty bag.

    Args:
        takes: Modalities that the network has a use for; clinical columns are taken wherever there are any.
        in_features: Number of genes G.
        patch_features: Width D of a patch.
        clinical_features: Number of clinical columns C.
        width: Width d of the clinical stream, and of the tokens that stand for absent modalities.
        missing: "zeros" or "learned", see `AbsentModalities`.
        modality_dropout: Probability that a modality of a patient is hidden in training.

    Raises:
        InputError: If the data lack a modality that the network cannot do without, or an option is unusable.

    Example:
        >>> frame = MultimodalNetwork(["rna"], 5, 0, 2, width=8)
        >>> inputs, used = frame.begin(torch.zeros(3, 5))
        >>> used.tolist()[0], frame.clinical_stream(inputs, used)["clinical"].shape
        ([True, False, False], torch.Size([3, 8]))
    """

    def __init__(
        self,
        takes: Iterable[str],
        in_features: int,
        patch_features: int,
        clinical_features: int,
        width: int,
        missing: Missing = "zeros",
        modality_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        takes = tuple(takes)
        if "slides" in takes and patch_features < 1:
            raise InputError(
                f"patch_features is {patch_features}; {type(self).__name__} needs whole slides, on the command line "
                "through data.slides or data.simulate"
            )
        if width < 1:
            raise InputError(f"width is {width}; it must be a positive integer")
        self.in_features, self.clinical_features = in_features, clinical_features
        self.patch_features = patch_features if "slides" in takes else 0
        if clinical_features:
            self.clinical = nn.Linear(clinical_features, width)
            takes = (*takes, "clinical")
        self.absent = AbsentModalities(dict.fromkeys(takes, width), missing, modality_dropout)

    def begin(self, inputs: MultimodalInputs | Tensor) -> tuple[MultimodalInputs, Tensor]:
        """Return checked inputs, and which modalities (B, 3) of every patient are used."""
        inputs = as_inputs(inputs, self.in_features, self.patch_features, self.clinical_features)
        used = self.absent.used(inputs.present)
        if not self.patch_features:
            return inputs, used
        sizes = inputs.pointers.diff()
        hidden = ~used[:, _SLIDES] & (sizes > 0)
        if not bool(hidden.any()):
            return inputs, used
        rows = segment_expand(~hidden, inputs.pointers)
        pointers = torch.cat([sizes.new_zeros(1), torch.where(hidden, 0, sizes).cumsum(0)])
        return inputs._replace(bags=inputs.bags[rows], pointers=pointers), used

    def clinical_stream(self, inputs: MultimodalInputs, used: Tensor) -> dict[str, Tensor]:
        """Return the stream of clinical columns (B, d), if there are any."""
        if not self.clinical_features:
            return {}
        return {"clinical": self.absent.fill("clinical", self.clinical(inputs.clinical), used)}

    def clinical_width(self) -> dict[str, int]:
        """Return the width of that stream."""
        return {"clinical": self.clinical.out_features} if self.clinical_features else {}
