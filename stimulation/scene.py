"""What an opsin may look at while a batch passes through the network."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..errors import InputError
from ..models import Site

__all__ = ["Place", "Scene"]


@dataclass
class Scene:
    """The batch that passes through the network, and the activations that opsins read elsewhere.

    One scene is shared by all sites. What changes from batch to batch is written at the start of a batch only, never
    within a forward pass, except for `captured`, which a pass fills as it goes.

    Args:
        batch: Tensors of the batch by name, batch dimension first: "input", "target", and whatever the task adds.
        step_seed: int64 (), from (seed, step, rank): all randomness of the pass derives from it.
        captured: Activations of this pass at sites that some opsin reads, by the site's name.
        sources: Activations of other passes by the name of the source and of the site: an unperturbed first pass,
            another batch, another checkpoint.

    Example:
        >>> scene = Scene(batch={"target": torch.tensor([0, 1])})
        >>> scene.get("target").tolist()
        [0, 1]
        >>> scene.get("labels")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: the batch has no 'labels'; it has target
    """

    batch: Mapping[str, Tensor] = field(default_factory=dict)
    step_seed: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.int64))
    captured: dict[str, Tensor] = field(default_factory=dict)
    sources: dict[tuple[str, str], Tensor] = field(default_factory=dict)

    def get(self, name: str) -> Tensor:
        """Return a tensor of the batch.

        Raises:
            InputError: If the batch has none of that name.
        """
        if name not in self.batch:
            raise InputError(f"the batch has no {name!r}; it has {', '.join(self.batch) or 'nothing'}")
        return self.batch[name]


@dataclass(frozen=True)
class Place:
    """Where an opsin acts: the site, the meaning of the activation's dimensions, and the scene.

    Args:
        site: The site.
        axes: Meaning of the dimensions of the activation, see `Site.axes_of`.
        scene: The scene of the pass.
        number: Number of the stimulus within the protocol, which tells its random numbers from those of others.

    Example:
        >>> Place(Site("s", "s"), ("batch", "unit"), Scene()).along(torch.ones(8), "unit").shape
        torch.Size([1, 8])
    """

    site: Site
    axes: tuple[str, ...]
    scene: Scene
    number: int = 0

    def along(self, values: Tensor, *axes: str) -> Tensor:
        """Return values over some axes as a tensor that broadcasts to the activation.

        Example:
            >>> place = Place(Site("s", "s"), ("batch", "head", "query", "key"), Scene())
            >>> place.along(torch.ones(2, 8), "batch", "head").shape
            torch.Size([2, 8, 1, 1])
        """
        missing = [axis for axis in axes if axis not in self.axes]
        if missing:
            raise InputError(f"site {self.site.name} has no axis {missing[0]!r}; its axes are {', '.join(self.axes)}")
        order = sorted(range(len(axes)), key=lambda place: self.axes.index(axes[place]))
        sizes = {axis: values.shape[place] for place, axis in enumerate(axes)}
        return values.permute(order).reshape([sizes.get(axis, 1) for axis in self.axes])

    def captured(self, site: str) -> Tensor:
        """Return the activation of this pass at a site that came before.

        Raises:
            InputError: If it has not been reached in this pass.
        """
        if site not in self.scene.captured:
            raise InputError(
                f"site {site} has not been reached when site {self.site.name} reads it; it must come before"
            )
        return self.scene.captured[site]

    def source(self, name: str, site: str | None = None) -> Tensor:
        """Return the activation of another pass, at this site or another one.

        Raises:
            InputError: If that pass gave none there.
        """
        key = (name, site or self.site.name)
        if key not in self.scene.sources:
            raise InputError(f"the pass {name!r} gave no activation at site {key[1]}")
        return self.scene.sources[key]
