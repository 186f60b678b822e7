"""A training step of the prototype encoder on ragged bags: time and peak memory per patient, beside two other ways.

    python benchmarks/prototypes.py [--patches 1000 6000 20000 40000] [--batches 1 8] [--threads 2] [--rounds 5]
    python benchmarks/prototypes.py --assignment slot --features float32
    python benchmarks/prototypes.py --quick   # 1,000 and 6,000 patches

One step is the forward pass to tokens and the backward pass to the gradients of all parameters, published sizes: 1,536
features, width 128, 16 prototypes. Bags of a batch differ: their sizes run evenly from half to one and a half times
the number of patches. Features are held in float16, as a cache holds them, unless told otherwise.

    at once         PrototypeEncoder, checkpoint_patches=0
    in pieces       PrototypeEncoder as it stands: beyond 16,384 patches computed in pieces, and again for gradients
    loop            one patient after another, written out plainly (cosine assignment alone)
    padded          all bags padded to the longest, with a mask (cosine assignment alone)

Floors. Arithmetic: two products of 2 N D d operations (the projection and the gradient of its weights) at the rate
that a dense product of this run reaches. Memory: projected patches and their gradient, 2 N d values of float32.

Memory is what the resident set reaches in a step beyond what it held before, features included in the latter; it
needs Linux. Everything runs in turns (see _timing.py); `ms` is the median of the rounds.
"""

import argparse
import re
from collections.abc import Callable
from pathlib import Path

import torch
from _timing import interleaved_medians, machine, set_memory_reuse
from axonlight.models import PackedBags, PrototypeEncoder, pack
from axonlight.models.bags import split_bags
from torch import Tensor, nn

FEATURES, WIDTH, PROTOTYPES, TEMPERATURE = 1536, 128, 16, 0.1
Step = Callable[[], None]


def ragged(patches: int, batch: int, dtype: torch.dtype) -> PackedBags:
    """Return bags whose sizes run from half to one and a half times `patches`."""
    sizes = [patches] if batch == 1 else torch.linspace(0.5 * patches, 1.5 * patches, batch).round().int().tolist()
    return pack([torch.randn(size, FEATURES, dtype=dtype) for size in sizes])


def plain_loop(encoder: PrototypeEncoder, bags: PackedBags) -> Tensor:
    """Return tokens of one patient after another."""
    prototypes = nn.functional.normalize(encoder.projection(encoder.prototypes), dim=-1)
    tokens = []
    for bag in split_bags(*bags):
        patches = encoder.projection(bag.to(prototypes.dtype))
        shares = (nn.functional.normalize(patches, dim=-1) @ prototypes.T / TEMPERATURE).softmax(-1)
        tokens.append(shares.T @ patches / shares.sum(0).clamp_min(1e-6).unsqueeze(-1))
    return torch.stack(tokens)


def padded(encoder: PrototypeEncoder, bags: PackedBags) -> Tensor:
    """Return tokens of bags that are padded to the longest."""
    parts = split_bags(*bags)
    features = nn.utils.rnn.pad_sequence(parts, batch_first=True).to(encoder.prototypes.dtype)
    mask = torch.arange(features.shape[1]) < bags.sizes.unsqueeze(1)
    prototypes = nn.functional.normalize(encoder.projection(encoder.prototypes), dim=-1)
    patches = encoder.projection(features)
    shares = (nn.functional.normalize(patches, dim=-1) @ prototypes.T / TEMPERATURE).softmax(-1) * mask.unsqueeze(-1)
    return shares.mT @ patches / shares.sum(1).clamp_min(1e-6).unsqueeze(-1)


def step(encoder: PrototypeEncoder, tokens: Callable[[PackedBags], Tensor], bags: PackedBags) -> Step:
    """Return a forward and backward pass that leaves no gradients behind."""

    def run() -> None:
        tokens(bags).square().mean().backward()
        encoder.zero_grad()

    return run


def ways(assignment: str, bags: PackedBags) -> dict[str, Step]:
    """Return a step of every way that knows the rule, with the same weights."""
    torch.manual_seed(0)
    whole = PrototypeEncoder(FEATURES, WIDTH, PROTOTYPES, assignment, checkpoint_patches=0)
    pieces = PrototypeEncoder(FEATURES, WIDTH, PROTOTYPES, assignment)
    pieces.load_state_dict(whole.state_dict())
    found = {"at once": step(whole, whole, bags), "in pieces": step(pieces, pieces, bags)}
    if assignment == "cosine":
        others = {"loop": plain_loop, "padded": padded}
        for name, function in others.items():
            torch.testing.assert_close(function(whole, bags), whole(bags), rtol=1e-3, atol=1e-4)
            found[name] = step(whole, lambda x, f=function: f(whole, x), bags)
    return found


def resident(name: str) -> int:
    """Return bytes of the resident set: "VmRSS" now, "VmHWM" at its peak."""
    return int(re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024


def peak_bytes(run: Step) -> int:
    """Return how far the resident set grows in a step, after one that pays for what is kept."""
    run()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = resident("VmRSS")
    run()
    return resident("VmHWM") - before


def floors(bags: PackedBags) -> tuple[float, float]:
    """Return seconds of the arithmetic and bytes of what must be held, for a step of all bags."""
    a, b = torch.randn(4096, FEATURES), torch.randn(FEATURES, WIDTH)
    seconds = interleaved_medians({"product": lambda: a @ b}, rounds=5)["product"]
    rows = len(bags.features)
    return 2 * rows / len(a) * seconds, 2 * rows * WIDTH * 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patches", type=int, nargs="+", default=[1000, 6000, 20_000, 40_000])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--assignment", default="cosine")
    parser.add_argument("--features", choices=["float16", "float32"], default="float16")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    set_memory_reuse(kept=False)  # else the resident set holds what earlier steps gave back
    print(f"{machine()}, {options.assignment}, features in {options.features}; per patient")
    print(f"{'patches':>8} {'batch':>5}  {'':12} {'ms':>9} {'MiB':>8}")
    for patches in [1000, 6000] if options.quick else options.patches:
        for batch in options.batches:
            bags = ragged(patches, batch, getattr(torch, options.features))
            steps = ways(options.assignment, bags)
            memory = {name: peak_bytes(run) for name, run in steps.items()}
            seconds = interleaved_medians(steps, rounds=options.rounds)
            seconds["floor"], memory["floor"] = floors(bags)
            for name, value in seconds.items():
                numbers = f"{value / batch * 1e3:9.2f} {memory[name] / batch / 2**20:8.1f}"
                print(f"{patches:>8,} {batch:>5}  {name:12} {numbers}", flush=True)


if __name__ == "__main__":
    main()
