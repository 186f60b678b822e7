"""When each of many replicas stops, as it would alone.

Legend of shapes: R replicas.
"""

import copy
import math

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping

__all__ = ["ReplicaStopping"]


class ReplicaStopping:
    """One copy of an early stopping per replica, and the best value that each has seen.

    Args:
        rule: The early stopping that every replica would have alone.
        count: Number of replicas.

    Example:
        >>> stopping = ReplicaStopping(EarlyStopping("val/loss", patience=1), count=2)
        >>> [stopping.should_stop(0, {"val/loss": loss}) for loss in (0.5, 0.6)]
        [False, True]
        >>> [stopping.is_best(1, {"val/loss": loss}) for loss in (0.5, 0.6, 0.4)]
        [True, False, True]
    """

    def __init__(self, rule: EarlyStopping, count: int) -> None:
        self.monitor = rule.monitor
        self._rules = [copy.deepcopy(rule) for _ in range(count)]
        self._best = [math.inf] * count
        self._sign = 1.0 if rule.mode == "min" else -1.0

    def checks_after_training(self, trainer: Trainer) -> bool:
        """Whether the rule is looked at when an epoch ends, rather than after every validation."""
        given = self._rules[0]._check_on_train_epoch_end
        return trainer.val_check_interval == 1.0 and trainer.check_val_every_n_epoch == 1 if given is None else given

    def is_best(self, replica: int, values: dict[str, float]) -> bool:
        """Whether a replica's monitored value is better than all before; the training loss chooses no weights."""
        value = values.get(self.monitor)
        if value is None or self.monitor.startswith("train/") or not self._sign * value < self._best[replica]:
            return False
        self._best[replica] = self._sign * value
        return True

    def should_stop(self, replica: int, values: dict[str, float]) -> bool:
        """Count a replica's monitored value, and say whether its training ends.

        Raises:
            RuntimeError: If there is no such value, in the rule's own words.
        """
        rule = self._rules[replica]
        tensors = {name: torch.tensor(value) for name, value in values.items()}
        if not rule._validate_condition_metric(tensors):
            return False
        return rule._evaluate_stopping_criteria(tensors[self.monitor])[0]
