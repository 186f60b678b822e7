"""The same ablation by three other libraries, for benchmarks/interventions.py; each raises ImportError where absent."""

import types
from collections.abc import Callable

from _interventions_network import Transformer, kept
from torch import Tensor, nn

__all__ = ["nnsight_step", "pyvene_step", "transformer_lens_step"]

Forward = Callable[[Tensor], Tensor]
Build = Callable[..., Transformer]


def transformer_lens_step(build: Build, place: str) -> tuple[Forward, nn.Module]:
    """Return a forward pass by `run_with_hooks`, with a HookPoint at every place."""
    from transformer_lens import HookedRootModule
    from transformer_lens.hook_points import HookPoint

    class Root(HookedRootModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = build(point=lambda _place: HookPoint())
            self.setup()

        def forward(self, x: Tensor) -> Tensor:
            return self.network(x)

    root = Root()
    half = root.network.count(place) // 2

    chosen = (..., slice(half), slice(None)) if place == "heads" else (..., slice(half))

    def ablate(x: Tensor, hook: HookPoint) -> Tensor:
        x = x.clone()
        x[chosen] = 0.0
        return x

    names = [f"network.blocks.{number}.{place}" for number in range(len(root.network.blocks))]
    return lambda x: root.run_with_hooks(x, fwd_hooks=[(name, ablate) for name in names]), root


def nnsight_step(build: Build, place: str) -> tuple[Forward, nn.Module]:
    """Return a forward pass inside a trace."""
    from nnsight import NNsight

    network = build()
    half, wrapped = network.count(place) // 2, NNsight(network)

    chosen = (..., slice(half), slice(None)) if place == "heads" else (..., slice(half))

    def forward(x: Tensor) -> Tensor:
        with wrapped.trace(x):
            for block in wrapped.blocks:
                written = getattr(block, place).output.clone()
                written[chosen] = 0.0
                getattr(block, place).output = written
            saved = wrapped.output.save()
        return saved  # noqa: RET504 (a return inside the trace would be traced)

    return forward, network


def pyvene_step(build: Build, place: str) -> tuple[Forward, nn.Module]:
    """Return a forward pass of an `IntervenableModel`, which registers and removes its hooks by itself."""
    import pyvene

    class Copy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.clone()

    # pyvene writes in place; attention needs its output once more in the backward pass
    network = build(point=lambda _place: Copy()) if place == "heads" else build()
    share = kept(network, place).float()
    # what it expects of a model of the transformers library
    network.config = types.SimpleNamespace(hidden_size=network.width, to_dict=dict)
    network.device = share.device

    def ablate(base: Tensor, source: object = None, subspaces: object = None) -> Tensor:
        return base * share

    components = [f"blocks[{number}].{place}.output" for number in range(len(network.blocks))]
    model = pyvene.IntervenableModel(
        [{"component": name, "intervention": ablate} for name in components], model=network
    )
    network.requires_grad_(True)  # it freezes the model that it is given
    return lambda x: model({"x": x})[1], network
