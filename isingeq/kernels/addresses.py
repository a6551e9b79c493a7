"""Kernels compiled on their own and called by address.

What a kernel calls is else compiled into it once more, and again into whatever calls that. An address is good for
this process alone: it comes in as a number, and no compiled kernel may hold one.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import cfunc, from_dtype, types
from numba.extending import intrinsic
from numpy.typing import DTypeLike

Arguments = Callable[[Any], tuple[Any, ...]]
"""The numba types of the arguments, told by that of the numbers in the panels."""


def address(function: Callable[..., None], arguments: Arguments, dtype: DTypeLike) -> int:
    """Return where a function of the module level stands, compiled for one precision."""
    return int(_compiled(function, arguments, np.dtype(dtype)).address)


@cache
def _compiled(function: Callable[..., None], arguments: Arguments, dtype: np.dtype[Any]) -> Any:
    kind = types.void(*arguments(from_dtype(dtype)))
    return cfunc(kind, cache=True, error_model="numpy", _nrt=False)(function)


def caller(arguments: Arguments) -> Callable[..., None]:
    """Build `call(address, …)` for functions with these arguments; the first is a panel, or starts with one."""

    @intrinsic
    def call(typing, where, *given):  # type: ignore[no-untyped-def]
        panel = given[0] if isinstance(given[0], types.Array) else given[0].types[0]
        kinds = arguments(panel.dtype)
        if any(typing.can_convert(*pair) is None for pair in zip(given, kinds, strict=True)):
            return None  # numba's refusal
        wanted = types.StarArgTuple.from_types(kinds)

        def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
            values = [builder.extract_value(args[1], k) for k in range(len(kinds))]
            kind = ir.FunctionType(
                context.get_value_type(types.none), [value.type for value in values]
            )
            builder.call(builder.inttoptr(args[0], kind.as_pointer()), values)
            return context.get_dummy_value()

        return types.void(types.int64, wanted), generate

    return call
