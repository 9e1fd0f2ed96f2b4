"""How one phase of a run converged: what the question `convergence` finds of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..base.short import Short
from ..model.network import Array
from .settling.drift_and_energy import EnergyCourse, WeightDrift


@dataclass(frozen=True)
class PhaseConvergence(Short):
    """How one phase converged; times in the run's unit, since the phase's start.

    Attributes
    ----------
    phase : str
    learn : bool
    status : str
        How the phase ended.
    t_start, duration : float
        `duration` is what was had.
    at_rest : bool
        Whether an equilibrium was found to measure from; without one, and with tau = 0, where nodes
        are at rest at every instant, nothing of what follows on nodes has a value.
    why_not : str
        Why there is none.
    moving : bool
        Whether a clamp moves, so that nodes follow a rest that moves with it.
    lost : int
        Moments looked at for which none was found; they are left out.
    times : ndarray, shape (T,)
        Moments of the course, ends included.
    value_distance : ndarray, shape (T, n + 1)
        Root mean square over samples of |x^l - rest|, l = 0..n; NaN for clamped layers.
    error_distance : ndarray, shape (T, n)
        The same of eps^l, l = 1..n.
    value_largest, error_largest : ndarray, shapes (n + 1,), (n,)
        The largest distance in the phase.
    value_settling, error_settling : ndarray, shapes (n + 1,), (n,)
        The time after which the distance stays below `fraction` of its largest for the rest of the phase;
        NaN if it does not, or nothing settles: the rest is unstable, or a clamp moves. 0 where the largest
        is no more than rounding.
    accuracy : float
        How far off these times may be.
    value_lag, error_lag : ndarray, shapes (n + 1,), (n,)
        In a phase that learns, the distance at its end, when nodes lag behind a rest that moves; 0 where
        it is no more than rounding, NaN where what was left of the start may be as large: the phase is
        short, or its rest was unstable at first.
    value_rate, error_rate : ndarray, shapes (n + 1,), (n,)
        Fitted exponential rates, of the peaks where the distance rings; NaN where there is too little to
        fit, or the rest is unstable, so that nothing decays to it. There settling times and
        `overshoot` are NaN as well.
    value_period, error_period : ndarray, shapes (n + 1,), (n,)
        Period with which the deviation rings; NaN where it does not, or unevenly.
    value_swings, error_swings : ndarray of int, shapes (n + 1,), (n,)
        Peaks of the distance after its largest, above the lag and rounding; 0 where it does not ring.
    value_fit, error_fit : ndarray, shapes (n + 1, 3), (n, 3)
        Start and end of what was fitted, and the height of the fitted line at its start.
    rate : float
        Fitted exponential rate of all nodes together.
    slowest, fastest : complex
        Eigenvalues of the nodes' Jacobian at rest, at the start of a learning phase, with the
        largest and the smallest real part; of large networks the latter is not known (NaN). Zeros, of
        a continuum of equilibria, are left out.
    slowest_end : complex
        Likewise at the end of the phase.
    predicted : float
        ln(1/fraction) over the slowest rate of decay: when a mode that decays with it alone has fallen to
        `fraction`, as `spectrum` tells it; NaN where the rest is unstable.
    overshoot : ndarray, shape (n + 1,)
        How far a value node of the layer went beyond its rest, over the layer's largest first
        distance; dimensionless. NaN of clamped layers, and where the start is at rest.
    drift : WeightDrift or None
        None where the weights are held.
    energy, energy_slaved : EnergyCourse
        With the error nodes as they are, and at their rest value.
    lyapunov : ndarray, shape (T,), or None
        V = 1/2 |x - x*|^2 + 1/2 |eps - eps*|^2, mean over samples, each layer times its tau or tau_eps in
        units of the largest tau, where it is a Lyapunov function (docs/model.md, "Lyapunov function"): a
        linear network with W = M^T, free predictions, weights held and clamps constant.
    lyapunov_rise : float
        Its largest rise from a step to the next, over its largest value.
    notes : tuple of str
        What to mind.
    """

    phase: str
    learn: bool
    status: str
    t_start: float
    duration: float
    at_rest: bool
    why_not: str
    moving: bool
    lost: int
    times: Array
    value_distance: Array
    error_distance: Array
    value_largest: Array
    error_largest: Array
    value_settling: Array
    error_settling: Array
    accuracy: float
    value_lag: Array
    error_lag: Array
    value_rate: Array
    error_rate: Array
    value_period: Array
    error_period: Array
    value_swings: Array
    error_swings: Array
    value_fit: Array
    error_fit: Array
    rate: float
    slowest: complex
    fastest: complex
    slowest_end: complex
    predicted: float
    overshoot: Array
    drift: WeightDrift | None
    energy: EnergyCourse
    energy_slaved: EnergyCourse
    lyapunov: Array | None
    lyapunov_rise: float
    notes: tuple[str, ...]

    @property
    def leaves_rest(self) -> bool:
        """Whether the nodes' rest is unstable; in a learning phase, at its end."""
        return bool(self.slowest_end.real > 0.0)

    @property
    def settling(self) -> float:
        """When the last layer has settled; NaN if one has not."""
        return float(np.max([*self.value_settling[~np.isnan(self.value_distance[0])], *self.error_settling]))
