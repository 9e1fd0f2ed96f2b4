"""Coordinates of a run's state that a plane or a curve is drawn in: single unknowns and directions.

A coordinate is asked for by name: ``x1[0]`` or ``eps1[0]`` is a node of layer 1 (``x1[0,3]`` of the sample
in row 3 of the data), ``M0[2,1]``, ``W0[1,2]`` and ``beta1[0]`` are weights, ``pc1`` and ``pc2`` the first
principal components of a sample's nodes over the phase, ``wpc1`` and ``wpc2`` those of the weights, and
``mode1`` and ``mode2`` the plane of the nodes' slowest (or growing) eigenvectors at their equilibrium.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...base.errors import InputError
from ...model.network import Array, Network
from ...model.variables import BETA, BY_NAME, EPS, Variable, parsed, parsed_entry
from ...run.result import Run
from ...run.snapshot import Snapshot
from ...system.problem import Problem, in_numpy, make_problem, with_modes
from ...system.reduction import reduce_feedback
from ...system.rest import FOLLOWING, nodes_at_rest
from ..at_rest import rest_of, with_positive_tau
from ..spectra.jacobians import NodeSystem

_DIRECTION = re.compile(r"(pc|wpc|mode)([12])")


@dataclass(frozen=True)
class Coordinate:
    """A coordinate as it was asked for.

    Attributes
    ----------
    name : str
    kind : str
        A variable's name, or pc, wpc or mode.
    number : int
        Of the layer, or of the direction, 1 or 2.
    index : tuple of int
        Of a node (unit) or of a weight (row, column; one number of a bias).
    sample : int or None
        Row of the data; None where not said, or where it has none.
    """

    name: str
    kind: str
    number: int
    index: tuple[int, ...] = ()
    sample: int | None = None

    @classmethod
    def parse(cls, where: str, name: Any) -> Coordinate:
        """Read a coordinate's name.

        Raises
        ------
        InputError
            With the key `where`, if it is none.
        """
        text = name.strip() if isinstance(name, str) else ""
        direction, entry = _DIRECTION.fullmatch(text), parsed_entry(text)
        if direction:
            return cls(text, direction[1], int(direction[2]))
        if entry is None:
            what = (
                f"must be a coordinate such as x1[0], eps1[0], M0[0,0], beta1[0], pc1 or mode1, not {name!r}"
            )
            raise InputError(where, what)
        variable, layer, numbers = entry
        own = len(variable.axes)
        sample = numbers[own] if len(numbers) > own else None
        return cls(text, variable.name, layer, numbers[:own], sample)

    @property
    def variable(self) -> Variable | None:
        """The variable that it is an entry of; None of a direction."""
        return BY_NAME.get(self.kind)

    @property
    def of_weights(self) -> bool:
        """Whether it is one of the weights' and not of the nodes'."""
        return self.kind == "wpc" if self.variable is None else not self.variable.of_nodes

    def delta(self, network: Network, learn: bool | tuple[str, ...]) -> float | None:
        """Time constant of the weights of its link, of several the smallest; None for nodes."""
        if self.variable is not None:
            return network.deltas[self.variable.link(self.number)] if self.of_weights else None
        return min(network.deltas_of(learn)) if self.of_weights else None

    def clock(self, network: Network, learn: bool | tuple[str, ...]) -> float:
        """Its time constant: of its link, of the value or error node, or of several nodes the largest tau."""
        delta = self.delta(network, learn)
        if delta is not None:
            return delta
        if self.variable is None:
            return network.longest_tau
        of_errors = self.variable is EPS
        return (network.taus_eps if of_errors else network.taus)[self.number - self.variable.first]

    @property
    def single(self) -> bool:
        """Whether it is one unknown and no direction."""
        return self.variable is not None

    @property
    def array(self) -> str:
        """The array that it is an entry of, such as x1."""
        return f"{self.kind}{self.number}"

    @property
    def symbol(self) -> str:
        """In mathtext, without the dollar signs."""
        if self.variable is not None:
            return self.variable.label(self.number, self.index)
        return {"pc": "a", "wpc": "w", "mode": "u"}[self.kind] + f"_{self.number}"

    @property
    def label(self) -> str:
        """For an axis: what it is, and its symbol; all are dimensionless."""
        if self.variable is not None:
            of = f", sample {self.sample}" if self.sample is not None else ""
            return f"{self.variable.one} ${self.symbol}${of}"
        what = {"pc": "principal component of the nodes", "wpc": "principal component of the weights",
                "mode": "along the nodes' eigenvectors"}[self.kind]  # fmt: skip
        return f"{what}, ${self.symbol}$"


def checked_coordinate(
    snapshot: Snapshot, where: str, coordinate: Coordinate, moves: bool = True
) -> Coordinate:
    """`coordinate`, its sample filled in, if the moment has such a coordinate, which `moves` where it must.

    Raises
    ------
    InputError
        With the key `where`, if it has not.
    """
    network, record, name = snapshot.network, snapshot.record, coordinate.name
    if coordinate.of_weights and moves and not record.learn:
        raise InputError(where, f"{name} does not move: weights are held in {record.name!r}; take nodes")
    variable = coordinate.variable
    if variable is None:
        return coordinate
    if variable.feedback not in (None, network.feedback):
        raise InputError(where, f"{name} has no equation of its own: feedback is {network.feedback}; take M")
    layers = variable.layers(network.n)
    if coordinate.number not in layers:
        raise InputError(where, f"there is no {coordinate.array}: {variable} has {layers[0]}..{layers[-1]}")
    if variable is BETA and not network.bias:
        raise InputError(where, f"{name} is always 0: the network has no biases; take M")
    shape = tuple(network.sizes[coordinate.number + axis] for axis in variable.axes)
    if any(k >= size for k, size in zip(coordinate.index, shape, strict=True)):
        raise InputError(
            where, f"{name} is out of range: {coordinate.array} has shape {shape}, counted from 0"
        )
    if coordinate.of_weights:
        there = network.masks[coordinate.number] if len(variable.axes) == 2 else None
        index = coordinate.index if variable.axes == (0, 1) else coordinate.index[::-1]
        if there is not None and not there.there[index]:
            raise InputError(where, f"{name} is always 0: the mask says that there is no connection")
        if moves and isinstance(record.learn, tuple) and coordinate.array not in record.learn:
            moving = ", ".join(record.learn)
            what = f"does not move: it is held in {record.name!r}, where {moving} learn; take one of these"
            raise InputError(where, f"{name} {what}")
        return coordinate
    if variable is EPS and coordinate.number in network.slaved:
        what = f"{name} has no equation of its own: its errors are slaved to the values (tau_eps = 0)"
        raise InputError(where, f"{what}; take value nodes or weights")
    sample = record.samples[0] if coordinate.sample is None else coordinate.sample
    if sample not in record.samples:
        raise InputError(where, f"sample {sample} is not shown in {record.name!r}; take another")
    coordinate = replace(coordinate, sample=sample)
    row, unit = record.samples.index(sample), coordinate.index[0]
    if variable.clampable and not snapshot.free(coordinate.number)[row, unit]:
        raise InputError(where, f"{name} is clamped in {record.name!r} and does not move; take a free node")
    return coordinate


def labelled(coordinate: Coordinate, snapshot: Snapshot) -> Coordinate:
    """`coordinate` for a label: the sample is left out where there is but one."""
    return replace(coordinate, sample=None) if len(snapshot.record.samples) == 1 else coordinate


@dataclass(frozen=True, eq=False)
class Chart:
    """Coordinates on the space of unknowns: y = reference + sum_k q_k direction_k + the rest.

    Attributes
    ----------
    problem : Problem
        Whose unknowns y, shape (N,), these are; not reduced but for `learned` W that follows M.
    y0 : ndarray, shape (N,)
        The moment, or the equilibrium where modes are taken.
    coordinates : tuple of Coordinate
    directions, projectors : ndarray, shapes (N, K), (K, N)
        What a coordinate's unit changes, and what reads it: ``projectors @ directions`` is the identity.
    reference : ndarray, shape (N,)
        Where the coordinates are 0.
    snapshot : Snapshot
        Of the samples that matter.
    """

    problem: Problem
    y0: Array
    coordinates: tuple[Coordinate, ...]
    directions: Array
    projectors: Array
    reference: Array
    snapshot: Snapshot

    def read(self, y: Array) -> Array:
        """Coordinates, shape (K,), of the unknowns `y`."""
        coordinates: Array = self.projectors @ (y - self.reference)
        return coordinates

    def path(self, run: Run) -> tuple[Array, Array]:
        """Saved times of the phase, shape (T,), and the coordinates along it, shape (T, K)."""
        t, rows = _rows(run, self.snapshot.index)
        found = np.zeros((t.size, len(self.coordinates)))
        for name, part in self.problem.layout.slices.items():
            read = self.projectors[:, part]
            if read.any():
                along = values_along(run, self.snapshot, name, rows) - self.reference[part]
                found += along @ read.T
        return t, found


def values_along(run: Run, snapshot: Snapshot, name: str, rows: Any) -> Array:
    """The array `name` at saved rows of the nodes' time, shape (T, entries); weights interpolated."""
    if parsed(name)[0].of_nodes:
        shown = run.phases[snapshot.index].samples
        samples = [shown.index(sample) for sample in snapshot.record.samples]
        nodes = run.data[name].isel(time=rows, sample=samples).to_numpy()
        return nodes.reshape(len(rows), -1)
    t = run.data["time"].to_numpy()[rows]
    own = np.flatnonzero(run.data["weight_phase"].to_numpy() == snapshot.index)
    times = run.data["weight_time"].to_numpy()[own]
    values = run.data[name].isel(weight_time=own).to_numpy().reshape(own.size, -1)
    after = (
        np.clip(np.searchsorted(times, t), 1, max(own.size - 1, 1)) if own.size > 1 else np.zeros(t.size, int)
    )
    before = np.maximum(after - 1, 0)
    span = times[after] - times[before]
    share = np.divide(t - times[before], span, out=np.zeros_like(t), where=span > 0.0)[:, None]
    return (1.0 - share) * values[before] + share * values[after]  # type: ignore[no-any-return]


