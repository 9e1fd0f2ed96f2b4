"""What eigenvalues say of a flow: rates, ringing, stiffness, stable steps, and a solver to suit.

The longest stable step of an explicit method follows from its stability function R: a step h damps the
mode of an eigenvalue lambda where |R(h lambda)| <= 1 (Hairer and Wanner 1996, section IV.2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...base.errors import InputError
from ...model.network import Array
from ...solvers.auto import explicit
from .modes import Complex, Eigenvalues

# Coefficients of R(z), highest power first: Dormand and Prince's method of order 5, SciPy's RK45.
RK45 = (1 / 600, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0)
EULER = (1.0, 1.0)

# An imaginary part larger than this part of the eigenvalue is an oscillation.
OSCILLATION = 1e-6

# A real part larger than this part of the eigenvalue is growth, not rounding.
GROWTH = 1e-7

# Damping ratio below which ringing lasts so long that it decides which solver to take.
LIGHT = 0.05


@dataclass(frozen=True)
class Rates:
    """The figures; rates in one over the unit of time, None where there is none.

    Attributes
    ----------
    node_fastest, node_slowest : float or None
        Largest |lambda| of the nodes, and their smallest -Re lambda among those that decay.
    weight_fastest, weight_slowest : float or None
        The same of the weights on the slow manifold; `weight_slowest` only where all are known.
    node_growth, weight_growth : float or None
        Spectral abscissa, the largest Re lambda, of the nodes and of the weights, where it is positive.
    node_growth_period : float or None
        2 pi / |Im lambda| of the nodes' mode that grows fastest, where it oscillates.
    ring_period, ring_decay, damping_ratio : float or None
        Period, -Re lambda and -Re lambda / |lambda| of the least damped oscillation.
    gap : float or None
        `node_slowest` over `weight_fastest`: how many times faster the nodes are.
    stiffness : float or None
        Largest |lambda| over the smallest rate of decay; only where all of the weights' are known.
    step_euler, step_rk45 : float or None
        Longest stable steps.
    node_settling, weight_settling : float or None
        Time for the slowest part to fall to the tolerance asked for; None where something grows.
    """

    node_fastest: float | None = None
    node_slowest: float | None = None
    weight_fastest: float | None = None
    weight_slowest: float | None = None
    node_growth: float | None = None
    node_growth_period: float | None = None
    weight_growth: float | None = None
    ring_period: float | None = None
    ring_decay: float | None = None
    damping_ratio: float | None = None
    gap: float | None = None
    stiffness: float | None = None
    step_euler: float | None = None
    step_rk45: float | None = None
    node_settling: float | None = None
    weight_settling: float | None = None


def check_fraction(fraction: float) -> None:
    """Raise InputError unless something can have settled to this part of what it was."""
    if not 0.0 < fraction < 1.0:
        raise InputError("fraction", f"must be between 0 and 1, not {fraction:g}")


def rates_of(
    nodes: Eigenvalues, weights: Eigenvalues | None, full: Eigenvalues | None, fraction: float
) -> Rates:
    """The figures for the eigenvalues of the nodes, of the weights and of both together.

    `fraction` is the part of the start that is left when something has settled.
    """
    of_weights = np.empty(0, complex) if weights is None else weights.moving
    together = full.moving if full is not None and full.exact else np.concatenate([nodes.moving, of_weights])
    node_slowest = _slowest(nodes.moving)
    # Of some eigenvalues only, the slowest need not be among them.
    known = weights is None or weights.exact
    weight_slowest = _slowest(of_weights) if known else None
    weight_fastest = _largest(of_weights)
    slow_ends = [rate for rate in (node_slowest, weight_slowest) if rate is not None]
    fastest = _largest(together)
    node_growth, node_growth_period = _growing(nodes.moving)
    weight_growth, _ = _growing(of_weights)
    waits = -math.log(fraction)
    return Rates(
        node_fastest=_largest(nodes.moving),
        node_slowest=node_slowest,
        weight_fastest=weight_fastest,
        weight_slowest=weight_slowest,
        node_growth=node_growth,
        node_growth_period=node_growth_period,
        weight_growth=weight_growth,
        **_ringing(together),
        gap=_ratio(node_slowest, weight_fastest),
        stiffness=_ratio(fastest, min(slow_ends, default=None)) if known else None,
        step_euler=stable_step(together, EULER),
        step_rk45=stable_step(together, RK45),
        node_settling=_ratio(waits, node_slowest) if node_growth is None else None,
        weight_settling=_ratio(waits, weight_slowest) if weight_growth is None else None,
    )


def stable_step(values: Complex, stability: tuple[float, ...]) -> float | None:
    """The longest step h with |R(h lambda)| <= 1 for it and all shorter ones, of every lambda that decays.

    Parameters
    ----------
    values : ndarray of complex
        Eigenvalues lambda; those with Re lambda >= 0 are left out.
    stability : tuple of float
        Coefficients of the polynomial R, highest power first.
    """
    decaying = values[values.real < 0.0]
    if not decaying.size:
        return None
    directions = decaying / np.abs(decaying)

    def grows(r: Array, directions: Complex) -> NDArrayBool:
        out: NDArrayBool = np.abs(np.polyval(stability, r * directions)) > 1.0 + 1e-9
        return out

    reach = np.empty(decaying.size)
    radii = np.linspace(0.0, 10.0, 401)[1:]
    for k in range(0, decaying.size, 1000):
        part = slice(k, k + 1000)
        first = grows(radii[:, None], directions[part]).argmax(axis=0)
        reach[part] = radii[first]
    low, high = reach - (radii[1] - radii[0]), reach
    for _ in range(40):
        middle = 0.5 * (low + high)
        out = grows(middle, directions)
        low, high = np.where(out, low, middle), np.where(out, middle, high)
    return float((low / np.abs(decaying)).min())


def stability_border(stability: tuple[float, ...], count: int = 400) -> Complex:
    """Border of the stability region of an explicit method, |R(z)| = 1, as seen from 0.

    Parameters
    ----------
    stability : tuple of float
        Coefficients of the polynomial R, highest power first.
    count : int
        How many points.

    Returns
    -------
    ndarray of complex, shape (count,)
        Points z with Re z < 0 in the upper half-plane, from the real axis to near the imaginary one.
    """
    # Angles to the imaginary axis over many decades, for axes that are logarithmic in the real part.
    angles = np.geomspace(0.5 * np.pi, 1e-12, count)
    directions = np.exp(1j * (0.5 * np.pi + angles))
    reach = [stable_step(direction, stability) or 0.0 for direction in directions[:, None]]
    border: Complex = np.array(reach) * directions
    return border


NDArrayBool = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
Advice = tuple[str, str]


def advice(rates: Rates, duration: float, size: int) -> Advice:
    """A solver that suits `size` unknowns, and why."""
    fastest = max(filter(None, (rates.node_fastest, rates.weight_fastest)), default=0.0)
    method, steps = explicit(duration * fastest, size)
    if method is not None:
        return method, f"{_round_up(steps)} steps of an explicit method cover the phase"
    longest = _in_words(rates.step_rk45)
    why = f"an explicit method would need {steps:.2g} steps: RK45's are {longest} at most"
    if rates.damping_ratio is not None and rates.damping_ratio < LIGHT:
        ringing = f"the ringing is hardly damped (ratio {rates.damping_ratio:.2g})"
        return "Kvaerno5", f"{why}; {ringing}, which a method stable on the whole imaginary axis takes best"
    return "cvode", why


def _round_up(steps: float) -> str:
    return f"{math.ceil(steps):,}"


def _in_words(step: float | None) -> str:
    return "any length" if step is None else f"{step:.3g}"


def _largest(values: Complex) -> float | None:
    return float(np.abs(values).max()) if values.size else None


def _slowest(values: Complex) -> float | None:
    decaying = -values.real[values.real < 0.0]
    return float(decaying.min()) if decaying.size else None


def _ratio(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None or b == 0.0 else a / b


def _growing(values: Complex) -> tuple[float | None, float | None]:
    """Rate of what grows fastest, and its period where it oscillates."""
    growing = values[values.real > GROWTH * np.abs(values)]
    if not growing.size:
        return None, None
    worst = growing[np.argmax(growing.real)]
    turns = abs(worst.imag) > OSCILLATION * abs(worst)
    return float(worst.real), float(2.0 * np.pi / abs(worst.imag)) if turns else None


def _ringing(values: Complex) -> dict[str, float | None]:
    """Period, decay and damping ratio of the oscillation that is least damped for its speed."""
    ringing = values[(np.abs(values.imag) > OSCILLATION * np.abs(values)) & (values.real <= 0.0)]
    if not ringing.size:
        return {"ring_period": None, "ring_decay": None, "damping_ratio": None}
    ratio = -ringing.real / np.abs(ringing)
    least = ringing[np.argmin(ratio)]
    return {
        "ring_period": float(2.0 * np.pi / abs(least.imag)),
        "ring_decay": float(-least.real),
        "damping_ratio": float(ratio.min()),
    }
