"""`ABMIL`: whole slides alone, by gated attention over the patches.

Legend of shapes: B patients, N patches of all bags, D patch features, d width, T outputs.
"""

import torch
from torch import Tensor, nn

from ...activations import ActivationSpec, build_activation
from ..bags import MultimodalInputs, segment_softmax, segment_weighted_sum
from ..prototypes.streaming import rows_in_pieces
from ..sites import Electrode
from .frame import MultimodalNetwork
from .modalities import Missing
from .pooling import GatedAttention

__all__ = ["ABMIL"]


class ABMIL(MultimodalNetwork):
    """Attention-based multiple instance learning: the floor of what whole slides say, with clinical columns if any.

    Patches are projected, and a patient is their mean weighted by gated attention; a linear layer makes the outputs.
    Expression is not looked at. Sites: `slide` (batch, unit).

    Args:
        in_features: Number of genes, not used.
        out_features: Number of outputs T.
        patch_features: Width D of a patch.
        clinical_features: Number of clinical columns.
        width: Width d of projected patches.
        attention_width: Width of the attention.
        missing: What stands for absent slides or covariates: "zeros" or "learned".
        modality_dropout: Probability that a modality of a patient is hidden in training.
        dropout: Share of a projected patch zeroed in training.
        activation: Spec of what follows the projection.
        checkpoint_patches: Most patches that are computed at a time in training; 0: all at once, nothing again.

    Shape:
        - Input: `MultimodalInputs`
        - Output: (B, T)

    Raises:
        InputError: If there are no slides, an option is unusable, or inputs have another width.

    Source: M. Ilse, J. Tomczak and M. Welling, Attention-based deep multiple instance learning, ICML 2018,
    arXiv:1802.04712, eq. 8 and 9. docs/models/multimodal_baselines.md says what differs.

    Example:
        >>> from axonlight.models.bags import pack
        >>> bags = pack([torch.randn(50, 16), torch.randn(0, 16)])
        >>> present = torch.tensor([[True, True, False], [True, False, False]])
        >>> inputs = MultimodalInputs(torch.randn(2, 5), *bags, torch.zeros(2, 0), present)
        >>> network = ABMIL(5, 4, patch_features=16)
        >>> network(inputs).shape, round(network.patch_weights(inputs).sum().item(), 4)
        (torch.Size([2, 4]), 1.0)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        patch_features: int = 0,
        clinical_features: int = 0,
        width: int = 256,
        attention_width: int = 128,
        missing: Missing = "zeros",
        modality_dropout: float = 0.0,
        dropout: float = 0.25,
        activation: ActivationSpec = "relu",
        checkpoint_patches: int = 16_384,
    ) -> None:
        super().__init__(["slides"], in_features, patch_features, clinical_features, width, missing, modality_dropout)
        self.projection = nn.Linear(patch_features, width)
        self.activation = build_activation(activation, width=width, groups=1)
        self.dropout = nn.Dropout(dropout)
        self.attention = GatedAttention(width, attention_width)
        self.slide = Electrode("batch", "unit", sizes={"unit": width})
        self.head = nn.Linear(width + sum(self.clinical_width().values()), out_features)
        self.checkpoint_patches = checkpoint_patches

    def forward(self, inputs: MultimodalInputs | Tensor) -> Tensor:
        """Map a batch to outputs (B, T)."""
        inputs, used = self.begin(inputs)
        rows, weights = self._weigh(inputs)
        slide = segment_weighted_sum(weights, rows, inputs.pointers).squeeze(1)
        streams = [self.slide(self.absent.fill("slides", slide, used)), *self.clinical_stream(inputs, used).values()]
        return self.head(torch.cat(streams, 1))

    def patch_weights(self, inputs: MultimodalInputs) -> Tensor:
        """Return the weight (N,) of every patch; those of a patient add up to 1."""
        return self._weigh(self.begin(inputs)[0])[1].squeeze(1)

    def _weigh(self, inputs: MultimodalInputs) -> tuple[Tensor, Tensor]:
        """Return projected patches (N, d) and weights (N, 1)."""
        rows = rows_in_pieces(self._project, inputs.bags, self.checkpoint_patches)
        scores = rows_in_pieces(self.attention, rows, self.checkpoint_patches)
        return rows, segment_softmax(scores, inputs.pointers)

    def _project(self, patches: Tensor) -> Tensor:
        return self.dropout(self.activation(self.projection(patches.to(self.projection.weight.dtype))))
