"""A second device without a GPU: tensors that compute as on the CPU, but say that they lie elsewhere.

As with CUDA, `.numpy()` of them is refused, so is an operation that mixes them with tensors of the CPU, and
`.to(ELSEWHERE)`, `.cpu()` and `device=ELSEWHERE` work. Only within `with ForeignDevice():`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

ELSEWHERE = torch.device("meta")
"""A device that torch knows everywhere; its own tensors have no values, those of ForeignDevice do."""

_MOVES = {torch.ops.aten.to, torch.ops.aten._to_copy, torch.ops.aten.copy_}
_INDEXED_FROM_THE_CPU = {
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put.default,
    torch.ops.aten.index_put_.default,
    torch.ops.aten._index_put_impl_.default,
}
"""As on CUDA: an index may lie on the CPU."""


class ForeignTensor(torch.Tensor):
    """Wraps the plain tensor that it is."""

    plain: torch.Tensor

    @staticmethod
    def __new__(cls, plain: torch.Tensor) -> ForeignTensor:
        with torch.inference_mode(False):  # else a view of an ordinary tensor could not be made
            made = torch.Tensor._make_wrapper_subclass(
                cls,
                plain.size(),
                strides=plain.stride(),
                storage_offset=plain.storage_offset(),
                dtype=plain.dtype,
                device=ELSEWHERE,
            )
        made.plain = plain
        return made

    def numpy(self, *, force: bool = False) -> Any:
        if force:
            return self.plain.numpy(force=True)
        raise TypeError(f"can't convert {ELSEWHERE} device type tensor to numpy. Use Tensor.cpu() first")

    def tolist(self) -> Any:
        return self.plain.tolist()

    def __repr__(self) -> str:
        return f"ForeignTensor({self.plain!r})"

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(function, args, kwargs or {})


class ForeignDevice(TorchDispatchMode):
    """Within it, ELSEWHERE is a device."""

    def __enter__(self) -> ForeignDevice:
        self._others = ExitStack()
        self._others.enter_context(_Copies())
        # Decoders ask for autocast by the name of their device.
        autocast = torch.autocast

        def on_cpu_too(device_type: str, *args: Any, **kwargs: Any) -> Any:
            return autocast("cpu" if device_type == ELSEWHERE.type else device_type, *args, **kwargs)

        replaced = mock.patch.object(torch, "autocast", on_cpu_too)
        self._others.enter_context(replaced)
        return super().__enter__()

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)
        self._others.close()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(function, args, kwargs or {})


class _Copies(TorchFunctionMode):
    """torch.tensor(numbers, device=ELSEWHERE), which torch itself would leave without values."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if function in (torch.tensor, torch.as_tensor) and kwargs.get("device") is not None:
            place = torch.device(kwargs.pop("device"))
            return function(*args, **kwargs).to(place)
        return function(*args, **kwargs)


def _run(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    foreign = any(isinstance(tensor, ForeignTensor) for tensor in tensors)
    asked = next((leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.device)), None)
    if function.overloadpacket in _MOVES:
        foreign = isinstance(args[0], ForeignTensor)
    elif foreign:
        _refuse_mixing(function, args, tensors)
    if asked is not None:
        foreign = asked.type == ELSEWHERE.type
    found = function(*tree_map(_plain, args), **tree_map(_plain, kwargs))
    if function._schema.is_mutable:
        outs = {id(_plain(tensor)): tensor for tensor in tensors}
        return tree_map(lambda one: outs.get(id(one), one), found)
    for one in tree_leaves(found):
        if isinstance(one, torch.Tensor) and one.device.type == ELSEWHERE.type:
            raise RuntimeError(f"{function} made a tensor without values")
    if not foreign:
        return found
    return tree_map(lambda one: ForeignTensor(one) if isinstance(one, torch.Tensor) else one, found)


def _refuse_mixing(function: Any, args: tuple[Any, ...], tensors: list[torch.Tensor]) -> None:
    if function in _INDEXED_FROM_THE_CPU and isinstance(args[0], ForeignTensor):
        tensors = [args[0], *(leaf for leaf in tree_leaves(args[2:]) if isinstance(leaf, torch.Tensor))]
    if any(not isinstance(tensor, ForeignTensor) and tensor.dim() for tensor in tensors):
        raise RuntimeError(f"Expected all tensors to be on the same device, but {function} met {ELSEWHERE} and cpu")


def _plain(value: Any) -> Any:
    if isinstance(value, torch.device):
        return torch.device("cpu")
    return value.plain if isinstance(value, ForeignTensor) else value
