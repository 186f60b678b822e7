"""`axonlight inspect hierarchy`: the summary is printed, the picture drawn, nothing heavy imported."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from axonlight.cli import main
from axonlight.plots.hierarchy import arrange_nodes
from axonlight.structures import Hierarchy
from matplotlib import image

CHILD = """
import sys
from axonlight.cli import main
code = main(sys.argv[1:])
print("loaded:", [name for name in ("torch", "lightning", "pandas", "sklearn") if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""


def test_the_real_hierarchy_is_printed_and_drawn_without_torch(data_root, tmp_path):
    folder = data_root / "proteomics"
    files = ["--mapping", folder / "translation.tsv", "--relations", folder / "pathways.tsv"]
    command = [sys.executable, "-c", CHILD, "inspect", "hierarchy", *files, "--features", folder / "test_qm.csv"]
    child = subprocess.run([*map(str, command)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    lines = child.stdout.splitlines()
    assert lines[1].split()[:4] == ["level_1", "28", "0", "117"]
    assert lines[4].split()[:4] == ["level_4", "446", "137", "2,609"]
    assert "554 given, 458 annotated, 449 in the hierarchy" in child.stdout
    assert lines[-1] == "hierarchy.png"
    # The summary holds the report; the log does not say it again.
    assert child.stderr.strip() == "loaded: []"
    picture = image.imread(tmp_path / "hierarchy.png")
    assert picture.shape[0] > 600
    assert (picture[..., :3].min(axis=2) < 0.8).mean() > 0.05


@pytest.fixture
def edges(tmp_path):
    path = tmp_path / "edges.csv"
    path.write_text("parent,child\ncell,repair\ncell,death\nrepair,BRCA1\nrepair,TP53\ndeath,TP53\n")
    return path


def run(*arguments):
    return main(["inspect", "hierarchy", *map(str, arguments)])


def test_choices_reach_the_compiler_and_what_is_saved_is_what_is_shown(edges, tmp_path, capsys):
    saved, picture = tmp_path / "tiny.npz", tmp_path / "new" / "tiny.svg"
    chosen = ["--fill", "skip", "--attach", "every", "--levels", "1", "--save", saved, "--output", picture]
    assert run("--edges", edges, *chosen) == 0
    assert Hierarchy.load(saved) == Hierarchy.from_edges(edges, fill="skip", attach="every", levels=1)
    assert "fill=skip" in capsys.readouterr().out
    assert "<svg" in picture.read_text()
    assert run("--load", saved, "--output", picture) == 0


def test_every_kind_of_file(edges, tmp_path, capsys):
    (tmp_path / "sets.gmt").write_text("DEATH\tR-HSA-3\tTP53\nREPAIR\tR-HSA-4\tTP53\tBRCA1\n")
    (tmp_path / "relations.txt").write_text("R-HSA-1\tR-HSA-3\nR-HSA-1\tR-HSA-4\n")
    (tmp_path / "terms.txt").write_text("t\tu\tdefault\nu\tTP53\tgene\n")
    (tmp_path / "paths.csv").write_text("layer0_name,layer1_name\nTP53,death\n")
    (tmp_path / "go.obo").write_text("[Term]\nid: GO:1\n\n[Term]\nid: GO:2\nis_a: GO:1\n")
    (tmp_path / "genes.txt").write_text("TP53\tGO:2\n")
    (tmp_path / "wanted.txt").write_text("TP53\n")
    output = ["--output", tmp_path / "h.png", "--features", tmp_path / "wanted.txt"]
    gmt = ["--gmt", tmp_path / "sets.gmt"]
    assert run(*gmt, *output) == 0
    assert run(*gmt, "--relations", tmp_path / "relations.txt", "--levels", "all", *output) == 0
    assert "REPAIR" in capsys.readouterr().out
    assert run("--terms", tmp_path / "terms.txt", *output) == 0
    assert run("--table", tmp_path / "paths.csv", *output) == 0
    assert run("--obo", tmp_path / "go.obo", "--annotations", tmp_path / "genes.txt", *output) == 0
    assert run("--edges", edges, *output) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give one of --gmt, --signatures, --mapping, --obo, --edges, --terms, --table, --load (found: none)"),
        (["--edges", "a", "--gmt", "b"], "(found: --gmt and --edges)"),
        (["--mapping", "a"], "--mapping needs --relations"),
        (["--obo", "a"], "--obo needs --annotations"),
        (["--edges", "none.csv"], "there is no file none.csv"),
        (["--edges", "a", "--output", "h.txt"], "output is h.txt; its suffix must be one of"),
        (["--edges", "a", "--levels", "few"], "argument --levels: 'few' is neither a positive integer nor all"),
        (["--edges", "a", "--fill", "jump"], "argument --fill: invalid choice"),
    ],
)
def test_mistakes(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_edges_of_a_forest_do_not_cross():
    generator = np.random.default_rng(0)
    sizes = [40, 15, 6, 3]
    blocks = [
        (layer, layer + 1, np.stack([np.arange(size), generator.integers(0, above, size)]))
        for layer, (size, above) in enumerate(itertools.pairwise(sizes))
    ]
    heights, colours = arrange_nodes(sizes, blocks)
    for source, target, (child, parent) in blocks:
        order = np.argsort(heights[source][child])
        assert (np.diff(heights[target][parent][order]) >= 0).all()
        np.testing.assert_array_equal(colours[source][child], colours[target][parent])
        assert len(np.unique(heights[source])) == sizes[source]
