"""What a protocol is refused for at start, each with its line."""

import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import AttentionOnlyTransformer, DenseNetwork
from axonlight.stimulation.protocol import Protocol
from axonlight.stimulation.protocol.overlaps import overlaps
from torch import nn

TRANSFORMER = AttentionOnlyTransformer(16, 5)
DENSE = DenseNetwork(6, 1, hidden=[8, 4])
MODULES = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
SILENCE = {"target": "blocks.0.attention.v", "opsin": "silence"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            {"target": {"site": "blocks.1.attention.v", "heads": [9]}, "opsin": "silence"},
            r"stimulus 2 \(silence at blocks.1.attention.v\): heads is \[9\]; the site has 8 heads, 0 to 7",
        ),
        (
            {"target": {"site": "blocks.*.attention.v", "heads": [3, 9]}, "opsin": "silence"},
            r"stimulus 2 \(silence at blocks.0.attention.v\): heads is \[3, 9\]; the site has 8 heads",
        ),
        (
            {"target": {"site": "blocks.2.attention.v"}, "opsin": "silence"},
            r"stimulus 2 \(silence at blocks.2.attention.v\): site 'blocks.2.attention.v' matches nothing "
            r".* the nearest are blocks.[01].attention.v",
        ),
        (
            {"target": {"site": "blocks.1.attention.pattern", "positions": ["query"]}, "opsin": "silence"},
            r"stimulus 2 .*positions is given, but the site has no axis 'position'; it has head, query, key",
        ),
        (
            {"target": "blocks.1.attention.v", "opsin": "previous_token"},
            r"stimulus 2 \(previous_token at blocks.1.attention.v\): .*'query'",
        ),
        (
            {"target": "logits", "opsin": {"kind": "clamp", "value": [0.0, 1.0]}},
            r"stimulus 2 \(clamp at logits\): .*2 levels.*5 units",
        ),
        (
            {"target": "blocks.1.attention.pattern", "opsin": "induction", "phases": ["train", "predict"]},
            "stimulus 2 .*opsin induction needs the classes of the samples, which batches of phase predict do not",
        ),
        (
            {"target": {"site": "logits", "classes": [1]}, "opsin": "silence", "phases": "predict"},
            "stimulus 2 .*target.classes needs the classes",
        ),
        (
            {"target": "logits", "opsin": "silence", "gradient": {"kind": "routed", "classes": 1}, "phases": "predict"},
            "stimulus 2 .*gradient routed needs the classes",
        ),
        (
            {"target": "logits", "opsin": "silence", "light": {"window": [5000, 6000]}},
            r"stimulus 2 \(silence at logits\): light never shines: the window opens at 5000 steps, the run has 1000",
        ),
        (
            {
                "target": "logits",
                "opsin": "silence",
                "light": {"closed_loop": {"kind": "trigger", "sensor": "metric:val/los", "above": 1}},
            },
            "stimulus 2 .*by the metric 'val/los', which is never logged; logged are train/loss, val/loss",
        ),
        (
            {
                "target": "logits",
                "opsin": "silence",
                "light": {"closed_loop": {"kind": "pi", "sensor": "statistic:logit:mean", "setpoint": 1, "ki": 0.1}},
            },
            "stimulus 2 .*site 'logit' matches nothing",
        ),
        (
            {"target": "blocks.1.attention.key_input", "opsin": {"kind": "copy", "site": "blocks.0.attention.nothing"}},
            "stimulus 2 .*site 'blocks.0.attention.nothing' matches nothing",
        ),
    ],
)
def test_refused_with_the_line_of_the_protocol(line, message):
    protocol = Protocol.build([SILENCE, line])
    with pytest.raises(InputError, match=message) as caught:
        protocol.check(TRANSFORMER, totals={"steps": 1000}, metrics=["train/loss", "val/loss"])
    assert "\n" not in str(caught.value)


