"""The reproduction of the clamping study: arms clamp what they say, parts resume, tables say what was found."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.models import attention_patterns
from axonlight.stimulation import Clock, Conductor, Protocol
from scipy import stats

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("examples are not installed with the package", allow_module_level=True)
sys.path.insert(0, str(EXAMPLES))
import _induction_figure as figure  # noqa: E402
import _induction_measures as measures  # noqa: E402
import _induction_parts as parts  # noqa: E402
import _induction_report as report  # noqa: E402
import _induction_statistics as statistics  # noqa: E402
import induction_heads as example  # noqa: E402

sys.path.remove(str(EXAMPLES))

pytestmark = pytest.mark.xdist_group("induction_heads")  # its fixtures are made once

ALL_ARMS = [*parts.ARMS, parts.ALL_OF_LAYER_1]
# Sequences until each arm has learned, in what the tests make up: copy before match, and none never.
TIMES = {"match": 8e3, "copy": 5e3, "layer 1": 12e3, "attention": 30e3, "layer 1 + copy": 4e3, "all heads": 40e3}
TIMES |= {"none": np.inf, parts.ALL_OF_LAYER_1: 30e3}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small part, trained without a stop."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "VISIT", 2)
        patch.setattr(parts, "EVERY", 2)
        runs = tmp_path_factory.mktemp("whole")
        return small_part(), runs, parts.run_part(small_part(), runs)


def small_part():
    arms = {name: parts.protocol_of(parts.ARMS[name]) for name in ("all heads", "none", "match")}
    options = {"data": {"evaluation_sequences": 16}, "kept": ("all heads", "none"), "compiled": False}
    return parts.Part("small", arms, (0,), 4, 0.02, 5, **options)


def test_parts_are_those_that_the_page_states():
    main, *trends = example.Sizes(quick=False).parts()
    assert list(main.arms) == ALL_ARMS
    assert len(main.seeds) == 8
    assert [part.data for part in trends] == [{"num_labels": n} for n in (15, 10)] + [
        {"train_classes": n} for n in (200, 100)
    ]
    others = [0, 1, 2, 4, 5, 6, 7]
    for name in set(ALL_ARMS) - {"all heads"}:
        assert main.arms[name][0]["target"] == {"site": "blocks.1.attention.v", "heads": others}


def test_all_heads_of_layer_1_look_back(trained):
    part, runs, _ = trained
    data = part.sequences()
    network = measures._network(data, parts.snapshots(part, runs, "none", 0)[128])
    batch = data.evaluation("train")
    conductor = Conductor(Protocol.build(parts.all_of_layer_1()), network)
    conductor.install()
    conductor.begin(Clock(), batch._asdict())
    pattern = attention_patterns(network, batch.exemplars, batch.labels, data.features)[0]
    conductor.remove()
    expected = torch.zeros(5, 5)
    expected[0, 0] = 1
    for row in range(1, 5):
        expected[row, row - 1] = 1
    assert torch.equal(pattern, expected.expand(16, 8, 5, 5))


def test_a_stopped_part_goes_on_where_it_was(trained, tmp_path, monkeypatch):
    _, _, whole = trained
    monkeypatch.setattr(parts, "VISIT", 2)
    monkeypatch.setattr(parts, "EVERY", 2)
    visit = parts._visit

    def stop(*args, **kwargs):
        visit(*args, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr(parts, "_visit", stop)
    with pytest.raises(KeyboardInterrupt):
        parts.run_part(small_part(), tmp_path)
    seen = []
    monkeypatch.setattr(
        parts, "_visit", lambda arms, *rest, **named: seen.append(arms.updates) or visit(arms, *rest, **named)
    )
    resumed = parts.run_part(small_part(), tmp_path)
    assert seen == [4, 4]  # the first two updates were not made again
    pd.testing.assert_frame_equal(resumed, whole)


def test_measures_of_networks(trained):
    part, runs, evaluations = trained
    heads = measures.head_table(part, runs)
    strengths = measures.strength_table(part, runs)
    progress = measures.progress_table(part, runs)
    assert list(heads["head"]) == list(range(8))
    assert heads[["alone", "alone_matched", "previous_token"]].stack().between(0, 1).all()
    last = strengths[strengths["sequences"] == strengths["sequences"].max()]
    np.testing.assert_allclose(last["strength"], heads["strength"], atol=1e-4)
    assert set(progress["clamp"]) == set(measures.CLAMPS)
    # At the start nothing was clamped yet: the progress measure is what the clamped arm, same seed, measured.
    start = measures.progress_table(with_start(part, runs), runs)
    own = evaluations.query("arm == 'match' and evaluator == 'train' and samples == 0")["loss"].item()
    assert start.query("clamp == 'match' and sequences == 0")["loss"].item() == pytest.approx(own, abs=1e-4)


def with_start(part, runs):
    """Add the network as it was initialised to those that were kept."""
    data = part.sequences()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = parts.AttentionOnlyTransformer(data.num_features, data.num_classes)
    torch.save(network.state_dict(), part.folder(runs) / "networks" / "none-0-0.pt")
    return part


def test_crossing_is_where_the_line_crosses():
    assert measures.crossing([0, 10, 20], [1.0, 0.8, 0.0], threshold=0.6) == pytest.approx(12.5)
    assert np.isnan(measures.crossing([0, 10], [1.0, 0.8]))


def curves_of(times, seeds, spread=0.1, step=2_048, end=49_152):
    rng = np.random.default_rng(0)
    rows = []
    for arm, time in times.items():
        for seed in seeds:
            rate = np.log(1.6 / 0.277) / (time * np.exp(spread * rng.standard_normal()))
            for samples in range(0, end + 1, step):
                loss = 1.6 * np.exp(-rate * samples)
                rows += [(arm, seed, samples, name, loss, 0.5) for name in ("train", "relabel", "new_classes")]
    return pd.DataFrame(rows, columns=["arm", "seed", "samples", "evaluator", "loss", "accuracy"])


def test_ratios_are_paired_and_adjusted():
    runs = measures.run_table(curves_of(TIMES, range(6)), parts.BASE)
    found = {(one.first, one.second): one for one in statistics.ratios_of(runs)}
    wide = runs.pivot_table(index="seed", columns="arm", values="crossing")
    logs = np.log(wide["match"] / wide["copy"])
    one = found["match", "copy"]
    expected = stats.t.interval(0.95, 5, logs.mean(), stats.sem(logs))
    np.testing.assert_allclose(one.interval, np.exp([logs.mean(), *expected]))
    assert one.word == "later"
    assert one.p_value >= stats.ttest_1samp(logs, 0).pvalue
    assert found["attention", "none"].censored == 6
    assert found["attention", parts.ALL_OF_LAYER_1].word == "undecided"


def test_plateau_rule():
    assert statistics.plateau_word(statistics.mean([0.30, 0.32, 0.31])) == "keeps it"
    assert statistics.plateau_word(statistics.mean([0.10, 0.12, 0.11])) == "loses it"
    assert statistics.plateau_word(statistics.mean([0.10, 0.40])) == "undecided"


@pytest.fixture(scope="module")
def found():
    seeds = range(3)
    curves = curves_of(TIMES, seeds)
    trends = {arm: TIMES[arm] for arm in figure.PARTS}
    names = {name for kind in figure.TRENDS.values() for name in kind.values()} - {parts.BASE}
    tables = {parts.BASE: curves} | {name: curves_of(trends, seeds) for name in sorted(names)}
    tables["grafts"] = curves_of({"layer 1 of seed 0": 6e3, "layer 1 of seed 1": 6e3}, seeds)
    runs = pd.concat([measures.run_table(own, name) for name, own in tables.items()], ignore_index=True)
    keys = [(seed, head) for seed in seeds for head in range(8)]
    heads = pd.DataFrame(keys, columns=["seed", "head"]).assign(strength=lambda t: t["head"] / 8, previous_token=0.5)
    heads = heads.assign(alone=0.6, alone_matched=0.7)
    strengths = pd.concat([heads.assign(sequences=n, strength=heads["strength"] * n / 9) for n in (1, 9)])
    progress = curves_of(dict.fromkeys(measures.CLAMPS, 20e3), seeds).query("evaluator == 'train'")
    progress = progress.rename(columns={"arm": "clamp", "samples": "sequences"})
    train = {name: own[own["evaluator"] == "train"] for name, own in tables.items()}
    shown = figure.Found(train[parts.BASE], runs, heads, strengths, progress, train["grafts"])
    return shown, tables


def test_everything_is_written(found, tmp_path):
    shown, tables = found
    (tmp_path / "induction_heads.md").write_text("# Kept\n")
    example.write(shown, tables, tmp_path, "induction_heads", ["a rule"])
    page, text = ((tmp_path / f"induction_heads.{kind}").read_text() for kind in ("html", "md"))
    assert text.startswith("# Kept")
    assert "copy &lt; match ~ layer 1 &lt; attention &lt; none" in page
    assert page.count("<svg") == len(figure.panels)
    assert not any(word in page for word in ('src="http', "<script", "<link"))
    (line,) = [line for line in text.splitlines() if line.startswith("| none | 315,000")]
    assert "at least 49,152" in line
    assert "0 of 3" in line
    rows = pd.read_csv(tmp_path / "induction_heads.csv")
    assert len(rows) == 8 * 3 + 4 * 3 * 3 + 2 * 3
    assert (tmp_path / "induction_heads.png").stat().st_size > 10_000


def test_heads_are_ranked_by_strength(found):
    head, rows = report.tables_of(found[0])["Heads without a clamp"]
    assert head[0] == "heads by strength"
    assert rows[0][:3] == ["1 (published 1.3)", "0.85", "0.88 [0.88, 0.88]"]
    assert rows[-1][0] == "8 (published 1.6)"
