"""The lab table: a protocol as people discuss it."""

import io

from axonlight.models import AttentionOnlyTransformer
from axonlight.stimulation.protocol import Protocol
from rich.console import Console

LINES = """
- name: silence_heads
  target: {site: blocks.*.attention.v, heads: [0, 1], gain: 0.5}
  opsin: silence
  light: {window: [100, 1000], pulse: {period: 10, width: 3}}
  optimizer: freeze
  phases: [train, validate]
- target: {site: embedding, positions: [query]}
  opsin: {kind: drive, amount: 2.0, unit: sigma}
  gradient: {kind: scaled, factor: 0.1}
"""

EXPECTED = """
| stimulus | where | units | opsin | light | gradient | optimizer | phases |
|---|---|---|---|---|---|---|---|
| 1 silence_heads | {where} | heads 0, 1; gain 0.5{counted} | silence | \
window (start 100, stop 1000), pulse (period 10, width 3) | block | freeze | train, validate |
| 2 drive | embedding | positions query{units} | drive (amount 2, unit sigma) | always, full strength | \
scaled (factor 0.1) | act | train |
""".strip()


def test_in_markdown():
    protocol = Protocol.build(LINES)
    plain = EXPECTED.format(where="blocks.*.attention.v", counted="", units="")
    assert protocol.markdown() == plain
    assert str(protocol) == f"protocol {protocol.hash}, seed 0\n{plain}"


def test_with_the_sites_and_units_of_a_network():
    where = "blocks.0.attention.v, blocks.1.attention.v"
    # 2 sites x 2 heads x 8 units; positions, whose number is not known, are not units
    expected = EXPECTED.format(where=where, counted=" (32 in all)", units=" (64 in all)")
    assert Protocol.build(LINES).markdown(AttentionOnlyTransformer(16, 5)) == expected


def test_in_a_terminal():
    console = Console(file=io.StringIO(), width=200)
    console.print(Protocol.build(LINES).table())
    text = console.file.getvalue()
    assert f"protocol {Protocol.build(LINES).hash}" in text
    assert all(word in text for word in ("silence_heads", "freeze", "scaled (factor 0.1)", "blocks.*.attention.v"))
