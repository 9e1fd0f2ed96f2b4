"""Which plane of a run tells most, where none is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ...base.errors import InputError
from ...run.result import Run
from ...run.select import choose_phases, of_run
from ...run.snapshot import Situation, last_phase
from .coordinates import Chart, chart
from .field import MOST_DENSE, Field
from .growth_at import rest_and_abscissa
from .plane import WORK, slaved_nodes

# Points along a side of the grid that must be affordable.
LEAST_SIDE = 41


class Plane(NamedTuple):
    """Two coordinates, what becomes of the rest ("slaved" or "held"), and the index of the phase."""

    x: str
    y: str
    rest: str
    phase: int


@of_run
def telling_plane(run: Run, phase: int | str | None = None) -> Plane:
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
    for plane in _candidates(run, phase):
        try:
            made = chart(run, Situation.of(run, plane.phase), (("x", plane.x), ("y", plane.y)))
            suits = _suits(made, plane)
        except InputError:
            continue
        if suits:
            return plane
    what = "no plane suits this run by itself; name two unknowns x and y, such as x1[0] and eps1[0]"
    raise InputError("x", what)


def _candidates(run: Run, phase: int | str | None) -> Iterator[Plane]:
    sizes, n = run.network.sizes, run.network.n
    chosen = None if phase is None else choose_phases(run, phase)[-1]
    learning = last_phase(run, learn=True) if chosen is None else chosen
    nodes = 0 if chosen is None else chosen
    if learning is not None and run.phases[learning].learn:
        if set(sizes) == {1} and n > 1:
            yield Plane(f"M{n - 2}[0,0]", f"M{n - 1}[0,0]", "slaved", learning)
        yield Plane("wpc1", "wpc2", "slaved", learning)
    if 2 * sum(sizes) <= MOST_DENSE:
        yield Plane("mode1", "mode2", "held", nodes)
    if n > 1:
        hidden = n - 1
        other = f"eps{n}[0]" if sizes[hidden] == 1 else f"x{hidden}[1]"
        yield Plane(f"x{hidden}[0]", other, "slaved", nodes)
    yield Plane("pc1", "pc2", "held", nodes)
    for layer in range(n, 0, -1):
        yield Plane(f"x{layer}[0]", f"eps{layer}[0]", "held", nodes)
        if sizes[layer] > 1:
            yield Plane(f"eps{layer}[0]", f"eps{layer}[1]", "held", nodes)
    yield Plane("x0[0]", "eps1[0]", "held", nodes)


def _suits(made: Chart, plane: Plane) -> bool:
    """Whether the plane can be afforded; that of the modes, whether something grows in it."""
    layout = made.problem.layout
    if plane.x == "mode1":
        if layout.node_count > MOST_DENSE:
            return False
        _, growth = rest_and_abscissa(made.problem.system, made.y0)
        return growth is not None and growth > 0.0
    if plane.rest == "held":
        return True
    return Field(made, slaved_nodes(made, "slaved")).work * LEAST_SIDE**2 <= WORK
