"""Reading bags of patches: seconds, patches per second and peak memory, lazily and otherwise.

Slides are written as TRIDENT writes them (float16, one patch per chunk); each way of reading runs in a process of its
own, for two passes over all patients, one patient a batch. `wait` is what a training step waits for a batch if the step
itself takes `--step-ms` (0.5 s by default, of which the processor is idle, as when a GPU works). Peak memory is that of
the process and of all its workers together, without pages that belong to the cache's files.

    python benchmarks/slides.py [--patients 8] [--patches 40000] [--features 1536] [--step-ms 500] [--quick]
        [--folder FOLDER]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import h5py  # noqa: F401  (imported at the first read otherwise: no part of the measured memory)
import numpy as np
import torch
from axonlight.datamodules.slides import SlideStore
from axonlight.datamodules.slides.index import index_slides
from axonlight.datamodules.slides.loader import BagLoader, PatientBatches
from axonlight.datamodules.slides.writing import write_slide

WAYS = {
    "all in memory": {"max_bytes": 1 << 40},
    "lazily": {},
    "lazily, 1 worker ahead": {"num_workers": 1},
    "lazily, cache": {"cache": True},
    "lazily, cache, 1 worker ahead": {"cache": True, "num_workers": 1},
    "lazily, cache, 4,096 patches drawn": {"cache": True, "max_patches": 4096},
}


def write_slides(folder: Path, options: argparse.Namespace) -> None:
    for number in range(options.patients):
        path = folder / f"P{number:03}.h5"
        if not path.is_file():
            generator = np.random.default_rng(number)
            features = generator.standard_normal((options.patches, options.features), dtype=np.float32)
            places = np.stack(np.divmod(np.arange(options.patches), 200), axis=1) * 512
            write_slide(path, features.astype(np.float16), places, {"patch_size_level0": 512})


def loader_of(folder: Path, options: argparse.Namespace) -> BagLoader:
    way = WAYS[options.way]
    patients = [f"P{number:03}" for number in range(options.patients)]
    store = SlideStore(
        index_slides(folder, patients), way.get("max_bytes", 0), folder / "cache" if way.get("cache") else None
    )
    empty, present = torch.zeros(len(patients), 0), torch.tensor([[False, True, False]] * len(patients))
    target = torch.ones(len(patients), 2)
    data = PatientBatches(patients, empty, empty, present, target, store, way.get("max_patches"))
    return BagLoader(data, batch_size=1, num_workers=way.get("num_workers", 0), prefetch=1, shuffle=True)


def anonymous_megabytes(process: int) -> float:
    """Return memory that is the process's own: resident pages that no file backs, and shared ones of its batches."""
    kept = ("RssAnon:", "RssShmem:")
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(kept)) / 1024


def processes() -> Iterator[int]:
    own = os.getpid()
    yield own
    yield from (int(name) for name in Path(f"/proc/{own}/task/{own}/children").read_text().split())


def watch(peak: list[float], stop: threading.Event) -> None:
    while not stop.wait(0.01):
        try:
            peak[0] = max(peak[0], sum(map(anonymous_megabytes, processes())))
        except (FileNotFoundError, ProcessLookupError):  # a worker that has just ended
            continue


def run_one(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    torch.set_num_threads(1)
    loader, peak, stop = loader_of(folder, options), [0.0], threading.Event()
    before = anonymous_megabytes(os.getpid())
    watcher = threading.Thread(target=watch, args=(peak, stop))
    watcher.start()
    seconds, waits, patches = [], [], 0
    for epoch in range(2):
        loader.set_epoch(epoch)
        start, wait = time.perf_counter(), 0.0
        batches = iter(loader)
        while True:
            asked = time.perf_counter()
            batch = next(batches, None)
            wait += time.perf_counter() - asked
            if batch is None:
                break
            patches += len(batch[0].bags)
            time.sleep(options.step_ms / 1000)
        seconds.append(time.perf_counter() - start)
        waits.append(wait)
    stop.set()
    watcher.join()
    reading = patches / 2 / max(waits[1], 1e-9)
    return {"first": waits[0], "second": waits[1], "speed": reading, "peak": peak[0] - before}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=8)
    parser.add_argument("--patches", type=int, default=40_000)
    parser.add_argument("--features", type=int, default=1536)
    parser.add_argument("--step-ms", type=float, default=500)
    parser.add_argument("--folder", type=Path, help="where slides are written and kept; default: a temporary folder")
    parser.add_argument("--quick", action="store_true", help="3 patients of 2,000 patches, steps of 20 ms")
    parser.add_argument("--way", choices=list(WAYS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.patients, options.patches, options.step_ms = 3, 2000, 20
    if options.way:
        print(json.dumps(run_one(options.folder, options)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        options.folder = options.folder or Path(scratch)
        report(options)


def report(options: argparse.Namespace) -> None:
    options.folder.mkdir(parents=True, exist_ok=True)
    write_slides(options.folder, options)
    size = options.patients * options.patches * options.features * 2 / 2**20
    print(f"{options.patients} patients x {options.patches:,} patches x {options.features} features: {size:,.0f} MiB")
    print(f"float32 bags of {options.patches * options.features * 4 / 2**20:,.0f} MiB; step {options.step_ms:g} ms")
    print(f"{'':<38}{'wait, pass 1':>14}{'pass 2':>10}{'patches/s':>12}{'peak memory':>14}")
    for way in WAYS:
        sizes = [f"--{key}={getattr(options, key)}" for key in ("patients", "patches", "features", "folder")]
        command = [sys.executable, __file__, *sizes, f"--step-ms={options.step_ms}", f"--way={way}"]
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)  # noqa: S603
        print(
            f"{way:<38}{found['first']:>12.2f} s{found['second']:>8.2f} s{found['speed']:>12,.0f}"
            f"{found['peak']:>10,.0f} MiB"
        )


if __name__ == "__main__":
    main()
