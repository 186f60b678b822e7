"""Rows for an engine, from a data module."""

import numpy as np

from ...datamodules import TableDataModule
from ...datamodules.encoding import numeric_values
from .base import SearchRows

__all__ = ["search_rows"]


def search_rows(data: TableDataModule, *, leak: bool = False) -> SearchRows:
    """Return the training rows of a data module as an engine may see them.

    Args:
        data: Any table; it is set up if it is not yet.
        leak: Return every row, test rows included, in the order of the table and (where all columns are numeric) not
            scaled: what the published search saw. It exists to measure what that does, and for nothing else.

    Example:
        >>> from axonlight.datamodules import BreastCancer
        >>> data = BreastCancer()
        >>> search_rows(data).x.shape, search_rows(data, leak=True).x.shape
        ((398, 30), (569, 30))
    """
    data.setup()
    if not leak:
        x, y = (tensor.numpy() for tensor in data.train_dataloader().tensors[:2])
        return SearchRows(x.astype(np.float64), y, data.task)
    frame = data.table()
    numeric = data.missing == "error" and not data.encoder.levels
    x = (
        numeric_values(frame, data.encoder.numeric, data.source)
        if numeric
        else data.encoder.transform(frame, data.source)
    )
    return SearchRows(x.astype(np.float64), data.target.encode(frame, data.source), data.task)
