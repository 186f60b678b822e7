"""The result object: what the network said, on disk and back, prototypes in another order, scores of genes."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch
from axonlight.attribution.fusion import (
    FusionAttributions,
    align_prototypes,
    collect_fusion,
    dominant_prototypes,
    match_prototypes,
    read_fusion,
    tile_scores,
    write_fusion,
)
from axonlight.errors import InputError
from axonlight.models.bags import MultimodalInputs, pack
from axonlight.models.fusion import ProtoPathway
from axonlight.structures import Hierarchy

from .conftest import make_attributions

HIERARCHY = Hierarchy.from_edges(
    [("cell", f"S{number}") for number in range(3)] + [(f"S{gene % 3}", f"G{gene}") for gene in range(6)]
)


def same(first, second):
    for field in dataclasses.fields(FusionAttributions):
        left, right = getattr(first, field.name), getattr(second, field.name)
        if field.name == "shares":
            same_shares(left, right)
        elif isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right, err_msg=field.name)
            assert left.dtype == right.dtype, field.name
        else:
            assert left == right, field.name


def same_shares(left, right):
    assert (left is None) == (right is None)
    if left is not None:
        np.testing.assert_array_equal(left.pointers, right.pointers)
        np.testing.assert_array_equal(left.weights, right.weights)
        assert left.weights.dtype == right.weights.dtype


class TestCollect:
    @pytest.fixture
    def network(self):
        torch.manual_seed(0)
        return ProtoPathway(6, 1, HIERARCHY, patch_features=4, num_prototypes=3)

    @pytest.fixture
    def batches(self):
        generator = torch.Generator().manual_seed(0)
        bags = [torch.randn(size, 4, generator=generator) for size in (5, 0, 2, 7, 3)]
        present = torch.tensor([[True, len(bag) > 0, False] for bag in bags])
        rna = torch.randn(5, 6, generator=generator)
        target = torch.stack([torch.arange(1.0, 6.0), torch.ones(5)], dim=1)
        return [
            (
                MultimodalInputs(rna[part], *pack(bags[part]), torch.zeros(len(rna[part]), 0), present[part]),
                target[part],
            )
            for part in (slice(0, 2), slice(2, 5))
        ]

    def test_it_is_what_the_network_says_patient_by_patient(self, network, batches):
        names = list("abcde")
        found = collect_fusion(network, batches, names, risk=np.arange(5.0))
        assert network.training
        network.eval()
        rows = iter(range(5))
        for inputs, target in batches:
            bounds = inputs.pointers.tolist()
            for place, (start, end) in enumerate(pairwise(bounds)):
                row = next(rows)
                alone = MultimodalInputs(
                    inputs.rna[place : place + 1],
                    inputs.bags[start:end],
                    torch.tensor([0, end - start]),
                    inputs.clinical[place : place + 1],
                    inputs.present[place : place + 1],
                )
                with torch.no_grad():
                    said = network.read(alone, with_assignments=True)
                for name in ("attention", "slide_gates", "prototype_gates", "mass", "pathway_gates", "gene_weights"):
                    np.testing.assert_allclose(
                        getattr(found, name)[row], getattr(said, name)[0].numpy(), atol=1e-6, err_msg=name
                    )
                np.testing.assert_allclose(found.shares.of(row), said.assignments.numpy(), atol=1e-3)
                np.testing.assert_array_equal(found.target[row], target[place].numpy())
        assert np.isnan(found.attention[1]).all()
        assert not np.isnan(found.pathway_gates).any()

    def test_names_and_numbers_must_fit(self, network, batches):
        with pytest.raises(InputError, match="5 patients and there are 2 risks, but 5 names"):
            collect_fusion(network, batches, list("abcde"), risk=[1.0, 2.0])
        with pytest.raises(InputError, match="Linear does not say what it looked at"):
            collect_fusion(torch.nn.Linear(1, 1), batches, [], risk=[])


@pytest.mark.parametrize("name", ["found", "found.zarr"])
def test_what_is_written_is_read_again(found, tmp_path, name):
    if name.endswith("zarr"):
        pytest.importorskip("zarr", reason="zarr is not installed")
    write_fusion(found, tmp_path / name)
    same(found, read_fusion(tmp_path / name))
    smaller = dataclasses.replace(found, attention=None, shares=None, prototype_gates=None)
    write_fusion(smaller, tmp_path / name)  # over the first one
    same(smaller, read_fusion(tmp_path / name))


def test_tables_say_whose_rows_they_are(found, tmp_path):
    import pandas as pd

    write_fusion(found, tmp_path / "found")
    attention = pd.read_parquet(tmp_path / "found" / "attention.parquet").set_index(["patient", "prototype"])
    assert attention.loc[("TCGA-03", "prototype_2"), "R-4"] == found.attention[3, 2, 4]
    genes = pd.read_parquet(tmp_path / "found" / "gene_weights.parquet").set_index(["gene", "pathway"])
    assert genes.loc[("G1", "R-5"), "TCGA-02"] == found.gene_weights[2, 6]


def test_folders_of_others_are_not_touched(found, tmp_path):
    (tmp_path / "thesis.txt").write_text("draft 9")
    with pytest.raises(InputError, match="holds something else"):
        write_fusion(found, tmp_path)
    with pytest.raises(InputError, match="holds no attributions"):
        read_fusion(tmp_path)
    with pytest.raises(InputError, match="no Zarr group"):
        read_fusion(tmp_path / "none.zarr")


def test_scores_of_genes_equal_a_loop(found):
    expected = np.zeros((12, 5))
    for row in range(12):
        for edge, (gene, pathway) in enumerate(found.memberships.T):
            expected[row, gene] += found.gene_weights[row, edge] * found.pathway_gates[row, pathway]
    np.testing.assert_allclose(found.gene_scores(), expected, rtol=1e-6)


class TestMatching:
    def test_a_permutation_with_noise_is_undone(self):
        first = make_attributions(prototypes=6)
        order = np.array([3, 1, 5, 0, 4, 2])
        noisy = first.with_prototypes(order)
        noise = np.random.default_rng(1).normal(scale=0.05, size=noisy.prototype_vectors.shape)
        noisy = dataclasses.replace(noisy, prototype_vectors=noisy.prototype_vectors + noise)
        (_, back), (own, match) = align_prototypes([first, noisy])
        np.testing.assert_array_equal(match.order, np.argsort(order))
        np.testing.assert_array_equal(own.order, np.arange(6))
        assert (match.similarity > 0.98).all()
        assert (match.rival < match.similarity).all()
        for name in ("attention", "slide_gates", "prototype_gates", "mass"):
            np.testing.assert_array_equal(getattr(back, name), getattr(first, name))
        np.testing.assert_array_equal(back.shares.weights, first.shares.weights)

    def test_by_shares_of_the_patients_they_have_in_common(self):
        first = make_attributions(prototypes=5)
        other = first.with_prototypes([4, 3, 2, 1, 0])
        other = dataclasses.replace(other, prototype_vectors=np.random.default_rng(0).normal(size=(5, 9)))
        aligned, _ = align_prototypes([first, other], by="shares")
        np.testing.assert_array_equal(aligned[1].mass, first.mass)

    def test_it_is_the_best_of_all_permutations(self):
        from itertools import permutations

        generator = np.random.default_rng(0)
        first, other = generator.normal(size=(2, 5, 3))
        match = match_prototypes(first, other)
        unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (first, other)]
        sums = [np.sum(unit[0] * unit[1][list(order)]) for order in permutations(range(5))]
        assert match.similarity.sum() == pytest.approx(max(sums))

    def test_refusals(self, found):
        with pytest.raises(InputError, match=r"shapes \(2, 3\) and \(3, 3\)"):
            match_prototypes(np.ones((2, 3)), np.ones((3, 3)))
        with pytest.raises(InputError, match="no direction"):
            match_prototypes(np.zeros((2, 3)), np.ones((2, 3)))
        with pytest.raises(InputError, match="by is 'names'"):
            align_prototypes([found], by="names")
        with pytest.raises(InputError, match="every place from 0 to 3"):
            found.with_prototypes([0, 0, 1, 2])


class TestTiles:
    def test_pathways_and_genes_equal_loops(self, found):
        patient, row = "TCGA-04", 4
        shares = found.shares.of(row).astype(np.float64)
        pathway = [sum(share[k] * found.attention[row, k, 5] for k in range(4)) for share in shares]
        np.testing.assert_allclose(tile_scores(found, patient, pathway="R-5"), pathway, rtol=1e-6)
        gene = np.zeros(len(shares))
        for edge, (place, set_) in enumerate(found.memberships.T):
            if place == 1:
                carried = found.gene_weights[row, edge] * found.pathway_gates[row, set_]
                gene += carried * np.array(
                    [sum(share[k] * found.attention[row, k, set_] for k in range(4)) for share in shares]
                )
        np.testing.assert_allclose(tile_scores(found, patient, gene="G1"), gene, rtol=1e-5)

    def test_hard_scores_are_those_of_the_dominant_prototype(self, found):
        scores = tile_scores(found, "TCGA-04", pathway="R-2", hard=True)
        np.testing.assert_allclose(scores, found.attention[4, dominant_prototypes(found, "TCGA-04"), 2], rtol=1e-6)

    def test_ranks_are_percentiles(self, found):
        ranks = tile_scores(found, "TCGA-04", prototype="prototype_1", ranked=True)
        assert ranks.mean() == pytest.approx(0.5)
        assert (np.argsort(ranks) == np.argsort(found.shares.of(4)[:, 1], kind="stable")).mean() > 0.5

    def test_refusals(self, found):
        with pytest.raises(InputError, match="no patient 'TCGA-99'; the nearest are TCGA-0"):
            tile_scores(found, "TCGA-99", gene="G1")
        with pytest.raises(InputError, match="no pathway 'R-9'"):
            tile_scores(found, "TCGA-04", pathway="R-9")
        with pytest.raises(InputError, match="one of prototype, pathway and gene"):
            tile_scores(found, "TCGA-04")
        with pytest.raises(InputError, match="lacks expression or slides"):
            tile_scores(found, "TCGA-01", pathway="R-1")
        with pytest.raises(InputError, match="with_shares"):
            tile_scores(dataclasses.replace(found, shares=None), "TCGA-04", gene="G1")