def _rows(run: Run, index: int) -> tuple[Array, Any]:
    rows = np.flatnonzero(run.data["phase"].to_numpy() == index)
    return run.data["time"].to_numpy()[rows], rows


def chart(run: Run, snapshot: Snapshot, names: tuple[tuple[str, Any], ...]) -> Chart:
    """The coordinates `names`, pairs of an option's key and a name, at a moment of a run.

    Raises
    ------
    InputError
        If a name is none, two are the same, or the moment has no such coordinate that moves.
    """
    snapshot = with_positive_tau(snapshot)
    parsed = [(where, Coordinate.parse(where, name)) for where, name in names]
    coordinates = tuple(checked_coordinate(snapshot, where, one) for where, one in parsed)
    if len({(w.kind, w.number, w.index, w.sample) for w in coordinates}) < len(coordinates):
        raise InputError(names[-1][0], f"must be another coordinate than {names[0][1]}")
    if len({"" if one.single else one.kind for one in coordinates}) > 1:
        what = f"cannot go with {names[0][1]}: take two directions of one kind, or two single unknowns"
        raise InputError(names[-1][0], what)
    if not any(one.of_weights for one in coordinates):
        chosen = {one.sample for one in coordinates if one.sample is not None}
        chosen = chosen or {snapshot.record.samples[0]}
        snapshot = snapshot.of_samples(tuple(sorted(chosen)))
    problem = moving_problem(snapshot, any(one.of_weights for one in coordinates), coordinates)
    y0 = reference = problem.y0
    if not np.isfinite(y0).all():
        what = f"the state at t = {snapshot.t:g} is not finite; choose an earlier time"
        raise InputError("time", what)
    if any(one.kind == "mode" for one in coordinates):
        rest = nearest_rest(problem, snapshot)
        if rest is None:
            near = f"the nodes have no equilibrium near where they are at t = {snapshot.t:g}"
            raise InputError("time", f"{near}; choose single nodes")
        y0 = reference = rest
    columns, origins = [], []
    for one in coordinates:
        column, origin = _direction(run, snapshot, replace_start(problem, y0), one)
        columns.append(column)
        origins.append(origin)
    directions = np.column_stack(columns)
    if any(origin is not None for origin in origins):
        reference = next(origin for origin in origins if origin is not None)
    else:
        reference = np.where(directions.any(axis=1), 0.0, reference)
    projectors: Array = np.asarray(np.linalg.pinv(directions), float)
    kept = tuple(labelled(one, snapshot) for one in coordinates)
    return Chart(problem, y0, kept, directions, projectors, reference, snapshot)


