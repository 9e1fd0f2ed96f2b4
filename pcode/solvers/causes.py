"""What in a problem itself explains that solvers make no way."""

from __future__ import annotations

import numpy as np

from .settings import IVP

# Magnitude of data from which on it is the first thing to look at, and from which on no solver is at ease; so
# with the weights' rates over those of the nodes.
LARGE_DATA, BADLY_SCALED = 100.0, 1e6

# Clocks further from 1, or from each other, leave no room for steps between.
FAR = 1e15


def badly_scaled(problem: IVP) -> bool:
    """Whether the data, or the weights' rates, are far beyond what solvers make way with."""
    c = problem.constants
    fast = problem.layout.learn and float(c.tau) > BADLY_SCALED * float(c.delta) * float(np.min(c.nu))
    return fast or largest_value(problem) > BADLY_SCALED


def largest_value(problem: IVP) -> float:
    """The largest of the unknowns and the clamped values at the start."""
    given = (problem.y0, *map(np.asarray, problem.parameters.clamp))
    return max(float(np.nanmax(np.abs(a), initial=0.0)) for a in given)


def causes(problem: IVP) -> list[str]:
    """What in the problem itself explains a failure."""
    c, found = problem.constants, []
    size = largest_value(problem)
    if size > LARGE_DATA:
        found.append(f"values at the start are as large as {size:.3g}; scale the data to about 1")
    ratio = weights_over_nodes(problem)
    if ratio > 1.0:
        found.append(
            f"the weights are faster than the nodes, by a factor of about {ratio:.1g} "
            "(mean |sigma(x)|^2 tau / (nu delta), which should be far below 1)"
            + ("" if size > LARGE_DATA else "; raise delta")
        )
    times = timescales(problem)
    shortest, longest = min(times.values()), max(times.values())
    if longest > FAR * shortest or not 1.0 / FAR < shortest < FAR:
        told = ", ".join(f"{name} = {value:.3g}" for name, value in times.items())
        found.append(f"times are too far apart or too far from 1 ({told}); take another unit of time")
    for name, clock, decay in (("weight", "delta", c.weight_decay), ("node", "tau", c.node_decay)):
        if float(decay) > BADLY_SCALED and (problem.layout.learn or name == "node"):
            rate = f"{name}s decay at the rate {name}_decay/{clock}"
            found.append(f"{name}_decay = {float(decay):.3g}, and {rate}; take it nearer to 1")
    nu = np.asarray(c.nu)
    if nu.max() > 1e6 or nu.min() < 1e-6:
        told = f"{nu.min():.3g}" if nu.min() == nu.max() else f"{nu.min():.3g} to {nu.max():.3g}"
        found.append(f"nu = {told}, and errors relax at the rate nu/tau; take nu nearer to 1")
    return found


def weights_over_nodes(problem: IVP) -> float:
    """Rate at which weights correct their own errors over that of the nodes, 1/tau, at the start."""
    structure, c = problem.structure, problem.constants
    if not structure.layout.learn or not structure.layout.nodes or float(c.tau) == 0.0:
        return 0.0
    x = problem.nodes(0.0, problem.y0)[0]
    if not structure.layout.free[0]:
        x = (
            np.asarray(problem.parameters.clamp[0]),
            *x[1:],
        )  # to which the first activation belongs, also where it was reduced
    with np.errstate(all="ignore"):
        sizes = (
            1.0 + float(np.mean(np.sum(np.asarray(s.f(x_l)) ** 2, axis=1)))
            for s, x_l in zip(structure.sigma, x, strict=False)
        )
        rates = [size / nu for size, nu in zip(sizes, np.asarray(c.nu), strict=True)]
        return float(max(rates)) * float(c.tau) / float(c.delta)


def timescales(problem: IVP) -> dict[str, float]:
    """The times that matter: of nodes, of weights, of the problem."""
    c, layout = problem.constants, problem.layout
    nodes = {"tau": float(c.tau)} if layout.node_count else {}
    weights = {"delta": float(c.delta)} if layout.learn else {}
    return nodes | weights | {"the duration": problem.duration}
