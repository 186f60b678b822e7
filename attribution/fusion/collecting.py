"""Ask a network what it looked at, batch by batch.

Legend of shapes: N patients.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...errors import InputError
from ..audit.rows import on_device
from ..explained import device_of, evaluating
from .attributions import FusionAttributions, PatchShares

__all__ = ["collect_fusion"]

Floats: TypeAlias = NDArray[np.floating[Any]]


def collect_fusion(
    network: nn.Module,
    batches: Iterable[tuple[Any, Tensor]],
    patients: Sequence[str],
    *,
    risk: Sequence[float] | Floats | Tensor,
    with_shares: bool = True,
    fold: int = 0,
) -> FusionAttributions:
    """Ask a network what it looked at in every patient of some batches.

    Args:
        network: Has `read(inputs, with_assignments)`, `graph` and `prototype_names`, as `ProtoPathway`; it is left as
            it was.
        batches: Inputs and targets (B, 2), in the order of the patients: those of an evaluation loader.
        patients: N names, such as `data.patient_names("test")`.
        risk: (N,) predictions, higher for an earlier event.
        with_shares: Whether to keep the share of every patch: 2 bytes per patch and prototype.
        fold: Number of the part that these patients are of.

    Raises:
        InputError: If the network cannot be asked, or the batches hold other patients.

    Example:
        >>> from axonlight.models.bags import MultimodalInputs, pack
        >>> from axonlight.models.fusion import ProtoPathway
        >>> from axonlight.structures import Hierarchy
        >>> edges = [("cell", "repair"), ("cell", "death"), ("repair", "ATM"), ("death", "TP53")]
        >>> network = ProtoPathway(2, 4, Hierarchy.from_edges(edges), patch_features=8, num_prototypes=3)
        >>> present = torch.tensor([[True, True, False]])
        >>> inputs = MultimodalInputs(torch.randn(1, 2), *pack([torch.randn(5, 8)]), torch.zeros(1, 0), present)
        >>> found = collect_fusion(network, [(inputs, torch.ones(1, 2))], ["ann"], risk=[0.3])
        >>> found.attention.shape, found.shares.of(0).shape
        ((1, 3, 3), (5, 3))
    """
    if not callable(getattr(network, "read", None)) or not hasattr(network, "graph"):
        raise InputError(f"{type(network).__name__} does not say what it looked at; ProtoPathway does")
    asked: Any = network
    parts: dict[str, list[NDArray[Any]]] = {}
    with evaluating(network), torch.no_grad():
        for inputs, target in batches:
            reading = asked.read(on_device(inputs, device_of(network)), with_assignments=with_shares)
            values = {**reading._asdict(), "target": target, "sizes": inputs.pointers.diff()}
            for name, value in values.items():
                if value is not None:
                    parts.setdefault(name, []).append(value.float().cpu().numpy())
    found = {name: np.concatenate(pieces) for name, pieces in parts.items()}
    if len(found.get("target", ())) != len(patients) or len(risk) != len(patients):
        raise InputError(
            f"the batches hold {len(found.get('target', ()))} patients and there are {len(risk)} risks, but "
            f"{len(patients)} names; give those of the same part of the data"
        )
    return _assembled(asked, found, patients, np.asarray(risk, dtype=np.float64), fold)


def _assembled(
    network: Any, found: dict[str, NDArray[Any]], patients: Sequence[str], risk: Floats, fold: int
) -> FusionAttributions:
    shares = None
    if "assignments" in found:
        pointers = np.concatenate([[0], np.cumsum(found["sizes"])]).astype(np.int64)
        shares = PatchShares(pointers, found["assignments"].astype(np.float16))
    slides = getattr(network, "slides", None)
    vectors = None if slides is None else slides.prototypes.detach().float().cpu().numpy()
    graph = network.graph
    return FusionAttributions(
        tuple(map(str, patients)),
        tuple(network.prototype_names),
        tuple(graph.pathways),
        tuple(graph.genes),
        np.asarray(graph.memberships),
        found["pathway_gates"],
        found["gene_weights"],
        risk,
        found["target"],
        *(found.get(name) for name in ("attention", "slide_gates", "prototype_gates", "mass")),
        prototype_vectors=vectors,
        shares=shares,
        titles=dict(graph.titles),
        fold=fold,
    )