def replace_start(problem: Problem, y0: Array) -> Problem:
    """The same problem from `y0`."""
    return replace(problem, y0=y0, system=with_modes(problem.system, 0.0, y0))


def moving_problem(
    snapshot: Snapshot, learn: bool, coordinates: Sequence[Coordinate] = (), feedback: bool = False
) -> Problem:
    """Nodes and, with `learn`, weights as unknowns: all that learn, those of the `coordinates` at least.

    W is one by itself only if it is a coordinate, or with `feedback`; else it goes with M where both learn.
    """
    names: Any = learn
    if learn and isinstance(snapshot.record.learn, tuple):
        arrays = [one.array for one in coordinates if one.of_weights and one.single]
        names = (*snapshot.record.learn, *arrays)
    phase = replace(snapshot.phase, learn=names, until=None)
    problem = make_problem(snapshot.network, phase, snapshot.state, reduce=False)
    if feedback or any(one.kind == "W" for one in coordinates):
        return problem
    system, state, reduction = reduce_feedback(problem.system, snapshot.state, problem.reduction)
    return replace(problem, system=in_numpy(system), y0=system.layout.pack(state), reduction=reduction)


def nearest_rest(problem: Problem, snapshot: Snapshot) -> Array | None:
    """The unknowns with the nodes at the nearest equilibrium, stable or not; None where none is found."""
    held = snapshot.problem(learn=False, until=None)
    rest = nodes_at_rest(held, FOLLOWING)
    if not rest.found:
        rest = rest_of(snapshot, FOLLOWING)
    if not rest.found:
        return None
    y = problem.y0.copy()
    nodes = held.layout.pack(rest.state)
    y[: nodes.size] = nodes
    return y


