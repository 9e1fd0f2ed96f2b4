"""The pair of orders 3 and 2 of Bogacki and Shampine (1989)."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from ..base.status import SolverStats, Status
from ..model.network import Array
from ..model.state import Layout
from .base import IVP, OnSave, OnStep, Settings, Solution, integrate, next_stop


class _Stepper:
    def __init__(self, problem: IVP, settings: Settings) -> None:
        self._settings = settings
        self.steps = self._rejected = self._evaluations = 0
        self.order: int | None = 3
        self.restart(problem)

    def restart(self, problem: IVP) -> None:
        self._problem = problem
        self.t_before = self.t = problem.start
        self.y = self._y_before = problem.y0
        self._k = self._k_before = self._rates(self.t, self.y)
        self._h = 0.01 / max(np.abs(self._k / (1.0 + np.abs(self.y))).max(initial=0.0), 1e-12)

    def _rates(self, t: float, y: Array) -> Array:
        self._evaluations += 1
        return np.asarray(self._problem.rhs(t, y))

    def advance(self, until: float) -> Status | None:
        end, t, y, k1 = next_stop(self._problem, self.t), self.t, self.y, self._k
        while True:
            h = min(self._h, end - t)
            if t + h == t:
                return Status.STEP_TOO_SMALL
            k2 = self._rates(t + h / 2, y + h / 2 * k1)
            k3 = self._rates(t + 3 * h / 4, y + 3 * h / 4 * k2)
            new = y + h * (2 * k1 + 3 * k2 + 4 * k3) / 9
            k4 = self._rates(t + h, new)
            error = h * (-5 * k1 + 6 * k2 + 8 * k3 - 9 * k4) / 72
            size = np.abs(error / (self._settings.atol + self._settings.rtol * np.abs(new))).max(initial=1e-9)
            self._h = h * np.clip(0.9 * size ** (-1 / 3), 0.2, 5.0) if np.isfinite(size) else 0.1 * h
            if size <= 1.0:
                break
            self._rejected += 1
        self.t_before, self._y_before, self._k_before = t, y, k1
        self.t, self.y, self._k = (end if h == end - t else t + h), new, k4
        self.steps += 1
        return None

    def ends(self) -> tuple[float, ...]:
        return (self.t,)

    def interpolate(self, t: float) -> Array:
        h = self.t - self.t_before  # the cubic with the values and rates at both ends
        s = (t - self.t_before) / h
        a, b, ka, kb = self._y_before, self.y, h * self._k_before, h * self._k
        return a + s * ka + s**2 * (3 * (b - a) - 2 * ka - kb) + s**3 * (2 * (a - b) + ka + kb)

    def draw(self, t: float) -> Array:
        return self.interpolate(t)

    def stats(self) -> SolverStats:
        return SolverStats(self.steps, self._rejected, self._evaluations, 0)


@dataclass(frozen=True)
class BogackiShampine:
    """Explicit, for loose tolerances."""

    name: str = "BS23"
    implicit: bool = False

    def check(self, layout: Layout) -> None:
        """Suitable for any number of unknowns."""

    def solve(self, problem: IVP, times: Array, settings: Settings, save: OnSave, watch: OnStep) -> Solution:
        """See `Solver.solve`."""
        began = time.perf_counter()
        problem.rhs(problem.start, problem.y0)
        compiled = time.perf_counter()
        stepper = _Stepper(problem, settings)
        return integrate(stepper, problem, times, settings, save, watch).timed(compiled - began, compiled)
