"""Write predictions as a table."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer

__all__ = ["write_predictions"]


def write_predictions(outputs: Any, trainer: Trainer) -> Path | None:
    """Write ``predictions.csv`` into the run folder, one line per row of the data, in their order.

    Args:
        outputs: What `Trainer.predict` returned: a list of tensors (B,) or (B, C); a task may name the columns
            (`prediction_names`).
        trainer: The trainer that predicted.

    Returns:
        The file, or None where there was nothing to write.
    """
    if not outputs or not isinstance(outputs[0], torch.Tensor):
        return None
    import pandas as pd

    values = torch.cat(outputs).float().cpu()
    values = values if values.dim() == 1 else values.flatten(start_dim=1)
    names = getattr(getattr(trainer, "lightning_module", None), "prediction_names", None)
    if names is None:
        names = ["prediction"] if values.dim() == 1 else [f"probability_{i}" for i in range(values.shape[1])]
    folder = Path(trainer.log_dir or trainer.default_root_dir)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "predictions.csv"
    pd.DataFrame(values.numpy(), columns=names).to_csv(path, index_label="row")
    return path
