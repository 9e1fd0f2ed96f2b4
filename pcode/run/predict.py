"""The outputs of a network for given inputs, with its weights held."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, Literal, get_args, overload

import numpy as np

from ..base import checks
from ..base.errors import InputError
from ..model.network import Array, Network, Weights
from ..model.phase import Phase
from ..model.state import State
from ..system.loss import outputs
from ..system.problem import feedforward, given_nodes, make_problem
from ..system.rest import AT_REST, nodes_at_rest
from .result import Run

Method = Literal["equilibrium", "feedforward"]

# Bytes that samples computed at the same time may take, and the most samples.
AT_ONCE, MOST_AT_ONCE = 256e6, 8192

# For the samples of a block, shape (b, n_0), whose first one is number `first`: x^n, shape (b, n_n).
Outputs = Callable[[int, Array], Array]


@overload
def predict(run: Run, inputs: Any, /, *, method: Method = "equilibrium") -> Array: ...


@overload
def predict(
    network: Network, weights: Weights, inputs: Any, /, *, method: Method = "equilibrium"
) -> Array: ...


def predict(*given: Any, method: Method = "equilibrium") -> Array:
    """The outputs of a network: x^n for the values that layer 0 is clamped to, with the weights held.

    Called as ``predict(run, inputs)``, with the weights that the run ended with, or as
    ``predict(network, weights, inputs)``.

    Parameters
    ----------
    run : Run
    network : Network
    weights : Weights
    inputs : array_like, shape (B, n_0)
    method : {"equilibrium", "feedforward"}
        All nodes at rest, at the equilibrium to which their flow leads from the feedforward pass; or this
        pass itself. The two are the same where `node_decay` is 0.

    Returns
    -------
    ndarray, shape (B, n_n)

    Raises
    ------
    InputError
        If an argument does not fit, or for some inputs no equilibrium is reached.
    """
    network, weights, inputs = _arguments(given)
    checks.word("method", method, get_args(Method))
    if method == "feedforward":
        return _in_blocks(partial(_forward, network, weights), inputs, MOST_AT_ONCE)
    return _in_blocks(partial(_at_rest, network, weights), inputs, _at_once(network))


def _arguments(given: tuple[Any, ...]) -> tuple[Network, Weights, Array]:
    right = "a pcode.Run and inputs, or a pcode.Network, its weights and inputs"
    if not given or not isinstance(given[0], Run | Network):
        what = checks.shown(given[0]) if given else "nothing"
        raise InputError("run", f"must be {right}, not {what}")
    of_run = isinstance(given[0], Run)
    first: Any = given[0]
    if len(given) != (2 if of_run else 3):
        missing = "inputs" if of_run or len(given) == 2 else "weights"
        what = "is missing" if len(given) < (2 if of_run else 3) else "is followed by something else"
        raise InputError(missing, f"{what}; give {right}")
    network: Network = first.network if of_run else first
    _ = network.sigma  # not those of a file whose functions are not loaded
    try:
        weights = network.check_weights(first.weights if of_run else given[1])
    except InputError as error:
        raise (error if error.where == "weights" else error.within("weights")) from None
    inputs = checks.real_array("inputs", given[-1])
    if inputs.ndim != 2 or not len(inputs) or inputs.shape[1] != network.sizes[0]:
        what = f"has shape {inputs.shape}; must be (samples, {network.sizes[0]}), one row a sample"
        raise InputError("inputs", what)
    if not np.isfinite(inputs).all():
        row, column = np.argwhere(~np.isfinite(inputs))[0]
        what = f"must be finite, but value {column} of sample {row} is {inputs[row, column]}"
        raise InputError("inputs", what)
    return network, weights, inputs


def _in_blocks(found_of: Outputs, inputs: Array, size: int) -> Array:
    """The outputs for all `inputs`, `size` at a time; the last ones again, so that all blocks are alike."""
    count = len(inputs)
    if count <= size:
        return found_of(0, inputs)
    starts = [min(start, count - size) for start in range(0, count, size)]
    found = np.empty((count, 0))
    for start in starts:
        block = found_of(start, inputs[start : start + size])
        if not found.size:
            found = np.empty((count, block.shape[1]))
        found[start : start + size] = block
    return found


def _at_once(network: Network) -> int:
    """How many samples are brought to rest at the same time."""
    # Some vectors of all nodes, and matrices of the smaller of two joined layers.
    matrices = sum(min(a, b) ** 2 for a, b in pairwise(network.sizes))
    bytes_each = 8 * (4 * matrices + 40 * sum(network.sizes))
    return int(np.clip(AT_ONCE / bytes_each, 1, MOST_AT_ONCE))


def _forward(network: Network, weights: Weights, first: int, inputs: Array) -> Array:
    return np.array(outputs(weights._replace(W=None), inputs, network.activation))


def _at_rest(network: Network, weights: Weights, first: int, inputs: Array) -> Array:
    phase = Phase("predict", {0: inputs}, duration=1.0, learn=False)
    batch = len(inputs)
    x = feedforward(network, weights, given_nodes(network, phase, batch))
    state = State(x, tuple(np.zeros((batch, size)) for size in network.sizes[1:]), weights)
    rest = nodes_at_rest(make_problem(network, phase, state, reduce=False), step=1.0)
    if not rest.found:
        lost = np.flatnonzero(~(rest.residual <= AT_REST))
        more = f", nor for {lost.size - 1:,} others" if lost.size > 1 else ""
        where = f"no equilibrium was reached from the feedforward pass for sample {first + lost[0]}"
        right = 'take method = "feedforward", or a smaller node_decay or larger nu'
        what = f"{where} (residual {rest.residual[lost[0]]:.1e}){more}; {right}"
        raise InputError("inputs", what)
    return np.array(rest.state.x[-1])
