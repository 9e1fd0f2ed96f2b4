"""Properties of a problem that explain why solvers fail on it."""

from __future__ import annotations

import numpy as np

from ..base.vectors import largest
from .settings import IVP

# Values above LARGE_DATA are named as a likely cause of a failure. Above BADLY_SCALED all solvers have
# difficulties; so they have if weights are faster than nodes by that factor.
LARGE_DATA, BADLY_SCALED = 100.0, 1e6

# Timescales further from 1, or from each other, than this factor leave no room for steps between them.
FAR = 1e15


def badly_scaled(problem: IVP) -> bool:
    """Whether the data, or the weights' rates, are far larger than solvers can handle."""
    c = problem.constants
    fastest = problem.layout.shortest(c.delta)  # infinite if no weights learn
    fast = float(c.longest_tau) > BADLY_SCALED * fastest * float(np.min(c.nu))
    return fast or largest_value(problem) > BADLY_SCALED


def largest_value(problem: IVP) -> float:
    """Largest absolute value of an unknown or clamped node at the start."""
    return largest(problem.y0, *problem.parameters.clamp)


def causes(problem: IVP) -> list[str]:
    """Likely causes of a failure in the problem itself, in words."""
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
        listed = ", ".join(f"{name} = {value:.3g}" for name, value in times.items())
        found.append(f"times are too far apart or too far from 1 ({listed}); take another unit of time")
    for name, clock, decay in (("weight", "delta", c.weight_decay), ("node", "tau", c.node_decay)):
        if float(decay) > BADLY_SCALED and (problem.layout.learn or name == "node"):
            rate = f"{name}s decay at the rate {name}_decay/{clock}"
            found.append(f"{name}_decay = {float(decay):.3g}, and {rate}; take it nearer to 1")
    nu = np.asarray(c.nu)
    if nu.max() > 1e6 or nu.min() < 1e-6:
        span = f"{nu.min():.3g}" if nu.min() == nu.max() else f"{nu.min():.3g} to {nu.max():.3g}"
        found.append(f"nu = {span}, and errors relax at the rate nu/tau; take nu nearer to 1")
    return found


def weights_over_nodes(problem: IVP) -> float:
    """Ratio of the rate at which the weights reduce the errors to that of the nodes, 1/tau, at the start."""
    structure, c = problem.structure, problem.constants
    if not structure.layout.learn or not structure.layout.nodes or float(c.longest_tau) == 0.0:
        return 0.0
    x = problem.nodes(problem.start, problem.y0)[0]
    if not structure.layout.free[0]:
        # From the problem's own clamp, which may be reduced, like its first activation.
        x = (np.asarray(problem.parameters.clamp[0]), *x[1:])
    with np.errstate(all="ignore"):
        sizes = (
            1.0 + float(np.mean(np.sum(np.asarray(s.f(x_l)) ** 2, axis=1)))
            for s, x_l in zip(structure.sigma, x, strict=False)
        )
        rates = [size / nu for size, nu in zip(sizes, np.asarray(c.nu) * np.asarray(c.delta), strict=True)]
        return max(float(rates[link]) for link in structure.layout.learning_links) * float(c.longest_tau)


def timescales(problem: IVP) -> dict[str, float]:
    """Timescales by name: tau, tau_eps, delta (where they apply; of several the ends) and duration."""
    c, layout = problem.constants, problem.layout
    errors = [float(tau) for tau, own in zip(c.tau_eps, problem.system.dynamic, strict=True) if own]
    nodes = _span("tau", [float(tau) for tau in c.tau]) if layout.node_count else {}
    if layout.node_count and not np.array_equal(c.tau[1:], c.tau_eps):
        nodes |= _span("tau_eps", errors)
    weights = _span("delta", [float(c.delta[link]) for link in layout.learning_links])
    return nodes | weights | {"the duration": problem.duration}


def _span(name: str, times: list[float]) -> dict[str, float]:
    """A time constant of several layers or links, by name: one number if it is one."""
    if len({*times}) > 1:
        return {f"the smallest {name}": min(times), f"the largest {name}": max(times)}
    return {name: times[0]} if times else {}
