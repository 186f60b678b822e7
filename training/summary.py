"""The one screen at the end of a run."""

import shlex
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

__all__ = ["print_summary", "run_folder"]


def print_summary(verb: str, trainer: Trainer, model: LightningModule, seed: Any, seconds: float) -> None:
    """Print metrics by name, parameters, time, seed, and where things are.

    Args:
        verb: fit, validate, test or predict.
        trainer: The trainer that ran.
        model: The model that it ran.
        seed: The run's seed.
        seconds: Wall-clock time of the run.
    """
    metrics = [(name, f"{float(value):.4f}") for name, value in sorted(trainer.callback_metrics.items())]
    rows = metrics + _facts(trainer, model, seed, seconds)
    width = max(len(name) for name, _ in rows)
    print(f"\n{verb} finished")
    # Plain lines, never wrapped: paths and commands stay ready to copy.
    for name, text in rows:
        print(f"  {name:<{width}}  {text}")


def run_folder(trainer: Trainer) -> Path:
    """Return the folder of the run on this rank; `trainer.log_dir` asks all ranks, which may be gone by now."""
    folders = (getattr(logger, "log_dir", None) for logger in trainer.loggers)
    return Path(next((folder for folder in folders if folder), trainer.default_root_dir))


def _facts(trainer: Trainer, model: LightningModule, seed: Any, seconds: float) -> list[tuple[str, str]]:
    parameters = sum(p.numel() for p in model.parameters())
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    frozen = f" ({trainable:,} trainable)" if trainable != parameters else ""
    facts = [
        ("parameters", f"{parameters:,}{frozen}"),
        ("time", _time(trainer, seconds)),
        ("seed", str(seed)),
    ]
    checkpoint = next((c for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint)), None)
    if trainer.state.fn == "fit" and checkpoint is not None:
        facts += _checkpoint_facts(checkpoint)
    elif trainer.ckpt_path:
        facts.append(("weights from", str(_shown(trainer.ckpt_path))))
    if trainer.loggers:
        facts.append(("run folder", str(_shown(run_folder(trainer)))))
    return facts


def _checkpoint_facts(checkpoint: ModelCheckpoint) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    best = checkpoint.best_model_path if checkpoint.monitor else ""
    if best:
        score = f"{checkpoint.monitor} {float(checkpoint.best_model_score or 0):.4f}, selected on it: optimistic"
        facts.append(("best checkpoint", f"{_shown(best)}  ({score})"))
    last = checkpoint.last_model_path or ("" if checkpoint.monitor else checkpoint.best_model_path)
    if last:
        facts.append(("last checkpoint", str(_shown(last))))
    if best or last:
        facts.append(("next", f"axonlight test --ckpt_path {shlex.quote(str(_shown(best or last)))}"))
    return facts


def _time(trainer: Trainer, seconds: float) -> str:
    if trainer.state.fn != "fit" or not trainer.global_step:
        return f"{seconds:.1f} s"
    return f"{seconds:.1f} s for {trainer.current_epoch} epochs, {trainer.global_step} steps"


def _shown(path: str | Path) -> Path:
    path = Path(path)
    return path.relative_to(Path.cwd()) if path.is_absolute() and path.is_relative_to(Path.cwd()) else path