def test_what_fits_is_bound_in_the_order_of_action():
    lines = [
        {"target": {"site": "hidden_1.post"}, "opsin": "silence"},
        {"target": {"site": "*.post", "units": [0]}, "opsin": {"kind": "drive", "amount": 1.0}},
        {"target": {"site": "hidden_0.post", "units": [0]}, "opsin": "sham"},
        {"target": {"site": "hidden_0.post"}, "opsin": {"kind": "shunt", "gain": 0.5}},
    ]
    bound = Protocol.build(lines).check(DENSE)
    order = [(item.site.name, item.stimulus.opsin.kind, item.number) for item in bound]
    assert order == [
        ("hidden_0.post", "shunt", 3),
        ("hidden_0.post", "drive", 1),
        ("hidden_0.post", "sham", 2),
        ("hidden_1.post", "drive", 1),
        ("hidden_1.post", "silence", 0),
    ]


def test_two_names_of_one_place_are_one_place():
    (site,) = [item.site for item in Protocol.build([{"target": "hidden_0.post", "opsin": "sham"}]).bind(DENSE)]
    lines = [
        {"target": {"site": site.path, "units": [1]}, "opsin": {"kind": "drive", "amount": 1.0}},
        {"target": {"site": "hidden_0.post", "units": [1]}, "opsin": {"kind": "shunt", "gain": 2.0}},
    ]
    kinds = [item.stimulus.opsin.kind for item in Protocol.build(lines).bind(DENSE)]
    assert kinds == ["shunt", "drive"]
    silences = [{**line, "opsin": "silence"} for line in lines]
    with pytest.raises(InputError, match=r"stimulus 2 \(silence at hidden_0.post\): it sets entries that stimulus 1"):
        Protocol.build(silences).check(DENSE)


def test_modules_of_any_network_are_sites():
    lines = [{"target": {"site": "0", "units": [7]}, "opsin": "silence"}]
    assert Protocol.build(lines).check(MODULES)[0].expression({"batch": 3, "unit": 8}).tolist() == [0] * 7 + [1]
    for target, message in (
        ({"site": "0", "units": [8]}, r"units is \[8\]; the site has 8 units, 0 to 7"),
        ({"site": "1", "heads": [0]}, "the site has no axis 'head': nothing says what the dimensions"),
    ):
        with pytest.raises(InputError, match=message):
            Protocol.build([{"target": target, "opsin": "silence"}]).check(MODULES)
    with pytest.raises(InputError, match="the site has no axis 'query'"):
        Protocol.build([{"target": "1", "opsin": "previous_token"}]).check(MODULES)


def test_sizes_of_a_first_pass_are_checked_when_they_are_known():
    protocol = Protocol.build([{"target": {"site": "embedding", "positions": [5]}, "opsin": "silence"}])
    protocol.check(TRANSFORMER)
    protocol.check(TRANSFORMER, sizes={"embedding": {"position": 6}})
    with pytest.raises(InputError, match=r"positions is \[5\]; the site has 5 positions, 0 to 4"):
        protocol.check(TRANSFORMER, sizes={"embedding": {"position": 5}})


def test_metrics_and_batches_are_checked_when_they_are_known():
    loop = {"closed_loop": {"kind": "trigger", "sensor": "metric:val/loss", "below": 1}}
    line = {"target": "blocks.1.attention.pattern", "opsin": "induction", "light": loop}
    protocol = Protocol.build([line])
    protocol.check(TRANSFORMER)
    protocol.check(TRANSFORMER, metrics={"val/loss"}, batch=["exemplars", "labels", "target"])
    with pytest.raises(InputError, match="metric 'val/loss', which is never logged; logged are nothing"):
        protocol.check(TRANSFORMER, metrics=())
    with pytest.raises(InputError, match="opsin induction needs 'labels' of the batch, which has input, target"):
        protocol.check(TRANSFORMER, batch=["input", "target"])


