"""Rates that no longer fall because of the solver's tolerances, and the equilibrium nearby.

A step of an implicit method that is much longer than tau ends at a distance from rest of the size of the
tolerances, because its iterations stop with such an error. The next step damps that error and adds its own.
Explicit methods are no better: near rest they lengthen their steps until these become unstable, and the
growing error is noticed only when it reaches the tolerances. So the rates remain at about the Jacobian times
the tolerances, however long the phase. If this floor is above settle_tol, Newton's method finds the
equilibrium.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..model.network import Array
from ..system.abscissa import jacobians, nodes_a_sample, suspects
from ..system.limit import NEUTRAL
from ..system.problem import Problem, with_modes
from ..system.rest import LONG, rest
from .settings import IVP, Settings, has_nodes

# After this many steps without a halving of the rates, the equilibrium is sought; if it is not found, again
# after twice as many.
PATIENCE = 15

# An equilibrium is near if the distance of the nodes is at most this many tolerances, root mean square.
NEAR = 30.0

# Least time since the rates were last halved, in time constants of the slowest mode: it should have decayed
# by exp(-WAITED) in that time.
WAITED = 3.0

# At the end of a phase the rates count as stalled if their last halving is at least this part of its length
# ago.
STALLED = 0.25

# Rates are attributed to the tolerances if they are at most this many times the change of rates caused by
# changing all unknowns by their tolerances: an explicit method at the border of its stability region makes
# errors of several tolerances.
LEFT = 10.0

# Most steps of Newton's method.
NEWTON_STEPS = 12

# Least residual that can be reached despite rounding errors.
ROUNDING = 1e-14

# Eigenvalues are found for all samples if samples times nodes^3 is at most this.
LARGEST_DENSE = 100_000_000


class NearbyEquilibrium(NamedTuple):
    """The equilibrium near which the rates have stalled, or the state reached if none was found.

    Attributes
    ----------
    y : ndarray, shape (N,)
    settled : bool
        Whether its residual is at most settle_tol.
    message : str
        What happened, in words.
    """

    y: Array
    settled: bool
    message: str


class Floor:
    """Monitors whether the rates still fall.

    Attributes
    ----------
    problem : IVP
        The problem being integrated.
    """

    def __init__(self, problem: IVP, settings: Settings, steps: int = 0) -> None:
        self.problem, self._settings = problem, settings
        self._least, self._since, self._patience = math.inf, (steps, problem.start), PATIENCE
        self._before = self._last = (problem.start, math.inf)

    def on(self, problem: IVP) -> Floor:
        """Go on with `problem`."""
        self.problem = problem
        return self

    def look(self, steps: int, t: float, y: Array, residual: float) -> NearbyEquilibrium | None:
        """The equilibrium, if the rates no longer fall after `steps` steps to (t, y) and it is near."""
        self._before, self._last = self._last, (t, residual)
        if residual < 0.5 * self._least:
            self._least, self._since = residual, (steps, t)
        if steps - self._since[0] < self._patience:
            return None
        self._patience *= 2
        return self._finish(t, y, residual)

    def _finish(
        self, t: float, y: Array, residual: float, waited: float | None = None
    ) -> NearbyEquilibrium | None:
        """The stable equilibrium of the nodes near `y`, on the scale of the tolerances, if there is one.

        `waited` is the time that the nodes had to come to rest, in units of tau; by default the time since
        the rates were last halved.
        """
        problem = self.problem
        if not has_nodes(problem) or problem.layout.learn or problem.settle_tol is None:
            return None
        aim = max(0.1 * problem.settle_tol, ROUNDING)
        found, residuals, _ = rest(problem.with_unit_clocks().system, y, aim, NEWTON_STEPS, 1.0 / LONG, t)
        z, at_equilibrium = np.asarray(found), float(np.max(residuals, initial=0.0))
        settings = self._settings
        off = (z - y) / (settings.rtol * np.abs(y) + settings.atol)
        lower = at_equilibrium <= problem.settle_tol or at_equilibrium < 0.01 * residual
        if not (lower and math.sqrt(float(np.mean(off**2))) <= NEAR):
            return None
        if waited is None:
            waited = (t - self._since[1]) / float(problem.constants.longest_tau)
        if not self._attracts(problem, t, z, waited):
            return None
        return NearbyEquilibrium(
            z, at_equilibrium <= problem.settle_tol, self._message(at_equilibrium, residual)
        )

    def _attracts(self, problem: Problem, t: float, z: Array, waited: float) -> bool:
        """Whether `z` is stable, and the nodes had enough time, `waited` in units of tau, to reach it."""
        system = with_modes(problem.system.in_units_of_tau, t, z)
        layout, m = problem.layout, nodes_a_sample(problem.layout)
        samples = np.arange(layout.batch, dtype=np.int64)
        if layout.batch * m**3 > LARGEST_DENSE:
            samples, _ = suspects(system, t, z, None)
            samples = samples if samples.size or m**3 > LARGEST_DENSE else np.zeros(1, dtype=np.int64)
        if samples.size == 0:
            return True
        rates = np.linalg.eigvals(np.asarray(jacobians(system, t, z, samples))).real
        falling = rates[rates < -NEUTRAL]
        slowest = -float(falling.max()) if falling.size else math.inf
        return bool(rates.max() <= NEUTRAL) and slowest * waited >= WAITED

    def _message(self, at_equilibrium: float, residual: float) -> str:
        tolerances = f"rtol = {self._settings.rtol:g} and atol = {self._settings.atol:g}"
        left = f"{tolerances} leave rates of {residual:.1e}"
        if at_equilibrium <= self.problem.settle_tol:  # type: ignore[operator]
            return f"{left}; from there Newton's method found the equilibrium, to {at_equilibrium:.1e}"
        missed = f"settle_tol = {self.problem.settle_tol:g} cannot be reached"
        least = f"rounding errors leave {at_equilibrium:.1e} at the equilibrium"
        return f"{missed}: {left}, and {least}; ask for a larger settle_tol"

    def at_end(self, t: float, y: Array) -> NearbyEquilibrium | None:
        """At the end of a phase that did not settle: the equilibrium, or advice on tolerances, or None."""
        problem = self.problem
        if problem.settle_tol is None:
            return None
        residual = problem.residual(t, y)
        if residual <= ROUNDING:
            what = f"settle_tol = {problem.settle_tol:g} is below what rounding errors leave of the rates"
            return NearbyEquilibrium(y, False, f"{what}, {residual:.1e}; ask for a larger one")
        if t - self._since[1] < STALLED * t:
            return self._finish(t, y, residual, self._within_a_step(t))
        found = self._finish(t, y, residual)
        if found is None and (advice := self._tolerances(t, y)):
            return NearbyEquilibrium(y, False, advice)
        return found

    def _within_a_step(self, t: float) -> float:
        """Length of the last step in units of tau, less if a fall to settle_tol takes longer than `WAITED`.

        When steps grow long the last one may be most of the phase: the rates fell in it, but too little.
        """
        begin, residual = self._before
        problem = self.problem
        if not has_nodes(problem) or not math.isfinite(residual):
            return 0.0
        needed = math.log(max(residual / float(problem.settle_tol or 1.0), 1.0))
        return (t - begin) / float(problem.constants.longest_tau) * WAITED / max(needed, WAITED)

    def _tolerances(self, t: float, y: Array) -> str:
        """Advice which tolerances to set, if they explain the rates; else empty."""
        problem, settings = self.problem, self._settings
        assert problem.settle_tol is not None
        scaled, noise = self._rates(t, y), np.zeros(y.size)
        rng = np.random.default_rng(0)
        tolerance = settings.rtol * np.abs(y) + settings.atol
        for _ in range(4):
            moved = self._rates(t, y + rng.choice([-1.0, 1.0], y.size) * tolerance)
            noise = np.maximum(noise, np.abs(moved - scaled))
        worst = int(np.argmax(np.abs(scaled)))
        residual = float(np.abs(scaled[worst]))
        if not residual <= LEFT * noise[worst]:
            return ""
        share = 0.1 * problem.settle_tol / residual
        tighter = f"rtol = {settings.rtol * share:.0e}, atol = {settings.atol * share:.0e}"
        return (
            f"the rates came down to {residual:.1e} and fall no more, which is what "
            f"rtol = {settings.rtol:g} and atol = {settings.atol:g} leave of them, "
            f"not to settle_tol = {problem.settle_tol:g}: set tighter tolerances ({tighter}) "
            "or a larger settle_tol"
        )

    def _rates(self, t: float, y: Array) -> Array:
        """Scaled rates tau dz/dt / (1 + |z|), each z with its time constant."""
        c = self.problem.constants
        clock = self.problem.layout.clocks(*map(np.asarray, c.times))
        scaled: Array = clock * self.problem.rhs(t, y) / (1.0 + np.abs(y))
        return scaled
