"""Measures of in-context learning: what heads attend to, and when a curve leaves its plateau.

Legend of shapes: B batch, H heads, Q queries (T, or the last one alone), T tokens x_1 y_1 ... x_q, E - 1 labels.
"""

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ..errors import InputError

__all__ = ["LEARNED_BELOW", "induction_strength", "phase_change_point", "plateau_share", "previous_token_score"]

# 0.4 times the loss of guessing between the two labels of the context.
LEARNED_BELOW = 0.4 * math.log(2)


def induction_strength(pattern: Tensor, labels: Tensor, target: Tensor) -> Tensor:
    """Return per head the attention of the query to the correct label minus that to an incorrect one, mean over B.

    1 for a perfect induction head, 0 for one that does not tell the labels apart. With several incorrect labels their
    mean counts. Sequences whose labels are all correct, or none, are left out; NaN where no sequence is left.

    Source: Singh et al. 2024, arXiv 2404.07129.

    Args:
        pattern: (B, H, Q, T) attention after the softmax; the last query is read.
        labels: int64 (B, E - 1).
        target: int64 (B,).

    Returns:
        (H,).

    Raises:
        InputError: If the pattern has not T = 2 E - 1 keys.

    Example:
        >>> import torch
        >>> pattern = torch.tensor([[[[0.1, 0.2, 0.0, 0.7, 0.0]]]])
        >>> induction_strength(pattern, torch.tensor([[4, 1]]), torch.tensor([1]))
        tensor([0.5000])
    """
    keys = 2 * labels.shape[1] + 1
    if pattern.dim() != 4 or pattern.shape[-1] != keys:
        raise InputError(
            f"the pattern has shape {tuple(pattern.shape)}; with {labels.shape[1]} labels it must be "
            f"(batch, head, query, {keys})"
        )
    correct = labels == target[:, None]
    defined = correct.any(1) & ~correct.all(1)
    weights = pattern[defined][:, :, -1, 1::2]
    right = correct[defined].to(pattern.dtype)[:, None]
    wrong = 1 - right
    return ((weights * right).sum(-1) / right.sum(-1) - (weights * wrong).sum(-1) / wrong.sum(-1)).mean(0)


def previous_token_score(pattern: Tensor, labels_only: bool = False) -> Tensor:
    """Return per head the attention of a token to the one before it, mean over tokens but the first and over B.

    Args:
        pattern: (B, H, T, T) attention after the softmax.
        labels_only: Whether to take the mean over labels (odd positions) alone.

    Returns:
        (H,).

    Raises:
        InputError: If there is not one row per token, or there is one token only.

    Example:
        >>> import torch
        >>> previous_token_score(torch.eye(5).roll(1, dims=0)[None, None])
        tensor([1.])
    """
    if pattern.dim() != 4 or pattern.shape[-1] != pattern.shape[-2] or pattern.shape[-1] < 2:
        raise InputError(
            f"the pattern has shape {tuple(pattern.shape)}; it must be (batch, head, token, token), with two or more"
        )
    before = pattern.diagonal(-1, dim1=-2, dim2=-1)
    return (before[..., ::2] if labels_only else before).mean(dim=(0, -1))


def phase_change_point(
    samples: Sequence[float], losses: Sequence[float], threshold: float = LEARNED_BELOW, hold: int = 1
) -> float:
    """Return when a network has learned: after how many samples its loss is below a threshold.

    The rule: the first evaluation whose loss, and those of the `hold` - 1 evaluations after it, lie below the
    threshold. No interpolation: times are as coarse as the evaluations. NaN if there is none.

    Args:
        samples: Samples trained on at each evaluation, increasing.
        losses: Loss at each evaluation.
        threshold: 0.277 = 0.4 ln 2, that of Singh et al. 2024, arXiv 2404.07129.
        hold: Number of evaluations in a row.

    Raises:
        InputError: If the two differ in length, samples do not increase, or `hold` is not positive.

    Example:
        >>> phase_change_point([0, 2048, 4096, 6144], [1.6, 0.7, 0.2, 0.1])
        4096.0
        >>> phase_change_point([0, 2048], [1.6, 0.7])
        nan
    """
    time, loss = _curve(samples, losses)
    if hold < 1:
        raise InputError(f"hold is {hold}; it must be a positive integer")
    below = loss < threshold
    for place in range(len(below) - hold + 1):
        if below[place : place + hold].all():
            return float(time[place])
    return math.nan


def plateau_share(
    samples: Sequence[float],
    losses: Sequence[float],
    level: float = math.log(2),
    tolerance: float = 0.1,
    threshold: float = LEARNED_BELOW,
) -> float:
    """Return which part of the time until a network has learned its loss spends near the level of guessing.

    The rule: the share of the samples from the start to `phase_change_point` (to the end, if that is never reached)
    during which the curve, linear between evaluations, lies within `tolerance` times the level of the level. A loss
    that falls exponentially from ln 5 to the threshold spends 11 % of the time within 10 % of ln 2. Look at the first
    loss too: a curve that starts at the level was near it from the start, which is no plateau that it fell to.

    Args:
        samples: Samples trained on at each evaluation, increasing.
        losses: Loss at each evaluation.
        level: Loss of guessing between the labels of the context, ln 2 for two.
        tolerance: Half the width of the band, as a part of the level.
        threshold: That of `phase_change_point`.

    Returns:
        From 0 to 1; NaN for fewer than two evaluations.

    Raises:
        InputError: If the two differ in length or samples do not increase.

    Example:
        >>> plateau_share([0, 1, 2, 3, 4], [1.6, 0.693, 0.693, 0.693, 0.1])
        0.5485
    """
    time, loss = _curve(samples, losses)
    learned = phase_change_point(samples, losses, threshold)
    if not math.isnan(learned):
        last = int(np.flatnonzero(time == learned)[0]) + 1
        time, loss = time[:last], loss[:last]
    if len(time) < 2:
        return math.nan
    low, high = level * (1 - tolerance), level * (1 + tolerance)
    # Fine enough that the band's edges are met to within a thousandth of an interval.
    fine = np.linspace(0, len(time) - 1, 1000 * (len(time) - 1) + 1)
    fine = (fine[1:] + fine[:-1]) / 2
    inside = np.interp(fine, np.arange(len(time)), loss)
    widths = np.diff(time)[fine.astype(int)]
    near = (inside >= low) & (inside <= high)
    return float(widths[near].sum() / widths.sum())


def _curve(samples: Sequence[float], losses: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    time, loss = np.asarray(samples, dtype=float), np.asarray(losses, dtype=float)
    if time.ndim != 1 or time.shape != loss.shape:
        raise InputError(
            f"samples have shape {time.shape} and losses {loss.shape}; both must be one list of one length"
        )
    if (np.diff(time) <= 0).any():
        raise InputError("samples do not increase from evaluation to evaluation; sort the curve by samples")
    return time, loss
