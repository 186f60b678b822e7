"""Small inputs of every kind: patients with all modalities, without one, with an empty bag."""

import pytest
import torch
from axonlight.models import (
    ABMIL,
    GeneNetwork,
    MCATLike,
    MMPLike,
    ProtoPathway,
    SurvPathLike,
    pack,
)
from axonlight.models.bags import MultimodalInputs
from axonlight.structures import Hierarchy

SIZES = (7, 0, 3, 12)  # patches; the second patient has no slide
PRESENT = ((1, 1, 1), (1, 0, 1), (0, 1, 1), (1, 1, 0))
EDGES = [
    ("cell", "repair"), ("cell", "death"), ("cell", "growth"), ("repair", "A"), ("repair", "B"), ("repair", "C"),
    ("death", "B"), ("death", "D"), ("growth", "E"), ("growth", "F"), ("growth", "A"),
]  # fmt: skip
GENES, PATCH, CLINICAL, OUTPUTS = 6, 5, 2, 4

NETWORKS = {
    "attention": (ProtoPathway, {"width": 8, "num_prototypes": 3, "fusion_width": 6}),
    "concat": (ProtoPathway, {"width": 8, "num_prototypes": 3, "fusion": "concat"}),
    "bilinear": (ProtoPathway, {"width": 8, "num_prototypes": 3, "fusion": "bilinear"}),
    "gated": (ProtoPathway, {"width": 8, "num_prototypes": 3, "fusion": "gated"}),
    "typed": (
        ProtoPathway,
        {"width": 8, "num_prototypes": 3, "gene_encoder": "typed", "gene_hierarchy": "hierarchical",
         "membership": "attached", "assignment": "sinkhorn"},
    ),
    "abmil": (ABMIL, {"width": 8, "attention_width": 4}),
    "mlp": (GeneNetwork, {"hidden": [8, 8]}),
    "snn": (GeneNetwork, {"hidden": [8, 8], "kind": "snn"}),
    "survpath": (SurvPathLike, {"width": 8, "set_hidden": 4}),
    "mcat": (MCATLike, {"width": 8, "set_hidden": 4, "num_heads": 2, "groups": "all"}),
    "mmp": (MMPLike, {"width": 8, "set_hidden": 4, "identity_width": 2, "num_prototypes": 3, "token_hidden": 4}),
}  # fmt: skip
# Networks that look at slides, and those that look at expression.
SEEING = [name for name in NETWORKS if name not in ("mlp", "snn")]
READING = [name for name in NETWORKS if name != "abmil"]


def network_of(name, *, seed=0, **options):
    """Return a network of the table with a width for every modality."""
    cls, own = NETWORKS[name]
    sizes = {"clinical_features": CLINICAL}
    if name in SEEING:
        sizes["patch_features"] = PATCH
    if name not in ("abmil", "mlp", "snn"):
        sizes["hierarchy"] = Hierarchy.from_edges(EDGES)
    torch.manual_seed(seed)
    return cls(GENES, OUTPUTS, **{"missing": "learned", **sizes, **own, **options})


def inputs_of(sizes=SIZES, present=PRESENT, seed=1, dtype=torch.float32):
    """Return inputs of four patients; rows of absent modalities are 0."""
    generator = torch.Generator().manual_seed(seed)
    bags = pack([torch.randn(size, PATCH, generator=generator, dtype=dtype) for size in sizes])
    there = torch.tensor(present, dtype=torch.bool)
    rna = torch.randn(len(sizes), GENES, generator=generator, dtype=dtype) * there[:, :1]
    clinical = torch.randn(len(sizes), CLINICAL, generator=generator, dtype=dtype) * there[:, 2:]
    return MultimodalInputs(rna, *bags, clinical, there)


def one(inputs, number):
    """Return the inputs of one patient alone."""
    start, end = inputs.pointers[number : number + 2].tolist()
    row = slice(number, number + 1)
    pointers = torch.tensor([0, end - start])
    return MultimodalInputs(
        inputs.rna[row], inputs.bags[start:end], pointers, inputs.clinical[row], inputs.present[row]
    )


@pytest.fixture(params=list(NETWORKS))
def name(request):
    return request.param
