"""What the files of a report say, and how they are written."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import jsonschema
import numpy as np
import pandas as pd
import pytest
from axonlight.comparison.analysis import analyze
from axonlight.comparison.design.fields import StudyFields
from axonlight.comparison.report import VERDICTS_SCHEMA, write, write_report

pytestmark = pytest.mark.xdist_group("comparison_report")  # its fixtures are made once

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Tags, ids, links and texts of a page; fails where a tag is not closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.attributes, self.texts, self.open = [], [], [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name in ("href", "src", "xlink:href", "action", "data")]
        self.links += re.findall(r"url\(([^)]*)\)", " ".join(value or "" for _, value in attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def page(report_paths):
    return Page(report_paths.html.read_text(encoding="utf-8"))


def tiny(states=("done",) * 6, scores=(0.9, 0.92, 0.91, 0.8, 0.81, 0.83), arms=("real", "other"), **fields):
    study = StudyFields(
        **{"base": "demo.yaml", "arms": {arm: {} for arm in arms}, "floors": [], "folds": 3, "repeats": 1} | fields
    )
    rows = [
        {"arm": arm, "repeat": 0, "fold": fold, "seed": 0, "draw": None, "key": f"{arm}{fold}", "error": None}
        for arm in arms
        for fold in range(3)
    ]
    frame = pd.DataFrame(rows).assign(state=list(states), auroc=list(scores))
    return study, frame


def test_page_holds_nothing_that_could_ask_for_more(page):
    assert {"script", "iframe", "link", "img", "object", "form"} & set(page.tags) == set()
    assert [link for link in page.links if not link.startswith("#")] == []
    assert [name for name in page.attributes if name.startswith("on")] == []


def test_ids_are_unique_and_links_have_ends(page):
    assert len(page.ids) == len(set(page.ids)) > 100
    assert {link[1:] for link in page.links} <= set(page.ids)


def test_page_says_verdicts_floors_and_failures(page, report_data):
    for found in report_data.decisive:
        assert f"{found.name}: {found.comparison.verdict}" in page.text
    low, high = report_data.decisive[0].comparison.interval
    assert f"[{low:+.3f}, {high:+.3f}], region of practical equivalence ±0.01; 10 splits, 100 draws" in page.text
    assert "The best floor is ridge. real against it: worse; AUROC difference -0.0" in page.text
    assert "2 of 2,020 planned runs failed" in page.text
    assert "the training loss is nan at step 212" in page.text
    assert "axonlight compare configs/studies/proteomics.yaml" in page.text
    assert "Draws left out of these distributions" in page.text


def test_every_figure_is_there_with_a_caption_and_a_description(page):
    assert page.tags.count("figure") == page.tags.count("svg") == page.tags.count("figcaption") == 8
    assert page.attributes.count("aria-label") > 8


def test_markdown_has_the_same_words_and_whole_tables(report_paths, report_data):
    text = report_paths.markdown.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert lines[0] == "# Does Reactome's hierarchy help to tell subphenotypes apart, or only its sparsity?"
    for found in report_data.decisive:
        assert f"- {found.name}: **{found.comparison.verdict}**" in text
    tables = re.findall(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE)
    assert len(tables) >= 7
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert "<" not in re.sub(r"\\<", "", text)


def test_verdicts_are_what_the_schema_says(report_paths, report_data):
    content = json.loads(report_paths.verdicts.read_text(encoding="utf-8"))
    jsonschema.validate(content, VERDICTS_SCHEMA)
    jsonschema.Draft202012Validator.check_schema(VERDICTS_SCHEMA)
    first, found = content["comparisons"][0], report_data.comparisons[0]
    assert (first["name"], first["group"], first["decides"]) == (found.name, "planned", True)
    assert first["difference"] == found.comparison.difference
    assert first["empirical"]["p"] == found.empirical.p
    assert first["empirical"]["real"] == pytest.approx(report_data.arm("real").estimates["auroc"].mean)
    assert len(content["comparisons"]) == 2 * (8 + 4)
    assert [arm["name"] for arm in content["arms"] if arm["is_floor"]] == [
        "constant",
        "ridge",
        "random_forest",
        "dense",
    ]
    assert content["failures"][0]["runs"] == 2


def test_schema_refuses_a_verdict_of_another_word(report_paths):
    content = json.loads(report_paths.verdicts.read_text(encoding="utf-8"))
    content["comparisons"][0]["verdict"] = "significant"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, VERDICTS_SCHEMA)


def test_null_card_lets_others_check_the_claim(report_paths):
    content = json.loads(report_paths.null_card.read_text(encoding="utf-8"))
    cards = {card["name"]: card for card in content["nulls"]}
    card = cards["ErdosRenyi"]
    assert card["null"]["class_path"] == "ErdosRenyi"
    assert "edge_counts" in card["keeps"]
    assert "source_degrees" in card["breaks"]
    assert (card["draws"], card["p_floor"]) == (40, 1 / 41)
    live = card["quantities"]["live_nodes"]
    assert 0.39 < live["min"] < live["mean"] < live["max"] < 0.43
    assert live["measured"] == 40
    assert card["comparisons"][0]["empirical"]["left_out"] == 1
    assert "source_degrees" in cards["DegreePreserving"]["keeps"]
    assert len(cards) == 6


def test_runs_are_the_ledgers_frame(report_paths, report_data):
    found, frame = pd.read_parquet(report_paths.runs), report_data.runs
    pd.testing.assert_frame_equal(found.drop(columns="error"), frame.drop(columns="error"), check_dtype=False)
    assert found["error"].dropna().tolist() == frame["error"].dropna().tolist()
    assert len(found["error"].dropna()) == 2


def test_hostile_names_stay_text(tmp_path):
    evil = "<img src=x onerror=alert(1)>|`**_"
    study, frame = tiny(
        arms=("real", evil), states=["done"] * 5 + ["failed"], question=f"Is {evil} & 'worse'?", name="a&b"
    )
    frame.loc[5, "error"] = "</td><script>alert(2)</script> | end\nof line"
    paths = write_report(analyze(study, frame, conditions={"<b>data</b>": evil}), tmp_path)
    page = Page(paths.html.read_text(encoding="utf-8"))
    assert {"img", "script", "b"} & set(page.tags) == set()
    assert f"Is {evil} & 'worse'?" in page.text
    assert "</td><script>alert(2)</script>" in page.text
    text = paths.markdown.read_text(encoding="utf-8")
    assert "<img" not in text.replace("\\<", "")
    for line in text.splitlines():
        assert not line.startswith("of line")


def test_a_study_without_any_result_yet_can_be_reported(tmp_path):
    study, frame = tiny(states=["planned"] * 6, scores=[np.nan] * 6)
    paths = write_report(analyze(study, frame), tmp_path)
    page = Page(paths.html.read_text(encoding="utf-8"))
    assert "Not finished: 6 of 6 planned runs are still to come." in page.text
    assert "real against other: inconclusive" in page.text
    content = json.loads(paths.verdicts.read_text(encoding="utf-8"))
    jsonschema.validate(content, VERDICTS_SCHEMA)
    assert content["comparisons"][0]["difference"] is None
    assert "nan" not in page.text.lower().split()


def test_undefined_scores_are_counted_on_the_first_screen(tmp_path):
    study, frame = tiny(scores=(np.nan, 0.92, 0.91, np.nan, 0.81, 0.83))
    text = Page(write_report(analyze(study, frame), tmp_path).html.read_text(encoding="utf-8")).text
    assert "AUROC is undefined in 2 runs." in text
    assert "2 splits" in text


def test_few_verdicts_show_their_rules_and_many_fold_them(tmp_path, page):
    text = write_report(analyze(*tiny()), tmp_path).html.read_text(encoding="utf-8")
    assert "<details>" not in text
    assert 'class="rule">The corrected 95 % interval' in text
    assert page.tags.count("details") == 8


def test_same_data_give_the_same_files(report_data, report_paths, tmp_path):
    again = write_report(report_data, tmp_path)
    for name in ("html", "markdown", "verdicts", "null_card"):
        assert getattr(again, name).read_bytes() == getattr(report_paths, name).read_bytes()


def test_a_failing_write_leaves_the_old_report(tmp_path, monkeypatch):
    data = analyze(*tiny())
    paths = write_report(data, tmp_path)
    before = paths.html.read_bytes()

    def fail(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(write.Path, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        write_report(replace(data, question="another"), tmp_path)
    assert paths.html.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "null_card.json",
        "report.html",
        "report.md",
        "runs.parquet",
        "verdicts.json",
    ]


def test_arms_of_factors_share_their_names_and_their_best_floor(tmp_path):
    factors = {"activation": {"tanh": {}, "ash": {}}, "wiring": {"real": {}, "other": {"dense": "nodes"}}}
    arms = ["tanh / real", "tanh / other", "ash / real", "ash / other", "ridge"]
    scores = np.repeat([0.9, 0.8, 0.91, 0.8, 0.95], 3) + np.tile([0.0, 0.01, 0.02], 5)
    study, frame = tiny(["done"] * 15, scores, arms)
    study = StudyFields(
        base="demo.yaml", factors=factors, reference={"wiring": "real"}, floors=["ridge"], folds=3, repeats=1
    )
    text = Page(write_report(analyze(study, frame), tmp_path).html.read_text(encoding="utf-8")).text
    assert "tanh: real against other: better" in text
    assert "The best floor is ridge. tanh / real against it: worse; AUROC difference -0.050" in text
    assert "ash / real against it: worse; AUROC difference -0.040" in text


def test_errors_are_compared_the_other_way_round(tmp_path):
    study, frame = tiny(metrics=["rmse"], rope={"rmse": 0.02}, floors=["ridge"], arms=("real", "other"))
    floor = frame[frame["arm"] == "other"].assign(arm="ridge", auroc=0.5)
    frame = pd.concat([frame, floor]).rename(columns={"auroc": "rmse"})
    text = Page(write_report(analyze(study, frame), tmp_path).html.read_text(encoding="utf-8")).text
    assert "real against other: worse RMSE difference -0.097" in text
    assert "The best floor is ridge. real against it: worse" in text
