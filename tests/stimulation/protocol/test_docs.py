"""The protocols and messages of the documentation are those of the code."""

import re
from pathlib import Path

import pytest
import yaml
from axonlight.errors import InputError
from axonlight.models import AttentionOnlyTransformer, DenseNetwork
from axonlight.stimulation.opsins import OPSINS
from axonlight.stimulation.protocol import Protocol

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "stimulation.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_protocols_of_the_page_can_be_used(number):
    protocol = Protocol.build(BLOCKS[number])
    # within a config YAML itself reads them
    assert Protocol.build(yaml.safe_load(BLOCKS[number])) == protocol
    network = DenseNetwork(6, 1, hidden=[8]) if "hidden" in BLOCKS[number] else AttentionOnlyTransformer(16, 5)
    assert protocol.check(network)


def test_ranks_are_those_of_the_table():
    rows = re.findall(r"^\| ([0-9, ]+) \| (.*) \|$", PAGE, flags=re.MULTILINE)
    told = {}
    for ranks, text in rows:
        names = re.findall(r"`(\w+)`", text)
        numbers = [int(rank) for rank in ranks.split(",")]
        told.update(zip(names, numbers if len(numbers) > 1 else numbers * len(names), strict=True))
    patterns = {"previous_token", "induction", "match", "forbid", "only_labels"}
    assert told == {kind: opsin.rank for kind, opsin in OPSINS.items() if kind not in patterns}
    assert {OPSINS[kind].rank for kind in patterns} == {60}


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ({"target": {"site": "blocks.1.attention.v", "heads": [9]}, "opsin": "silence"}, {}),
        ({"target": "hidden_0.post", "opsin": {"kind": "drive", "amount": 1.0}, "light": {"window": [5000, 6000]}}, {}),
        (
            {
                "target": "hidden_0.post",
                "opsin": {"kind": "drive", "amount": 1.0},
                "light": {"closed_loop": {"kind": "trigger", "sensor": "metric:val/los", "above": 1}},
            },
            {"metrics": ["val/loss", "train/loss"]},
        ),
        ({"target": "blocks.1.attention.pattern", "opsin": "induction", "phases": "predict"}, {}),
    ],
)
def test_messages_of_the_page_are_those_of_the_code(line, known):
    network = DenseNetwork(6, 1, hidden=[8]) if "hidden" in str(line) else AttentionOnlyTransformer(16, 5)
    with pytest.raises(InputError) as caught:
        Protocol.build([line]).check(network, totals={"steps": 1000}, **known)
    assert str(caught.value).partition(": ")[2] in PAGE
