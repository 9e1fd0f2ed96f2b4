"""Rates that no longer fall because of what the tolerances leave, and the equilibrium beneath them.

A step of an implicit method that is far longer than tau ends an error of the size of the tolerances away from
rest: that of its iterations, which end when such an error is left. The next step damps it, and makes its own.
Explicit methods are no better: near rest they lengthen their steps until these are unstable, and what then
grows is what the error test sees, again at the tolerances. So the rates stay at about the Jacobian
times the tolerances, however long one waits. Where that is above settle_tol, Newton's method goes on.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..model.network import Array
from ..system.abscissa import jacobians, nodes_a_sample, suspects
from ..system.problem import Problem, with_modes
from ..system.rest import rest
from .settings import IVP, Settings, has_nodes

# After so many steps in none of which the rates fell to half of what they had been, it is asked whether they
# can fall; if so, again after twice as many.
PATIENCE = 15

# An equilibrium is near if the nodes are off by so many times their tolerances, root mean square.
NEAR = 30.0

# Time since the rates were last halved, in times of the slowest disturbance: had they gone on to fall, they
# would have by exp(-WAITED).
WAITED = 3.0

# At the end of a phase rates no longer fall if they were last halved this share of its length ago.
STANDING = 0.25

# Rates are what the tolerances leave if changes of all unknowns by their tolerances make rates that are no
# smaller than this part: at the border of its stability an explicit method's errors are several tolerances.
LEFT = 10.0

# Eigenvalues, in units of 1/tau, within this of 0 belong to a continuum of equilibria.
NEUTRAL = 1e-8

# Most steps of Newton's method, and the first one in units of tau: finite, for a continuum of equilibria.
NEWTON_STEPS, LONG = 12, 1e6

# Least residual that rounding errors let one hope for.
ROUNDING = 1e-14

# All samples' eigenvalues are found where that is less work than this, counted as samples times nodes^3.
LARGEST_DENSE = 100_000_000


class Finish(NamedTuple):
    """The equilibrium beneath the floor.

    Attributes
    ----------
    y : ndarray, shape (N,)
    settled : bool
        Whether its residual is no more than settle_tol.
    message : str
    """

    y: Array
    settled: bool
    message: str


class Floor:
    """Watches how the rates fall.

    Attributes
    ----------
    problem : IVP
        The one that is integrated now.
    """

    def __init__(self, problem: IVP, settings: Settings) -> None:
        self.problem, self._settings = problem, settings
        self._least, self._since, self._patience = math.inf, (0, 0.0), PATIENCE
        self._before = self._last = (0.0, math.inf)

    def look(self, steps: int, t: float, y: Array, residual: float) -> Finish | None:
        """The equilibrium, after `steps` steps up to (t, y), if the rates no longer fall and it is there."""
        self._before, self._last = self._last, (t, residual)
        if residual < 0.5 * self._least:
            self._least, self._since = residual, (steps, t)
        if steps - self._since[0] < self._patience:
            return None
        self._patience *= 2
        return self._finish(t, y, residual)

    def _finish(self, t: float, y: Array, residual: float, waited: float | None = None) -> Finish | None:
        """The stable equilibrium of nodes within what the tolerances leave of `y`.

        `waited` is the time that nodes had to come to rest, in units of tau; that since the rates were last
        halved where left out.
        """
        problem = self.problem
        if not has_nodes(problem) or problem.layout.learn or problem.settle_tol is None:
            return None
        aim = max(0.1 * problem.settle_tol, ROUNDING)
        found, residuals, _ = rest(problem.ticking().system, y, aim, NEWTON_STEPS, 1.0 / LONG, t)
        z, beneath = np.asarray(found), float(np.max(residuals, initial=0.0))
        settings = self._settings
        off = (z - y) / (settings.rtol * np.abs(y) + settings.atol)
        lower = beneath <= problem.settle_tol or beneath < 0.01 * residual
        if not (lower and math.sqrt(float(np.mean(off**2))) <= NEAR):
            return None
        if waited is None:
            waited = (t - self._since[1]) / float(problem.constants.tau)
        if not self._attracts(problem, t, z, waited):
            return None
        return Finish(z, beneath <= problem.settle_tol, self._told(beneath, residual))

    def _attracts(self, problem: Problem, t: float, z: Array, waited: float) -> bool:
        """Whether nodes go to rest at `z`, and would have in the time `waited`, in units of tau."""
        system = with_modes(problem.ticking().system, t, z)
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

    def _told(self, beneath: float, residual: float) -> str:
        tolerances = f"rtol = {self._settings.rtol:g} and atol = {self._settings.atol:g}"
        left = f"{tolerances} leave rates of {residual:.1e}"
        if beneath <= self.problem.settle_tol:  # type: ignore[operator]
            return f"{left}; from there Newton's method found the equilibrium, to {beneath:.1e}"
        wanted = f"settle_tol = {self.problem.settle_tol:g} cannot be reached"
        least = f"rounding errors leave {beneath:.1e} at the equilibrium"
        return f"{wanted}: {left}, and {least}; ask for a larger settle_tol"

    def at_end(self, t: float, y: Array) -> Finish | None:
        """What the tolerances, if they are the reason, made of a network that did not settle by the end."""
        problem = self.problem
        if problem.settle_tol is None:
            return None
        residual = problem.residual(t, y)
        if residual <= ROUNDING:
            what = f"settle_tol = {problem.settle_tol:g} is below what rounding errors leave of the rates"
            return Finish(y, False, f"{what}, {residual:.1e}; ask for a larger one")
        if t - self._since[1] < STANDING * t:
            return self._finish(t, y, residual, self._within_a_step(t))
        found = self._finish(t, y, residual)
        return found or (Finish(y, False, told) if (told := self._tolerances(t, y)) else None)

    def _within_a_step(self, t: float) -> float:
        """The last step in units of tau; less by as much as a fall to settle_tol takes longer than `WAITED`.

        Where steps grow long the last may be most of the phase: rates fell in it, but not as they would have.
        """
        begin, residual = self._before
        problem = self.problem
        if not has_nodes(problem) or not math.isfinite(residual):
            return 0.0
        needed = math.log(max(residual / float(problem.settle_tol or 1.0), 1.0))
        return (t - begin) / float(problem.constants.tau) * WAITED / max(needed, WAITED)

    def _tolerances(self, t: float, y: Array) -> str:
        """Which tolerances to set, where the rates are no larger than those asked for leave."""
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
        wanted = f"rtol = {settings.rtol * share:.0e}, atol = {settings.atol * share:.0e}"
        return (
            f"the rates came down to {residual:.1e} and fall no more, which is what "
            f"rtol = {settings.rtol:g} and atol = {settings.atol:g} leave of them, "
            f"not to settle_tol = {problem.settle_tol:g}: set tighter tolerances ({wanted}) "
            "or a larger settle_tol"
        )

    def _rates(self, t: float, y: Array) -> Array:
        """Rates tau dz/dt / (1 + |z|), with delta for weights."""
        c, nodes = self.problem.constants, np.arange(y.size) < self.problem.layout.node_count
        clock = np.where(nodes, float(c.tau), float(c.delta))
        scaled: Array = clock * self.problem.rhs(t, y) / (1.0 + np.abs(y))
        return scaled
