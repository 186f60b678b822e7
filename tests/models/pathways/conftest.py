"""A hierarchy that is small, skips a layer, and has a node that nothing feeds; Reactome's real one."""

import numpy as np
import pytest
from axonlight.structures import Hierarchy, read_names


@pytest.fixture
def small():
    """Three genes, two processes, one cell; TP53 also feeds the cell, and nothing feeds "unknown"."""
    return Hierarchy(
        ("features", "level_2", "level_1"),
        (("BRCA1", "TP53", "ATM"), ("repair", "death", "unknown"), ("cell",)),
        (
            (0, 1, np.array([[0, 2, 1], [0, 0, 1]])),
            (0, 2, np.array([[1], [0]])),
            (1, 2, np.array([[0, 1, 2], [0, 0, 0]])),
        ),
    )


@pytest.fixture(scope="session")
def proteomics_hierarchy(data_root):
    folder = data_root / "proteomics"
    features = read_names(folder / "test_qm.csv")
    return Hierarchy.from_reactome(folder / "translation.tsv", folder / "pathways.tsv", features=features)


@pytest.fixture(scope="session")
def reactome_hierarchy(data_root):
    folder = data_root / "reactome"
    files = folder / "ReactomePathways.gmt", folder / "ReactomePathwaysRelation.txt"
    return Hierarchy.from_reactome(*files, names=folder / "ReactomePathways.txt", levels=5)
