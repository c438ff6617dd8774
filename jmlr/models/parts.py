"""The parts of a model, told by the types of its modules: a name such as `norm` is one family's only."""

from __future__ import annotations

from torch import nn

PARTS = ("adapters", "embeddings", "norms", "layers")


def part_of_each(model: nn.Module) -> dict[str, str]:
    """The part of each parameter by its name, as `named_parameters` gives it.

    Adapters are PEFT's; what is tied to an embedding is one; all that is none of the others are layers.

    >>> part_of_each(nn.Sequential(nn.Embedding(5, 2), nn.LayerNorm(2, bias=False), nn.Linear(2, 1, bias=False)))
    {'0.weight': 'embeddings', '1.weight': 'norms', '2.weight': 'layers'}
    """
    owned = [
        (id(parameter), _kind(module)) for module in model.modules() for parameter in module.parameters(recurse=False)
    ]
    kinds = dict(sorted(owned, key=lambda one: one[1] == "embeddings"))
    return {name: "adapters" if "lora_" in name else kinds[id(p)] for name, p in model.named_parameters()}


def _kind(module: nn.Module) -> str:
    if isinstance(module, nn.Embedding):
        return "embeddings"
    return "norms" if "norm" in type(module).__name__.lower() else "layers"


def linear_layers(model: nn.Module) -> list[str]:
    """The last parts of the names of the layers that can have an adapter, each once, sorted; without the output layer.

    >>> linear_layers(nn.ModuleDict({"up": nn.Linear(2, 2), "down": nn.Linear(2, 2), "seen": nn.Embedding(5, 2)}))
    ['down', 'up']
    """
    from transformers.pytorch_utils import Conv1D  # a linear layer, its weight the other way round

    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    layers = [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear | Conv1D) and layer != head]
    return sorted({name.rsplit(".", 1)[-1] for name in layers})
