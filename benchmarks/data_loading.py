"""How much of an epoch goes into fetching batches: this package's loader against torch's DataLoader.

15,000 x 54 rows at batch 1,024 (the size of the Forest Cover sample), a 64-32 multi-layer perceptron with batch
normalisation, Adam. Each figure is the median over epochs; the share is fetching time over the epoch of a bare
PyTorch loop that uses the same batches.

    python benchmarks/data_loading.py [--rows 15000] [--features 54] [--batch-size 1024] [--epochs 30] [--quick]
        [--threads 1]
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterable

import torch
from axonlight.datamodules import InMemoryLoader
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

Batches = Iterable[tuple[Tensor, Tensor]]


def network(features: int) -> nn.Module:
    layers: list[nn.Module] = []
    for width_in, width in ((features, 64), (64, 32)):
        layers += [nn.Linear(width_in, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.3)]
    return nn.Sequential(*layers, nn.Linear(32, 1))


def fetch(batches: Batches) -> None:
    for _ in batches:
        pass


def training_epoch(features: int) -> Callable[[Batches], None]:
    torch.manual_seed(0)
    model = network(features)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def epoch(batches: Batches) -> None:
        for x, y in batches:
            loss = nn.functional.binary_cross_entropy_with_logits(model(x).squeeze(1), y.float())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return epoch


def median_seconds(work: Callable[[Batches], None], batches: Batches, epochs: int) -> float:
    times = []
    for number in range(epochs + 3):
        if isinstance(batches, InMemoryLoader):
            batches.set_epoch(number)
        start = time.perf_counter()
        work(batches)
        times.append(time.perf_counter() - start)
    return statistics.median(times[3:])  # the first three warm up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=15_000)
    parser.add_argument("--features", type=int, default=54)
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="five epochs")
    options = parser.parse_args()
    if options.quick:
        options.epochs = 5
    torch.set_num_threads(options.threads)
    x, y = torch.randn(options.rows, options.features), torch.randint(0, 2, (options.rows,))
    ours = InMemoryLoader([x, y], options.batch_size, shuffle=True)
    bare = median_seconds(training_epoch(options.features), ours, options.epochs)
    print(f"{options.rows:,} x {options.features} at batch {options.batch_size}, {options.threads} thread(s)")
    print(f"{'bare PyTorch epoch':<42}{1e3 * bare:8.2f} ms")
    loaders: dict[str, Batches] = {
        "InMemoryLoader": ours,
        "DataLoader(TensorDataset, shuffle)": DataLoader(TensorDataset(x, y), options.batch_size, shuffle=True),
    }
    for name, loader in loaders.items():
        seconds = median_seconds(fetch, loader, options.epochs)
        print(f"{name:<42}{1e3 * seconds:8.2f} ms  {100 * seconds / bare:6.1f} % of the bare epoch")


if __name__ == "__main__":
    main()
