"""What a search's report says, and the library that comes with it."""

import math
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.activations import build_activation
from axonlight.comparison import estimate_mean
from axonlight.discovery import ActivationLibrary
from axonlight.discovery.report import write_search_report
from axonlight.discovery.report.answer import answer_of
from axonlight.discovery.report.sections import sections_of
from PIL import Image

pytestmark = pytest.mark.xdist_group("discovery_report")  # its fixtures are made once


class Page(HTMLParser):
    """The tags, the attributes and the text of a page."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def page(search_paths):
    return Page(search_paths.html.read_text())


@pytest.fixture(scope="module")
def sections(search_result):
    return sections_of(search_result)


def block(sections, key, head):
    section = next(one for one in sections if one.key == key)
    return next(block for block in section.blocks if getattr(block, "head", ("",))[0] == head)


def test_the_answer_names_winner_and_difference(search_result):
    answer = answer_of(search_result)
    assert answer.summary == "The winner is x*cos(x) (4 nodes): the Growing Cosine Unit (GrowingCosine)."
    assert answer.equation.latex == r"x \cos\left(x\right)"
    (line,) = answer.verdicts
    assert (line.name, line.word) == ("winner against relu", "better")
    scores = [np.array(one.test_scores) for one in search_result.tested[:2]]
    assert f"AUROC difference on test rows {np.mean(scores[0] - scores[1]):+.4f} [" in line.figures
    assert answer.scale == "7,409 formulas from enumerate, 10 finalists, 10 seeds each, 9.2 min"
    assert [row[0] for row in answer.scores.rows] == ["winner", "relu", "gelu", "silu", "GrowingCosine", "Snake", "ASH"]
    said = " ".join(answer.floors)
    assert "chosen with a mean validation AUROC of 0.8620; fresh seeds gave 0.8600" in said
    assert "Of 4 random formulas, trained as the finalists were, none has a better validation AUROC" in said


def test_what_keeps_the_answer_from_being_whole_is_said(search_result, sections):
    assert answer_of(search_result).warnings == ("1 run of finalists and controls failed; the reasons stand below.",)
    flattered = replace(search_result, inflation=replace(search_result.inflation, by_rows=0.5))
    assert (
        answer_of(flattered).warnings[0].startswith("The choice among candidates flattered the winner by 0.5020, more")
    )
    assert block(sections, "failures", "activation").rows == (("Snake", "seeds", "the loss is nan at step 12", "1"),)


def test_where_smaller_is_better_the_best_is_the_smallest(search_result):
    def smaller(one):
        scores = tuple(1 - score for score in one.scores)
        return replace(one, scores=scores, estimate=estimate_mean(scores, 0.2))

    turned = replace(
        search_result,
        metric="loss",
        higher_is_better=False,
        finalists=tuple(map(smaller, search_result.finalists)),
        controls=tuple(map(smaller, search_result.controls)),
    )
    said = " ".join(answer_of(turned).floors)
    best = min(one.estimate.mean for one in turned.controls if one.kind == "random")
    assert f"none has a better validation loss; the best has {best:.4f}" in said
    drawing = answer_of(turned).drawings[0]
    winner = turned.winner
    assert drawing.description.endswith(f"{winner.candidate.nodes} nodes: {winner.name} {winner.estimate.mean:.4f}")


def test_tables_hold_every_contender_and_stage(sections):
    contenders = block(sections, "finalists", "activation")
    assert len(contenders.rows) == 20
    assert contenders.rows[0][:2] == ("x*cos(x)", "finalist")
    assert {row[1] for row in contenders.rows} == {"finalist", "known", "random"}
    assert "cost" in contenders.head
    stages = block(sections, "funnel", "stage")
    assert stages.rows[1][:5] == ("gate", "7,409", "312", "3,586", "3,511")
    tested = block(sections, "tested", "activation")
    assert [row[4] for row in tested.rows] == ["", *["better"] * 6]


def test_undefined_scores_are_said_and_drawn_nowhere(search_result, tmp_path):
    lost = tuple(math.nan for _ in range(10))
    broken = replace(search_result.finalists[-1], scores=lost, estimate=estimate_mean(lost, 0.2))
    result = replace(search_result, finalists=(*search_result.finalists[:-1], broken))
    paths = write_search_report(result, tmp_path)
    assert "undefined (10 splits)" in paths.markdown.read_text()
    assert "nan" not in re.sub(r"the loss is nan", "", " ".join(Page(paths.html.read_text()).words))


def test_nothing_of_a_search_becomes_markup(page, search_paths):
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert not {"src", "onerror"} & {name for name, _ in page.attributes}
    assert all(value.startswith("#") for name, value in page.attributes if name in ("href", "xlink:href"))
    source = search_paths.html.read_text()
    assert "&lt;/script&gt;&lt;img src=http://example.org/x.png" in source
    markdown = search_paths.markdown.read_text()
    assert markdown.count("<img") == markdown.count("\\<img") == 1  # with the backslash it is text


def test_markdown_holds_the_same_words(search_paths):
    text = search_paths.markdown.read_text()
    assert text.startswith("# Does a formula of up to eight nodes")
    assert "$$f(x) = x \\cos\\left(x\\right)$$" in text
    assert "winner against relu: **better**" in text
    assert "| x\\*cos(x) | finalist |" in text


def test_the_library_builds_what_was_trained(search_paths, search_result, monkeypatch):
    library = ActivationLibrary.load(search_paths.library)
    assert list(library)[:3] == ["covertype", "covertype_2", "covertype_3"]
    assert len(library) == 10
    found = library["covertype"]["found"]
    assert (found["engine"], found["data"], found["data_hash"], found["metric"]) == (
        "enumerate", "Covertype", "a1b2", "auroc",
    )  # fmt: skip
    assert found["scores"]["test"] == pytest.approx(search_result.tested[0].test.mean)
    assert set(library["covertype_2"]["found"]["scores"]) == {"selection"}  # no other one was tested
    monkeypatch.setenv("AXONLIGHT_LIBRARY", str(search_paths.library))
    x = torch.linspace(-3, 3, 31)
    for name, one in zip(library, search_result.finalists, strict=True):
        torch.testing.assert_close(
            build_activation(f"library:{name}", width=1)(x), build_activation(one.spec, width=1)(x)
        )


def test_the_table_and_the_picture(search_paths, search_result):
    table = pd.read_parquet(search_paths.table)
    assert len(table) == len(search_result.candidates)
    assert table.loc[table["formula"] == "1/x", "failure"].tolist() == ["not finite at x = 0"]
    with Image.open(search_paths.curves) as image:
        assert image.size[0] > 1200
        assert len(image.getcolors(1 << 24)) > 100  # something is drawn


def test_a_report_is_whole_or_as_it_was(search_result, search_paths, tmp_path, monkeypatch):
    shutil.copytree(search_paths.html.parent, tmp_path, dirs_exist_ok=True)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("the disk is full")))
    with pytest.raises(OSError, match="disk is full"):
        write_search_report(search_result, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert len(before) == 5
