"""Matrices and biases from the names and shapes of a PyTorch ``state_dict``; PyTorch itself is not needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import checks
from ..base.errors import InputError

Array = NDArray[np.float64]

WHERE = "state_dict"


def linear_layers(state_dict: Mapping[str, Any]) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """M and beta of the fully connected layers in a ``state_dict``, in its order.

    Parameters
    ----------
    state_dict : mapping of str to array
        ``weight`` (outputs, inputs) and, where there is one, ``bias`` (outputs,) of each layer.

    Raises
    ------
    InputError
        Naming every entry that is of no such layer, or does not fit the layer before.
    """
    if not isinstance(state_dict, Mapping):
        is_module = callable(getattr(state_dict, "state_dict", None))
        right = "give model.state_dict()" if is_module else "give a mapping from names to arrays"
        raise InputError(WHERE, f"must be a state_dict, not {checks.shown(state_dict)}; {right}")
    if isinstance(state_dict.get("state_dict"), Mapping):
        raise InputError(WHERE, 'is a checkpoint; give its entry "state_dict"')
    layers = _by_layer(state_dict)
    problems: list[str] = []
    M: list[Array] = []
    beta: list[Array] = []
    for layer, parts in layers.items():
        weight, bias = parts["weight"], parts.get("bias")
        outputs, inputs = weight.shape
        if M and M[-1].shape[1] != inputs:
            found = f"{_key(layer, 'weight')} of shape {weight.shape} takes {inputs} inputs"
            problems.append(f"{found}, but the layer before has {M[-1].shape[1]} outputs")
        if bias is not None and bias.shape != (outputs,):
            problems.append(f"{_key(layer, 'bias')} has shape {bias.shape}; it must be ({outputs},)")
        M.append(np.ascontiguousarray(weight.T))
        beta.append(np.zeros(outputs) if bias is None else bias)
    if problems:
        raise InputError(WHERE, f"{'; '.join(problems)}; give layers in the order in which they follow")
    return tuple(M), tuple(beta)


def _by_layer(state_dict: Mapping[str, Any]) -> dict[str, dict[str, Array]]:
    """The weights and biases by the names of their layers."""
    layers: dict[str, dict[str, Array]] = {}
    strange: list[str] = []
    for key, value in state_dict.items():
        layer, _, part = str(key).rpartition(".")
        array = _array(str(key), value)
        if part not in ("weight", "bias") or array.ndim != (2 if part == "weight" else 1):
            strange.append(f"{key} of shape {array.shape}")
        else:
            layers.setdefault(layer, {})[part] = array
    alone = [layer for layer, parts in layers.items() if "weight" not in parts]
    strange += [f"{_key(layer, 'bias')} without a weight" for layer in alone]
    if strange:
        right = "only the weight (outputs, inputs) and bias (outputs,) of fully connected layers can be taken"
        raise InputError(WHERE, f"holds {', '.join(strange)}; {right}")
    if not layers:
        raise InputError(WHERE, "holds no layers; give the state_dict of a model with fully connected layers")
    return layers


def _key(layer: str, part: str) -> str:
    return f"{layer}.{part}" if layer else part


def _array(key: str, value: Any) -> Array:
    """A tensor, or an array, in float64."""
    # double: NumPy has no bfloat16.
    for method in ("detach", "cpu", "double", "numpy"):
        change = getattr(value, method, None)
        value = change() if callable(change) else value
    try:
        array = checks.real_array(key, value)
    except InputError as error:
        raise InputError(WHERE, f"{key} {error.what}") from None
    if not np.isfinite(array).all():
        raise InputError(WHERE, f"{key} has entries that are not finite")
    return array
