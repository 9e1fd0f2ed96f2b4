"""Which plane of a run tells most, where none is asked for: of any unknowns, or of two nodes.

Candidates are gone through in turn, and each is judged by what is known of the run: what is clamped, what
learns, whether there are such directions at all, and what the plane would cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np

from ...base.errors import InputError
from ...model.variables import EPS, NODES, X, parsed_entry
from ...run.result import Run
from ...run.select import choose_phases, of_run
from ...run.snapshot import Snapshot, TimeOption, as_phase, last_phase
from ...solvers.base import LARGEST
from ..at_rest import with_positive_tau
from .coordinates import chart, eigenplane, moving_problem, nearest_rest, principal_axes, replace_start
from .field import MOST_DENSE, Field
from .fixed_points import rest_and_abscissa
from .plane import WORK, may_be_slaved, other_nodes, slaved_nodes

# Points along a side of the grid that must be affordable.
LEAST_SIDE = 41

# Nodes, all samples together, beyond which those of a film are held: to slave them in every picture is slow.
MOST_SLAVED = 60

# Points along a run at which slaved nodes are tried.
TRIED = 9


class ChosenPlane(NamedTuple):
    """Two coordinates, what becomes of the other nodes, and the index of the phase."""

    x: str
    y: str
    rest: Literal["slaved", "held"]
    phase: int


@of_run
def telling_plane(run: Run, phase: int | str | None = None) -> ChosenPlane:
    """A plane that suits the run.

    Where weights learn, that of two weights, or of the weights' first principal components, with the
    nodes slaved; where these are many, or nothing learns, that of two nodes: along the eigenvectors of a rest
    that is unstable, a value and the error above it, or the principal components of a sample's nodes.

    Parameters
    ----------
    run : Run
    phase : int or str, optional
        Where it is looked for; for weights the last phase that learns, else the first, where left out.

    Raises
    ------
    InputError
        If no two unknowns of the run move.
    """
    suiting = (plane for plane in _of_unknowns(run, phase) if _suits(run, plane, None))
    return _first(
        suiting, "no plane suits this run by itself; name two unknowns x and y, such as x1[0] and eps1[0]"
    )


@of_run
def plane_of_nodes(run: Run, phase: int) -> ChosenPlane:
    """Two nodes in whose plane the nullclines drift as weights learn.

    The two value nodes of the last hidden layer that move most, for the first sample, or the only one
    and the error above it, with the other nodes slaved; in large networks the node that moves most and its
    own error, the others held.

    Parameters
    ----------
    run : Run
    phase : int
        Its index.

    Raises
    ------
    InputError
        If no two nodes suit.
    """
    end = last_finite(run, phase)
    suiting = (plane for plane in _of_nodes(run, phase) if _suits(run, plane, end))
    return _first(
        suiting, "no plane of two nodes suits this run by itself; name two, such as x1[0] and eps1[0]"
    )


def _first(suiting: Iterable[ChosenPlane], otherwise: str) -> ChosenPlane:
    for plane in suiting:
        return plane
    raise InputError("x", otherwise)


@of_run
def last_finite(run: Run, phase: int) -> float:
    """The last saved time of a phase at which all its nodes are finite; its end where there is none.

    Parameters
    ----------
    run : Run
    phase : int
        Index of the phase.
    """
    run, phase, _ = as_phase(run, phase)
    rows = np.flatnonzero(run.data["phase"].to_numpy() == phase)
    samples = slice(len(run.phases[phase].samples))
    finite = np.ones(rows.size, bool)
    for name in (name for variable in NODES for name in variable.names(run.network.n)):
        nodes = run.data[name].isel(time=rows, sample=samples).to_numpy()
        with np.errstate(invalid="ignore"):
            finite &= (np.abs(nodes) <= LARGEST).all(axis=(1, 2))
    chosen = rows[finite][-1] if finite.any() else rows[-1]
    return float(run.data["time"][chosen])


def _of_unknowns(run: Run, phase: int | str | None) -> Iterator[ChosenPlane]:
    sizes, n = run.network.sizes, run.network.n
    chosen = None if phase is None else choose_phases(run, phase)[-1]
    learning = last_phase(run, learn=True) if chosen is None else chosen
    nodes = 0 if chosen is None else chosen
    if learning is not None and run.phases[learning].learn:
        if set(sizes) == {1} and n > 1:
            yield ChosenPlane(f"M{n - 2}[0,0]", f"M{n - 1}[0,0]", "slaved", learning)
        yield ChosenPlane("wpc1", "wpc2", "slaved", learning)
    if 2 * sum(sizes) <= MOST_DENSE:
        yield ChosenPlane("mode1", "mode2", "held", nodes)
    if n > 1:
        hidden = n - 1
        other = f"{EPS}{n}[0]" if sizes[hidden] == 1 else f"{X}{hidden}[1]"
        yield ChosenPlane(f"{X}{hidden}[0]", other, "slaved", nodes)
    yield ChosenPlane("pc1", "pc2", "held", nodes)
    for layer in range(n, 0, -1):
        yield from _values_and_errors(run, layer, nodes)
    yield ChosenPlane(f"{X}0[0]", f"{EPS}1[0]", "held", nodes)


def _of_nodes(run: Run, phase: int) -> Iterator[ChosenPlane]:
    sizes, n = run.network.sizes, run.network.n
    most = _most_moving(run, phase, n - 1) if n > 1 else []
    if most:
        a, b = most[0], most[-1]
        x = f"{X}{n - 1}[{a}]"
        if sum(sizes) * len(run.phases[phase].samples) <= MOST_SLAVED:
            other = f"{EPS}{n}[0]" if a == b else f"{X}{n - 1}[{b}]"
            yield ChosenPlane(x, other, "slaved", phase)
        # With errors held, values would hardly have a field of their own.
        yield ChosenPlane(x, f"{EPS}{n - 1}[{a}]", "held", phase)
        if run.network.slaved and a != b:
            yield ChosenPlane(x, f"{X}{n - 1}[{b}]", "held", phase)
    yield from _values_and_errors(run, n, phase)
    yield ChosenPlane(f"{X}0[0]", f"{EPS}1[0]", "held", phase)


def _values_and_errors(run: Run, layer: int, phase: int) -> Iterator[ChosenPlane]:
    yield ChosenPlane(f"{X}{layer}[0]", f"{EPS}{layer}[0]", "held", phase)
    if run.network.sizes[layer] > 1:
        yield ChosenPlane(f"{EPS}{layer}[0]", f"{EPS}{layer}[1]", "held", phase)


def _most_moving(run: Run, phase: int, layer: int) -> list[int]:
    """The two free value nodes of a layer that move most for the first sample, or as many as are free."""
    run, phase, _ = as_phase(run, phase)
    rows = np.flatnonzero(run.data["phase"].to_numpy() == phase)
    values = run.data[f"{X}{layer}"].isel(time=rows, sample=0).to_numpy()
    with np.errstate(invalid="ignore", over="ignore"):
        extent = np.nan_to_num(values.max(axis=0) - values.min(axis=0), nan=0.0, posinf=0.0)
    free = Snapshot.of(run, phase).free(layer)[0]
    order = [int(unit) for unit in np.argsort(-extent, kind="stable") if free[unit]]
    return sorted(order[:2])


def _suits(run: Run, plane: ChosenPlane, time: TimeOption) -> bool:
    """Whether both coordinates move, and what is to be slaved can be, at a cost that may be borne."""
    run, phase, time = as_phase(run, plane.phase, time)
    snapshot = Snapshot.of(run, phase, time)
    if not np.isfinite(np.concatenate([part.ravel() for part in snapshot.state.arrays().values()])).all():
        return False
    if not all(_moves(run, snapshot, name) for name in (plane.x, plane.y)):
        return False
    if plane.rest == "held":
        return True
    made = chart(run, snapshot, (("x", plane.x), ("y", plane.y)))
    if not may_be_slaved(made, other_nodes(made).size):
        return False
    field = Field(made, slaved_nodes(made, plane.rest))
    if time is None:
        return field.work * LEAST_SIDE**2 <= WORK
    path = made.path(run)[1]
    path = path[np.isfinite(path).all(axis=1)]
    tried = (
        path[np.linspace(0, len(path) - 1, TRIED).round().astype(int)] if len(path) else field.origin[None]
    )
    return bool(np.isfinite(field.rates(tried)[0]).any())


def _moves(run: Run, snapshot: Snapshot, name: str) -> bool:
    """Whether a coordinate moves; of the modes, whether something grows along them."""
    entry = parsed_entry(name)
    if entry is not None:
        variable, layer, numbers = entry
        if not variable.of_nodes:
            learn = snapshot.record.learn
            return f"{variable}{layer}" in learn if isinstance(learn, tuple) else learn
        if variable is EPS:
            return layer not in snapshot.network.slaved
        return bool(snapshot.free(layer)[0, numbers[0]])
    kind = name[:-1]
    snapshot = with_positive_tau(snapshot)
    if kind != "wpc":
        snapshot = snapshot.of_samples(snapshot.record.samples[:1])
    problem = moving_problem(snapshot, kind == "wpc")
    if kind == "mode":
        rest = nearest_rest(problem, snapshot) if problem.layout.node_count <= MOST_DENSE else None
        if rest is None or eigenplane(replace_start(problem, rest)) is None:
            return False
        _, abscissa = rest_and_abscissa(replace_start(problem, rest).system, rest)
        return abscissa is not None and abscissa > 0.0
    names = problem.layout.weight_names if kind == "wpc" else problem.layout.node_names
    return bool(names) and principal_axes(run, snapshot, names) is not None
