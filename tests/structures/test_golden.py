"""Real files: the published sizes of the proteomics hierarchy, Reactome's human hierarchy in time, MSigDB."""

import hashlib
import logging
import time

import numpy as np
import pytest
from axonlight.structures import Hierarchy, read_names

pytestmark = pytest.mark.xdist_group("golden")  # its fixtures are made once


@pytest.fixture(scope="module")
def proteomics(data_root):
    folder = data_root / "proteomics"
    features = read_names(folder / "test_qm.csv")

    def compiled(**options):
        options.setdefault("features", features)
        return Hierarchy.from_reactome(folder / "translation.tsv", folder / "pathways.tsv", **options)

    return compiled


@pytest.fixture(scope="module")
def reactome(data_root):
    folder = data_root / "reactome"

    def compiled(**options):
        names = folder / "ReactomePathways.txt"
        files = folder / "ReactomePathways.gmt", folder / "ReactomePathwaysRelation.txt"
        return Hierarchy.from_reactome(*files, names=names, **options)

    return compiled


def edge_counts(hierarchy):
    return [pairs.shape[1] for _, _, pairs in hierarchy.edges]


def test_proteomics_by_descendants(proteomics):
    hierarchy = proteomics()
    assert hierarchy.sizes == (449, 446, 285, 116, 28)
    assert [(source, target) for source, target, _ in hierarchy.edges] == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert edge_counts(hierarchy) == [2609, 448, 285, 117]
    assert hierarchy.dead_ends == {}
    np.testing.assert_allclose(hierarchy.densities, [0.0130, 0.0035, 0.0086, 0.0360], atol=5e-5)


def test_proteomics_by_own_features(proteomics):
    hierarchy = proteomics(attach="own")
    assert hierarchy.sizes == (438, 446, 285, 116, 28)
    assert edge_counts(hierarchy) == [1975, 448, 285, 117]
    # Terminal nodes that only a descendant is annotated for have nothing below them; they are kept and named.
    assert len(hierarchy.dead_ends["level_4"]) == 446 - 352


def test_proteomics_with_every_annotation(proteomics):
    hierarchy = proteomics(attach="every")
    assert hierarchy.sizes[0] == 458
    assert hierarchy.report.unattached == ()


def test_proteomics_report(proteomics, caplog):
    with caplog.at_level(logging.WARNING, "axonlight.structures"):
        report = proteomics().report
    assert (report.num_features, report.num_annotated, report.num_attached) == (554, 458, 449)
    assert (report.rows, report.pairs, report.duplicates) == (3484, 3141, 343)
    assert len(report.unannotated) == 96
    assert len(report.unattached) == 9
    assert [record.message.count("343 duplicates") for record in caplog.records] == [1]


def test_residual_node_takes_every_feature_without_a_place(proteomics):
    hierarchy = proteomics(unannotated="residual")
    assert hierarchy.sizes == (554, 447, 286, 117, 29)
    assert edge_counts(hierarchy) == [2609 + 105, 449, 286, 118]
    assert len(hierarchy.children("residual")) == 105
    assert hierarchy.parents("B9A064") == ("residual",)
    assert hierarchy.dead_ends == {}
    skipping = proteomics(unannotated="residual", fill="skip")
    assert len(skipping.children("residual", "level_1")) == len(skipping.features) - skipping.report.num_attached


def test_files_are_stamped(proteomics, data_root):
    hierarchy = proteomics()
    for source in hierarchy.sources:
        assert source.sha256 == hashlib.sha256((data_root / "proteomics" / source.name).read_bytes()).hexdigest()
    assert [source.name for source in hierarchy.sources] == ["translation.tsv", "pathways.tsv"]


def test_the_order_of_features_is_the_users(proteomics):
    forward = proteomics()
    backward = proteomics(features=forward.features[::-1])
    assert backward.features == forward.features[::-1]
    assert set(forward.to_table().itertuples(index=False)) == set(backward.to_table().itertuples(index=False))


def test_reactome_compiles_ten_thousand_genes_within_two_seconds(reactome, data_root):
    genes = sorted(reactome(attach="every").features)
    chosen = [genes[place] for place in np.random.default_rng(0).permutation(len(genes))[:10_000]]
    start = time.process_time()
    hierarchy = reactome(features=chosen)
    assert time.process_time() - start < 2.0
    assert hierarchy.report.num_annotated == 10_000
    assert hierarchy.sizes[-1] == 28


def test_reactome_knows_names_and_sets(reactome, data_root):
    hierarchy = reactome(levels=None, attach="every")
    assert len(hierarchy.features) == 11_375
    assert hierarchy.titles["R-HSA-109581"] == "Apoptosis"
    # The gene sets of the file hold the genes of all descendants, so what lies beneath a root is its own line.
    lines = (data_root / "reactome" / "ReactomePathways.gmt").read_text().splitlines()
    sets = {cells[1]: set(cells[2:]) for cells in (line.split("\t") for line in lines)}
    beneath = hierarchy.memberships("level_1").toarray()
    features = np.array(hierarchy.features)
    for place, name in enumerate(hierarchy.nodes[-1]):
        assert sets.get(name, set()) <= set(features[beneath[place]])
        if name == "R-HSA-109582":
            assert set(features[beneath[place]]) == sets[name]


def test_both_dialects_of_reactomes_gene_sets_give_one_hierarchy(reactome, data_root, tmp_path):
    folder = data_root / "reactome"
    lines = (folder / "ReactomePathways.gmt").read_text().splitlines()
    older = tmp_path / "older.gmt"
    older.write_text("\n".join("\t".join([*c[:2], "Reactome Pathway", *c[2:]]) for c in (x.split("\t") for x in lines)))
    assert Hierarchy.from_reactome(older, folder / "ReactomePathwaysRelation.txt") == reactome()


def test_hallmark_sets_alone(data_root):
    hierarchy = Hierarchy.from_gmt(data_root / "reactome" / "hallmark.gmt")
    assert hierarchy.sizes[1] == 50
    assert hierarchy.layers == ("features", "level_1")
    assert "JUNB" in hierarchy.children("HALLMARK_TNFA_SIGNALING_VIA_NFKB")


def test_rows_elsewhere_are_filtered(data_root):
    folder = data_root / "reactome"
    mouse = [("G1", "R-MMU-73843"), ("G2", "R-HSA-73843")]
    hierarchy = Hierarchy.from_reactome(mouse, folder / "ReactomePathwaysRelation.txt", species="MMU", levels=1)
    assert hierarchy.features == ("G1",)
    assert hierarchy.report.rows_elsewhere == 1
    assert all(name.startswith("R-MMU-") for names in hierarchy.nodes[1:] for name in names)
