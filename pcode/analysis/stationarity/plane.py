"""The energy of value nodes in the plane of two of them, and where a run with noise went in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...base.errors import InputError
from ...base.short import Short
from ...model.network import Array
from ...model.variables import X, parsed_entry
from ...run.result import Run
from ...run.select import times_of
from ...run.snapshot import PhaseOption, Snapshot, as_phase
from .theory import placed, potential

# Points of the grid along a side.
SIDE = 201

# How far beyond what was seen the window reaches, in parts of its span.
BEYOND = 0.2


@dataclass(frozen=True, eq=False)
class EnergyPlane(Short):
    """The energy over two value nodes of a sample, with errors at rest.

    Attributes
    ----------
    names : tuple of str
        The two, such as x0[0,3].
    x, y : ndarray, shape (SIDE,)
    energy : ndarray, shape (SIDE, SIDE)
        U = F_b + lambda_x/2 |x|^2, rows along `y`, above its least value there.
    temperature : float
        The largest of the two nodes.
    values : ndarray, shape (K, 2)
        Where the run was at the saved times.
    others : int
        How many other free value nodes are held, at their mean over the time.
    phase : str
    """

    names: tuple[str, str]
    x: Array
    y: Array
    energy: Array
    temperature: float
    values: Array
    others: int
    phase: str


def energy_plane(
    run: Run, x: str | None = None, y: str | None = None, phase: PhaseOption = None, burn_in: float = 0.0
) -> EnergyPlane:
    """The plane of two free value nodes of a sample, the first two where they are left out.

    Raises
    ------
    InputError
        If there are no such nodes, or they are of two samples.
    """
    run, index, _ = as_phase(run, phase)
    start = Snapshot.of(run, index)
    free = np.concatenate([start.free(layer) for layer in range(run.network.n + 1)], axis=1)
    places = [(layer, i) for layer, size in enumerate(run.network.sizes) for i in range(size)]
    first = [f"{X}{places[k][0]}[{places[k][1]}]" for k in np.flatnonzero(free[0])[:2]]
    if len(first) < 2 and (x is None or y is None):
        what = f"there are fewer than two free value nodes in {start.record.name!r}"
        raise InputError("x", f"{what}, and so no plane; the question stationary has the density of one")
    wanted = [first[0] if x is None else x, first[1] if y is None else y]
    found = [_place(start, "xy"[k], name, places, free) for k, name in enumerate(wanted)]
    samples = {sample for sample, _ in found if sample is not None} or {start.record.samples[0]}
    columns = [column for _, column in found]
    if len(samples) > 1 or columns[0] == columns[1]:
        raise InputError("y", f"must be another node than {wanted[0]}, of the same sample, not {wanted[1]}")
    sample = samples.pop()
    if sample not in start.record.samples:
        raise InputError("x", f"the phase {start.record.name!r} does not show sample {sample}")
    b = start.record.samples.index(sample)
    for key, column, name in zip("xy", columns, wanted, strict=True):
        if not free[b, column]:
            raise InputError(key, f"{name} is clamped in {start.record.name!r}; give a free value node")
    rows = np.flatnonzero(run.data["phase"].to_numpy() == index)
    rows = rows[times_of(run, index) >= start.record.t_start + burn_in]
    if not rows.size:
        raise InputError("burn_in", "leaves no saved time")
    values = np.concatenate([run.data[name].to_numpy()[rows, b] for name in X.names(run.network.n)], axis=1)
    axes = [_axis(values[:, column]) for column in columns]
    points = np.tile(values.mean(axis=0), (SIDE * SIDE, 1))
    for column, mesh in zip(columns, np.meshgrid(*axes), strict=True):
        points[:, column] = mesh.ravel()
    U = potential(start, placed(start, free, b, points[:, free[b]]), b).reshape(SIDE, SIDE)
    layers = [places[column][0] for column in columns]
    return EnergyPlane(
        names=tuple(f"{X}{places[c][0]}[{places[c][1]},{sample}]" for c in columns),  # type: ignore[arg-type]
        x=axes[0],
        y=axes[1],
        energy=U - U.min(),
        temperature=max(run.network.temperatures[layer] for layer in layers),
        values=values[:, columns],
        others=int(free[b].sum()) - 2,
        phase=start.record.name,
    )


def _place(
    start: Snapshot, key: str, name: str, places: list[tuple[int, int]], free: Array
) -> tuple[int | None, int]:
    """The sample, if the name has one, and the place of a value node among all of them."""
    entry = parsed_entry(name)
    if entry is None or entry[0] is not X or (entry[1], entry[2][0]) not in places:
        last = start.network.n
        raise InputError(key, f"must be a value node of layers 0..{last}, such as x1[0], not {name!r}")
    _, layer, numbers = entry
    return (numbers[1] if len(numbers) > 1 else None), places.index((layer, numbers[0]))


def _axis(values: Array) -> Array:
    more = BEYOND * max(float(np.ptp(values)), 1e-9)
    return np.linspace(values.min() - more, values.max() + more, SIDE)
