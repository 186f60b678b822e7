"""One of two processes: updates every survival metric with its own rows, and writes what it computes.

python two_processes.py RANK FOLDER
"""

import sys
from pathlib import Path

import torch
from axonlight.metrics import (
    BrierScore,
    ConcordanceIndex,
    DCalibration,
    IntegratedBrierScore,
    TimeDependentAUC,
    UnoConcordance,
)
from torch import distributed

TIMES = [2.0, 4.0, 6.0]


def metrics_of(training):
    return {
        "risk": [ConcordanceIndex(), UnoConcordance(training), TimeDependentAUC(TIMES, training)],
        "survival": [BrierScore(TIMES, training), IntegratedBrierScore(TIMES, training)],
        "own": [DCalibration(bins=4)],
    }


def computed(metrics):
    return [(metric.compute(), metric.counts) for group in metrics.values() for metric in group]


def updated(metrics, data, rows, batch, with_patients=False):
    for part in rows.split(batch) if len(rows) else ():
        for name, group in metrics.items():
            for metric in group:
                number = (part,) if with_patients else ()
                metric.update(data[name][part], data["target"][part], *number)
    return metrics


def main(rank, folder):
    distributed.init_process_group("gloo", init_method=(folder / "store").as_uri(), rank=rank, world_size=2)
    data = torch.load(folder / "data.pt")
    found = {}
    for name, (rows, with_patients) in data["cases"].items():
        metrics = updated(metrics_of(data["training"]), data, rows[rank], 3 + 4 * rank, with_patients)
        found[name] = computed(metrics)
    torch.save(found, folder / f"found_{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
