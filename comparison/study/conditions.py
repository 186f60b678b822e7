"""Under what conditions the figures of a study were made, as its report states them."""

import os
import platform
from datetime import datetime

from ..design.plan import Plan

__all__ = ["describe_conditions"]


def describe_conditions(plan: Plan, fingerprint: str | None, command: str = "") -> dict[str, str]:
    """Return data, versions, command, machine and date as text.

    Example:
        >>> from axonlight.comparison.design import PlannedRun
        >>> recipe = {"config": {"data": {"class_path": "datamodules.BreastCancer"}}, "versions": {"torch": "2.13"}}
        >>> found = describe_conditions(Plan((PlannedRun("real", 0, 0, 0, None, recipe, "key"),)), "a1b2")
        >>> found["data"], found["versions"]
        ('BreastCancer, checksum a1b2', 'torch 2.13')
    """
    recipe = plan.runs[0].recipe
    data = recipe["config"]["data"]["class_path"].rpartition(".")[2]
    found = {
        "data": data + (f", checksum {fingerprint}" if fingerprint else ""),
        "versions": ", ".join(f"{name} {version}" for name, version in recipe["versions"].items()),
        "command": command,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "date": f"{datetime.now():%Y-%m-%d %H:%M}",
    }
    return {label: text for label, text in found.items() if text}
