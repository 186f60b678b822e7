"""Attributions as a network might give them."""

import itertools

import numpy as np
import pytest
from axonlight.attribution.fusion import FusionAttributions, PatchShares


def make_attributions(patients=12, prototypes=4, pathways=6, seed=0, fold=0):
    generator = np.random.default_rng(seed)
    sizes = generator.integers(3, 9, patients)
    sizes[1] = 0
    weights = generator.dirichlet(np.ones(prototypes), int(sizes.sum()))
    pointers = np.concatenate([[0], np.cumsum(sizes)])
    mass = np.stack([weights[start:end].sum(0) for start, end in itertools.pairwise(pointers)])
    attention = generator.dirichlet(np.ones(pathways), (patients, prototypes)).astype(np.float32)
    attention[1] = np.nan
    gates = generator.dirichlet(np.ones(prototypes), patients).astype(np.float32)
    gates[1] = np.nan
    genes = tuple(f"G{number}" for number in range(5))
    memberships = np.array([[0, 1, 2, 3, 4, 0, 1, 2], [0, 0, 1, 2, 3, 4, 5, 5]])
    return FusionAttributions(
        tuple(f"TCGA-{number:02}" for number in range(patients)),
        tuple(f"prototype_{number}" for number in range(prototypes)),
        tuple(f"R-{number}" for number in range(pathways)),
        genes,
        memberships,
        pathway_gates=generator.dirichlet(np.ones(pathways), patients).astype(np.float32),
        gene_weights=generator.random((patients, 8)).astype(np.float32),
        risk=generator.normal(size=patients),
        target=np.stack([generator.exponential(20, patients), generator.random(patients) < 0.6], axis=1),
        attention=attention,
        slide_gates=gates,
        prototype_gates=gates[:, ::-1].copy(),
        mass=mass.astype(np.float32),
        prototype_vectors=generator.normal(size=(prototypes, 7)).astype(np.float32),
        shares=PatchShares(pointers.astype(np.int64), weights.astype(np.float16)),
        titles={"R-0": "Repair of <b>DNA</b>", "R-1": "A_pathway_whose_name_is_one_word_that_is_far_too_long_to_fit"},
        fold=fold,
    )


@pytest.fixture
def found():
    return make_attributions()