def _direction(
    run: Run, snapshot: Snapshot, problem: Problem, coordinate: Coordinate
) -> tuple[Array, Array | None]:
    """What a unit of the coordinate changes, shape (N,), and where it is 0 if that is not at 0."""
    layout = problem.layout
    unit = np.zeros(layout.size)
    if coordinate.kind == "mode":
        pair, shown = modes(problem)
        unit[shown] = pair[coordinate.number - 1]
        return unit, problem.y0
    if coordinate.kind in ("pc", "wpc"):
        names = list(layout.weight_names if coordinate.of_weights else layout.node_names)
        return _principal(run, snapshot, problem, names, coordinate)
    place = layout.slices[coordinate.array]
    shape = layout.shapes[coordinate.array]
    index = coordinate.index
    if not coordinate.of_weights:
        index = (snapshot.record.samples.index(int(coordinate.sample or 0)), *index)
    unit[place.start + int(np.ravel_multi_index(index, shape))] = 1.0
    return unit, None


def principal_axes(run: Run, snapshot: Snapshot, names: Sequence[str]) -> tuple[Array, Array] | None:
    """Mean and principal axes of the arrays `names` over the phase; None where these move along a line."""
    _, rows = _rows(run, snapshot.index)
    values = np.concatenate([values_along(run, snapshot, name, rows) for name in names], axis=1)
    values = values[np.isfinite(values).all(axis=1)]
    if len(values) == 0:
        return None
    mean = values.mean(axis=0)
    _, sizes, axes = np.linalg.svd(values - mean, full_matrices=False)
    return (mean, axes) if len(sizes) > 1 and sizes[1] > 1e-9 * max(sizes[0], 1e-300) else None


def _principal(
    run: Run, snapshot: Snapshot, problem: Problem, names: list[str], coordinate: Coordinate
) -> tuple[Array, Array]:
    """A principal component of the arrays `names` over the phase, and their mean."""
    found = principal_axes(run, snapshot, names)
    if found is None:
        missing = f"{coordinate.name} does not exist: what it is of moves along a line at most"
        what = f"{missing}; take {names[0]}[...]"
        raise InputError("phase", what)
    mean, axes = found
    slices, axis = problem.layout.slices, axes[coordinate.number - 1]
    axis = axis * np.sign(axis[np.abs(axis).argmax()])  # of the two signs, always the same
    unit, origin = np.zeros(problem.layout.size), problem.y0.copy()
    place = np.concatenate([np.arange(slices[name].start, slices[name].stop) for name in names])
    unit[place], origin[place] = axis, mean
    return unit, origin


def modes(problem: Problem) -> tuple[Array, Any]:
    """Two vectors that span the slowest or growing plane of the nodes, shape (2, m), and where they stand.

    The real and the imaginary part of an eigenvector for a pair that turns, else two eigenvectors; of
    the first sample. Orthogonal in the first case only where the Jacobian is normal.

    Raises
    ------
    InputError
        If the nodes have no two modes.
    """
    found = eigenplane(problem)
    if found is None:
        raise InputError("phase", "the nodes have no two modes of their own; take single nodes")
    return found


def eigenplane(problem: Problem) -> tuple[Array, Any] | None:
    """As `modes`; None where there are no two."""
    system = NodeSystem(problem)
    values, vectors = np.linalg.eig(system.blocks()[0])
    order = np.argsort(-values.real)
    first = order[0]
    if abs(values[first].imag) > 0.0:
        pair = np.stack([vectors[:, first].real, vectors[:, first].imag])
    else:
        second = order[1] if len(order) > 1 else first
        pair = np.stack([vectors[:, first].real, vectors[:, second].real])
    if np.linalg.matrix_rank(pair) < 2:
        return None
    pair = pair / np.linalg.norm(pair, axis=1)[:, None]
    layout = system.held.layout
    starts = np.concatenate(
        [np.arange(layout.slices[name].start, layout.slices[name].start + shape[1])
         for name, shape in layout.shapes.items()]
    )  # fmt: skip
    return pair, starts[system.free[0]]
