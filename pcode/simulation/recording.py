"""The rows of a result as they are reached, and the dataset made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..model.network import Array, Network, Weights
from ..solvers.steps import MOST, Steps, thinned

# Time has the unit in which tau is given, and delta too.
TIME_UNITS = "unit of tau"
TIME_UNITS_OF_LIMIT = "unit of delta"


class Recorder:
    """Fills the arrays of a result, row by row.

    Parameters
    ----------
    network : Network
    samples : int
        Number S of samples in all phases together.
    node_rows, weight_rows : int
        Most rows that will come.
    """

    def __init__(self, network: Network, samples: int, node_rows: int, weight_rows: int) -> None:
        self._network = network
        self._samples = samples
        sizes, links = network.sizes, network.links

        def nodes(size: int) -> Array:
            return np.full((node_rows, samples, size), np.nan)

        def weights(*shape: int) -> Array:
            return np.empty((weight_rows, *shape))

        self._x = [nodes(size) for size in sizes]
        self._eps = [nodes(size) for size in sizes[1:]]
        self._energies = np.empty((2, node_rows, network.n))
        self._M = [weights(a, b) for a, b in links]
        self._W = [weights(b, a) for a, b in links] if network.feedback != "tied" else None
        self._beta = [weights(size) for size in sizes[1:]]
        self._clock: list[tuple[float, int]] = []
        self._weight_clock: list[tuple[float, int]] = []
        self._steps: dict[int, Steps] = {}

    def save_nodes(
        self,
        t: float,
        phase: int,
        samples: Sequence[int],
        nodes: tuple[tuple[Array, ...], tuple[Array, ...]],
        energies: tuple[Array, Array],
    ) -> None:
        """Add a row for the nodes of `samples`; t is the run's time, `phase` an index."""
        row = len(self._clock)
        for kept, values in zip((*self._x, *self._eps), (*nodes[0], *nodes[1]), strict=True):
            kept[row, samples] = values
        self._energies[:, row] = energies
        self._clock.append((t, phase))

    def save_weights(self, t: float, phase: int, weights: Weights) -> None:
        """Add a row for the weights; t is the run's time, `phase` an index."""
        row = len(self._weight_clock)
        M, W, beta = weights
        kept = (*self._M, *(self._W or ()), *self._beta)
        for rows, values in zip(kept, (*M, *(W or ()), *beta), strict=True):
            rows[row] = values
        self._weight_clock.append((t, phase))

    def save_steps(self, phase: int, t_start: float, steps: Steps) -> None:
        """Add the solver's steps, shape (K, 3), see `StepLog`, of a stretch that began at `t_start`."""
        shifted = steps + np.array([t_start, 0.0, 0.0])
        before = [self._steps[phase]] if phase in self._steps else []
        self._steps[phase] = thinned(np.concatenate([*before, shifted]), MOST)

    def dataset(self, attributes: Mapping[str, Any]) -> xr.Dataset:
        """The rows so far, labelled, with `attributes`."""
        n, units = self._network.n, [f"unit{k}" for k in range(self._network.n + 1)]
        rows, weight_rows = len(self._clock), len(self._weight_clock)
        variables: dict[str, tuple[Any, ...]] = {}

        def add(name: str, dims: tuple[str, ...], values: Any, long_name: str) -> None:
            variables[name] = (dims, values, {"long_name": long_name, "units": "dimensionless"})

        for k in range(n + 1):
            add(f"x{k}", ("time", "sample", units[k]), self._x[k][:rows], f"value nodes of layer {k}")
        for k in range(1, n + 1):
            dims = ("time", "sample", units[k])
            add(f"eps{k}", dims, self._eps[k - 1][:rows], f"error nodes of layer {k}")
        for k in range(n):
            dims = ("weight_time", units[k], units[k + 1])
            long_name = f"prediction weights from layer {k} to layer {k + 1}"
            add(f"M{k}", dims, self._M[k][:weight_rows], long_name)
        for k, W in enumerate(self._W or ()):
            dims = ("weight_time", units[k + 1], units[k])
            add(f"W{k}", dims, W[:weight_rows], f"feedback weights from layer {k + 1} to layer {k}")
        for k in range(1, n + 1):
            long_name = f"bias of the prediction of layer {k}"
            add(f"beta{k}", ("weight_time", units[k]), self._beta[k - 1][:weight_rows], long_name)
        energies = self._energies[:, :rows]
        add("energy", ("time", "layer"), energies[0], "energy F by layer, error nodes as they are")
        add("energy_slaved", ("time", "layer"), energies[1], "energy F by layer, error nodes at rest value")
        return xr.Dataset(variables | self._phases(), self._coordinates(), dict(attributes))

    def _phases(self) -> dict[str, tuple[Any, ...]]:
        def index(clock: list[tuple[float, int]], what: str) -> tuple[Any, ...]:
            values = np.array([phase for _, phase in clock], dtype=np.int64)
            return values, {"long_name": f"index of the phase of the saved {what}"}

        return {
            "phase": ("time", *index(self._clock, "nodes")),
            "weight_phase": ("weight_time", *index(self._weight_clock, "weights")),
        }

    def solver(self) -> xr.Dataset:
        """The solver's steps so far."""
        share = MOST // max(1, len(self._steps))
        whole = sum(map(len, self._steps.values())) <= MOST
        kept = {k: steps if whole else thinned(steps, max(6, share)) for k, steps in self._steps.items()}
        time, size, order = np.concatenate([np.empty((0, 3)), *kept.values()]).T
        phase = np.repeat(np.array([*kept], dtype=np.int64), [len(steps) for steps in kept.values()])
        units = {"units": self._time_units}
        variables = {
            "step_time": ("step", time, {"long_name": "time at the end of the solver's step"} | units),
            "step_size": ("step", size, {"long_name": "length of the solver's step"} | units),
            "step_order": (
                "step", order, {"long_name": "order of the solver's step", "units": "dimensionless"}
            ),
            "step_phase": ("step", phase, {"long_name": "index of the phase of the solver's step"}),
        }  # fmt: skip
        return xr.Dataset(variables)

    @property
    def _time_units(self) -> str:
        return TIME_UNITS if self._network.tau > 0.0 else TIME_UNITS_OF_LIMIT

    def _coordinates(self) -> dict[str, tuple[Any, ...]]:
        def times(clock: list[tuple[float, int]], what: str) -> tuple[Any, ...]:
            values = np.array([t for t, _ in clock])
            return values, {"long_name": f"time of the saved {what}", "units": self._time_units}

        layers = np.arange(1, self._network.n + 1)
        return {
            "time": ("time", *times(self._clock, "nodes")),
            "weight_time": ("weight_time", *times(self._weight_clock, "weights")),
            "sample": ("sample", np.arange(self._samples), {"long_name": "sample: row of the data"}),
            "layer": ("layer", layers, {"long_name": "layer"}),
        }
