"""Harrell's and Uno's C beside scikit-survival's and lifelines', with and without ties, in one run.

    python benchmarks/concordance.py [--sizes 1000 10000 50000] [--rounds 5] [--quick]

    continuous   normal risks, exponential times, 40 % events
    tied         risks in 20 levels, times in 60 whole months

All run in turns on one thread (see _timing.py); processor time, medians. Every answer is compared with ours first
(scikit-survival takes risks within 1e-8 for equal unless told otherwise; here it is told).
Needs scikit-survival and lifelines (the `dev` extra). The aim at 50,000 patients is 0.15 s and a twentieth of
scikit-survival's time; the last lines say whether it was met.
"""

import argparse
import time
from collections.abc import Callable

import lifelines.utils
import numpy as np
import torch
from _timing import interleaved_medians, machine
from axonlight.metrics import concordance_difference, concordance_index, uno_concordance
from sksurv.metrics import concordance_index_censored, concordance_index_ipcw
from sksurv.util import Surv

AIM_SECONDS, AIM_RATIO, AIM_SIZE = 0.15, 20.0, 50_000
HARRELL = ("axonlight", "scikit-survival", "lifelines")
UNO = ("axonlight, Uno", "scikit-survival, Uno")
PAIRED = "axonlight, difference with interval"


def cohort(size: int, is_tied: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    risk, event = rng.normal(size=size), rng.random(size) < 0.4
    months = 20 * rng.exponential(size=size) * np.exp(-0.5 * risk)
    if not is_tied:
        return risk, months, event
    levels = np.floor(20 * np.argsort(np.argsort(risk)) / size)
    return levels, np.clip(np.ceil(months), 1, 60), event


def functions_of(risk: np.ndarray, months: np.ndarray, event: np.ndarray) -> dict[str, Callable[[], float]]:
    tensors = tuple(torch.as_tensor(values) for values in (risk, months, event))
    # One more patient, censored last: the weights of all others are known.
    seen = np.append(months, months.max() + 1), np.append(event, False)
    target = torch.stack([torch.as_tensor(seen[0]), torch.as_tensor(seen[1]).double()], dim=1)
    table, whole = Surv.from_arrays(event, months), Surv.from_arrays(seen[1], seen[0])
    noisy = tensors[0] + torch.randn(len(risk), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return {
        "axonlight": lambda: float(concordance_index(*tensors)),
        "scikit-survival": lambda: float(concordance_index_censored(event, months, risk, tied_tol=0.0)[0]),
        "lifelines": lambda: float(lifelines.utils.concordance_index(months, -risk, event)),
        "axonlight, Uno": lambda: float(uno_concordance(*tensors, target)),
        "scikit-survival, Uno": lambda: float(concordance_index_ipcw(whole, table, risk, tied_tol=0.0)[0]),
        PAIRED: lambda: concordance_difference(tensors[0], noisy, *tensors[1:]).difference,
    }


def largest_deviation(functions: dict[str, Callable[[], float]]) -> float:
    values = {name: function() for name, function in functions.items()}
    harrell = max(abs(values[name] - values[HARRELL[0]]) for name in HARRELL)
    return max(harrell, abs(values[UNO[0]] - values[UNO[1]]))


def print_table(size: int, kind: str, seconds: dict[str, float], deviation: float) -> None:
    print(f"\n{size:,} patients, {kind}; largest deviation {deviation:.1e}")
    for name, value in seconds.items():
        base = UNO[0] if name in UNO else HARRELL[0]
        ratio = "" if name == PAIRED else f"{value / seconds[base]:>8.1f} x"
        print(f"  {name:<36}{1e3 * value:>10.2f} ms{ratio}")


def print_verdict(seconds: dict[str, float], kind: str) -> None:
    own = seconds["axonlight"]
    ratio = seconds["scikit-survival"] / own
    verdict = "met" if own <= AIM_SECONDS and ratio >= AIM_RATIO else "missed"
    aim = f"aim at {AIM_SIZE:,} patients, {kind} ({AIM_SECONDS} s, {AIM_RATIO:g} x)"
    print(f"{aim}: {own:.3f} s, {ratio:.0f} x, {verdict}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, AIM_SIZE])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rounds = 1 if arguments.quick else arguments.rounds
    print(machine())
    largest = {}
    for size in arguments.sizes:
        for kind in ("continuous", "tied"):
            functions = functions_of(*cohort(size, kind == "tied"))
            deviation = largest_deviation(functions)
            seconds = interleaved_medians(functions, rounds, clock=time.thread_time)
            print_table(size, kind, seconds, deviation)
            if size == AIM_SIZE:
                largest[kind] = seconds
    print()
    for kind, seconds in largest.items():
        print_verdict(seconds, kind)


if __name__ == "__main__":
    main()
