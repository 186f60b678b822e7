"""Training steps of the prototype-pathway network beside the published one, which takes one patient at a time.

    python benchmarks/protopathway.py [--threads 2] [--rounds 5] [--batch 1 8 32] [--patches 1000 6000 20000]
                                      [--genes-only] [--half]

The graph is random with the published size: 662 pathways, 4,574 genes, 17,275 memberships. A step is forward, loss,
backward and AdamW; all numbers are per patient.

    genes       `GeneGraphEncoder`, published variant, beside the same layers of torch_geometric patient by patient
    network     `ProtoPathway` in the published configuration (479,687 parameters) beside `_protopathway_peer.py`
    floor       the products of matrices alone, by the rate of such a product in the same run, with this many threads

Ours and the peer run in turns (see _timing.py), medians of wall time; with one thread, processor time. The peak of
memory comes from a process of its own, is what three steps add to the inputs and parameters, and is that of the whole
batch divided by its patients; it needs Linux. `--half` keeps patches in float16.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from _protopathway_peer import GenePeer, ProtoPathwayPeer
from _timing import interleaved_medians, machine
from axonlight.models import GeneGraphEncoder, GenePathwayGraph
from axonlight.models.bags import MultimodalInputs
from axonlight.models.fusion import ProtoPathway
from axonlight.models.losses import discrete_time_nll
from axonlight.structures import Hierarchy
from torch import nn

GENES, PATHWAYS, MEMBERSHIPS, WIDTH, HEADS, PATCH_FEATURES = 4574, 662, 17275, 128, 4, 1536
PARAMETERS = 479_687


def random_hierarchy() -> Hierarchy:
    """Draw memberships so that every gene and every pathway has one."""
    rng = np.random.default_rng(0)
    sure = np.concatenate([np.arange(GENES) * PATHWAYS + rng.integers(PATHWAYS, size=GENES), np.arange(PATHWAYS)])
    codes = np.unique(sure)
    others = np.setdiff1d(np.arange(GENES * PATHWAYS), codes)
    codes = np.sort(np.concatenate([codes, rng.choice(others, MEMBERSHIPS - len(codes), replace=False)]))
    nodes = tuple(f"gene_{place}" for place in range(GENES)), tuple(f"pathway_{place}" for place in range(PATHWAYS))
    return Hierarchy(("features", "level_1"), nodes, ((0, 1, np.stack(np.divmod(codes, PATHWAYS))),))


def trained(network: nn.Module, loss: Callable[[], torch.Tensor]) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5, weight_decay=1e-5)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        optimizer.step()

    return step


def gene_steps(hierarchy: Hierarchy, batch: int) -> dict[str, Callable[[], None]]:
    graph = GenePathwayGraph.from_hierarchy(hierarchy)
    expression = torch.randn(batch, GENES)
    ours, peer = GeneGraphEncoder(graph), GenePeer(graph)

    def our_loss() -> torch.Tensor:
        return ours(expression).summary().square().mean()

    def peer_loss() -> torch.Tensor:
        tokens, gates = peer(expression[0])
        return (gates * tokens).sum(0).square().mean()

    return {"ours": trained(ours, our_loss), "peer": trained(peer, peer_loss)}


def network_steps(hierarchy: Hierarchy, batch: int, patches: int, half: bool) -> dict[str, Callable[[], None]]:
    ours = ProtoPathway(GENES, 4, hierarchy, patch_features=PATCH_FEATURES)
    peer = ProtoPathwayPeer(GenePathwayGraph.from_hierarchy(hierarchy))
    for network in (ours, peer):
        if (number := sum(parameter.numel() for parameter in network.parameters())) != PARAMETERS:
            raise SystemExit(f"{type(network).__name__} has {number:,} parameters; {PARAMETERS:,} are published")
    bags = torch.randn(batch * patches, PATCH_FEATURES, dtype=torch.float16 if half else torch.float32)
    pointers = torch.arange(batch + 1) * patches
    present = torch.tensor([[True, True, False]]).expand(batch, 3)
    inputs = MultimodalInputs(torch.randn(batch, GENES), bags, pointers, torch.zeros(batch, 0), present)
    bins, events = torch.arange(batch) % 4, torch.arange(batch) % 2

    def our_loss() -> torch.Tensor:
        return discrete_time_nll(ours(inputs), bins, events)

    def peer_loss() -> torch.Tensor:
        return discrete_time_nll(peer(inputs.rna[0], bags[:patches].float()), bins[:1], events[:1] + 1)

    return {"ours": trained(ours, our_loss), "peer": trained(peer, peer_loss)}


def products(patches: int) -> float:
    """Return the multiplications and additions of one patient's matrix products in a step."""
    nodes, channels = GENES + PATHWAYS, HEADS * WIDTH
    genes = 3 * WIDTH * (nodes * WIDTH + 2 * PATHWAYS * WIDTH + nodes * channels)
    slides = 2 * patches * PATCH_FEATURES * WIDTH  # forward and the weights' gradient
    fusion = 3 * 2 * PATHWAYS * WIDTH * WIDTH
    return 2 * (genes + (slides + fusion if patches else 0))