V = "blocks.1.attention.v"
CLAMP = {"kind": "clamp", "value": 1.0}


def pair(first, second):
    """Two stimuli at values of heads that differ from a silence of everything in what is given."""
    return Protocol.build([{"target": V, "opsin": "silence", **first}, {"target": V, "opsin": "silence", **second}])


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({}, {}, True),
        ({"target": {"site": V, "heads": [0, 1]}}, {"target": {"site": V, "heads": [1, 2]}}, True),
        ({"target": {"site": V, "heads": [0, 1]}}, {"target": {"site": V, "heads": [2, 3]}}, False),
        ({"target": {"site": V, "heads": [-1]}}, {"target": {"site": V, "heads": ["7:"]}}, True),
        ({"target": {"site": V, "heads": [0]}}, {"target": {"site": V, "units": [0]}}, True),
        ({"target": {"site": V, "positions": [0]}}, {"target": {"site": V, "positions": [1]}}, False),
        ({"target": {"site": V, "positions": [0]}}, {"target": {"site": V, "positions": [0, 1]}}, True),
        ({"target": {"site": V, "classes": [0]}}, {"target": {"site": V, "classes": [1]}}, False),
        ({"target": {"site": V, "classes": [0]}}, {}, True),
        ({"phases": "train"}, {"phases": "validate"}, False),
        ({"phases": "train"}, {"phases": ["validate", "train"]}, True),
        ({"light": {"window": [0, 100]}}, {"light": {"window": [100, 200]}}, False),
        ({"light": {"window": [0, 101]}}, {"light": {"window": [100, 200]}}, True),
        ({"light": {"probability": 0.5}}, {"light": {"probability": 0.5}}, True),
        # the higher rank has the last word
        ({"opsin": CLAMP}, {}, False),
        ({"opsin": CLAMP}, {"opsin": "resample"}, True),
        # what does not set a value is added up
        ({"opsin": {"kind": "drive", "amount": 1.0}}, {"opsin": {"kind": "drive", "amount": 1.0}}, False),
        # a lesion stays
        (
            {"opsin": "lesion", "light": {"window": [0, 1]}},
            {"opsin": "lesion", "light": {"window": [5, 6]}},
            True,
        ),
    ],
)
def test_overlaps(first, second, expected):
    protocol = pair(first, second)
    assert bool(list(overlaps(protocol.bind(TRANSFORMER)))) == expected
    if expected:
        with pytest.raises(InputError, match=r"stimulus 2 \(.*\): it sets entries that stimulus 1 \(.*\) sets too"):
            protocol.check(TRANSFORMER)
    else:
        protocol.check(TRANSFORMER)


def test_overlaps_that_only_a_first_pass_tells():
    protocol = pair({"target": {"site": V, "positions": ["query"]}}, {"target": {"site": V, "positions": ["labels"]}})
    protocol.check(TRANSFORMER)
    protocol.check(TRANSFORMER, sizes={V: {"position": 5}})
    with pytest.raises(InputError, match="it sets entries that stimulus 1"):
        protocol.check(TRANSFORMER, sizes={V: {"position": 4}})


def test_random_shares_overlap_where_the_draws_do():
    """By the masks themselves: half of 8 units of two stimuli, one of which draws the same half."""
    half = {"site": "hidden_0.post", "fraction": 0.5}
    protocol = Protocol.build([{"target": half, "opsin": "silence"}])
    (bound,) = protocol.bind(DENSE)
    mine = torch.nonzero(bound.expression()).flatten().tolist()
    others = [number for number in range(8) if number not in mine]
    for units, expected in ((others, 0), (mine[:1], 1)):
        line = {"target": {"site": "hidden_0.post", "units": units}, "opsin": "silence"}
        both = Protocol.build([*protocol.to_dict()["stimuli"], line])
        assert len(list(overlaps(both.bind(DENSE)))) == expected