def product_rate(clock: Callable[[], float]) -> float:
    """Return operations per second of the gene encoder's largest product."""
    x, weight, y = torch.randn(GENES, WIDTH), torch.randn(WIDTH, HEADS * WIDTH), torch.empty(GENES, HEADS * WIDTH)
    seconds = interleaved_medians({"product": lambda: torch.mm(x, weight, out=y)}, rounds=15, clock=clock)["product"]
    return 2 * GENES * WIDTH * HEADS * WIDTH / seconds


def peak_memory(side: str, batch: int, patches: int, half: bool) -> float:
    """Return MiB per patient that steps add, measured in a process of its own."""
    order = [sys.executable, __file__, "--child", side, "--batch", str(batch), "--patches", str(patches)]
    order += ["--threads", str(torch.get_num_threads()), *(["--half"] if half else [])]
    child = subprocess.run(order, check=True, capture_output=True, text=True)  # noqa: S603  (this very file)
    return json.loads(child.stdout.splitlines()[-1]) / (batch if side == "ours" else 1)


def child_peak(side: str, batch: int, patches: int, half: bool) -> float:
    hierarchy = random_hierarchy()
    steps = network_steps(hierarchy, batch, patches, half) if patches else gene_steps(hierarchy, batch)
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the highest value so far is forgotten
    for _ in range(3):
        steps[side]()
    return _resident("VmHWM") - before


def _resident(key: str) -> float:
    """Return a size of this process in MiB."""
    return int(re.findall(rf"{key}:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024


def report(
    name: str, steps: dict[str, Callable[[], None]], batch: int, patches: int, options: argparse.Namespace
) -> None:
    clock = time.thread_time if options.threads == 1 else time.perf_counter
    seconds = interleaved_medians(steps, rounds=options.rounds, sample_seconds=0, clock=clock)
    ours, peer = 1e3 * seconds["ours"] / batch, 1e3 * seconds["peer"]
    floor = 1e3 * products(patches) / product_rate(clock)
    steps.clear()
    memory = [peak_memory(side, batch, patches, options.half) for side in ("ours", "peer")]
    print(
        f"{name:<8} {batch:>5} {patches:>7,}  {ours:>8.1f} {peer:>9.1f} {peer / ours:>6.1f}  {floor:>6.1f}"
        f"  {memory[0]:>9,.0f} {memory[1]:>9,.0f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--patches", type=int, nargs="+", default=[1000, 6000, 20000])
    parser.add_argument("--genes-only", action="store_true")
    parser.add_argument("--half", action="store_true")
    parser.add_argument("--child", choices=["ours", "peer"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    if options.child:
        print(json.dumps(child_peak(options.child, options.batch[0], options.patches[0], options.half)))
        return
    hierarchy = random_hierarchy()
    print(machine())
    print("ms and MiB per patient; peer: one patient at a time")
    print(f"{'':<8} batch patches   ours ms   peer ms  ratio   floor   ours MiB      peer")
    for batch in options.batch:
        report("genes", gene_steps(hierarchy, batch), batch, 0, options)
    for patches in [] if options.genes_only else options.patches:
        for batch in options.batch:
            report("network", network_steps(hierarchy, batch, patches, options.half), batch, patches, options)


if __name__ == "__main__":
    main()
