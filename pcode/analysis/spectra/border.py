r"""Where nodes become unstable as the weights leave W = M^T: a plane of weights, and its border.

Weights of the plane, with R the feedback that is mixed in:

    M -> gain M,    W -> gain ((1 - mix) M^T + mix R).

At mix = 0 the feedback is the transpose. The nodes' equilibrium is followed from there by Newton's method,
whether stable or not, and its stability judged by the eigenvalues of the nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import scipy

from ...base import checks
from ...base.errors import InputError
from ...model.masks import LinkMask
from ...model.network import Array, Network, Weights
from ...model.phase import Phase
from ...model.state import State
from ...system.problem import Problem, make_problem
from ...system.rest import Rest, nodes_at_rest
from .jacobians import NodeSystem
from .modes import still_below

Kind = Literal["stable", "real", "oscillation", "lost"]
KINDS: tuple[Kind, ...] = ("stable", "real", "oscillation", "lost")

# Residual of the nodes that counts as rest, and steps of Newton's method towards it.
AT_REST = 1e-10
MOST_STEPS = 60

# The border is found to this part of the mixes' range.
FINE = 1e-9


@dataclass(frozen=True, eq=False)
class WeightPlane:
    """Weights by mix and gain, and what the nodes do there.

    Parameters
    ----------
    network : Network
        One with `fixed` feedback.
    phase : Phase
        Its clamps.
    weights : Weights
        At mix 0 and gain 1 of feedback M^T; their own W is of no account.
    other : tuple of ndarray, shapes (n_{l+1}, n_l)
        R.
    """

    network: Network
    phase: Phase
    weights: Weights
    other: tuple[Array, ...]

    def at(self, mix: float, gain: float) -> Weights:
        """The weights at a point of the plane."""
        M = tuple(gain * m for m in self.weights.M)
        links = zip(M, self.other, strict=True)
        W = tuple((1.0 - mix) * m.T + mix * gain * r for m, r in links)
        return self.weights._replace(M=M, W=W)

    def distance(self, mix: float) -> float:
        """|W - M^T| / |M| there, norms of all links together; dimensionless."""
        apart = sum(((r - m.T) ** 2).sum() for m, r in zip(self.weights.M, self.other, strict=True))
        whole = sum((m**2).sum() for m in self.weights.M)
        return float(abs(mix) * np.sqrt(apart / whole)) if whole else 0.0

    def problem(self, state: State) -> Problem:
        """The nodes with the weights of `state` held, starting there."""
        phase = replace(self.phase, learn=False, until=None)
        return make_problem(self.network, phase, state, reduce=False)

    def look(self, mix: float, gain: float, near: State) -> Look:
        """The equilibrium near the nodes of `near`, at a point of the plane, and its stability."""
        start = near._replace(weights=self.at(mix, gain))
        problem = self.problem(start)
        rest = nodes_at_rest(problem, AT_REST, MOST_STEPS)
        if not rest.found:
            return Look(mix, gain, "lost", complex("nan"), rest)
        there = self.problem(rest.state)
        values = [np.linalg.eigvals(block) for block in NodeSystem(there).blocks()]
        every = np.concatenate(values).astype(complex)
        still = still_below(every)
        # Zero eigenvalues are a continuum's: they neither damp nor grow.
        moving = every[np.abs(every) > still]
        worst = moving[np.argmax(moving.real)]
        if worst.real <= still:
            return Look(mix, gain, "stable", complex(worst), rest)
        turns = abs(worst.imag) > still
        return Look(mix, gain, "oscillation" if turns else "real", complex(worst), rest)


@dataclass(frozen=True, eq=False)
class Look:
    """What the nodes do at a point of the plane.

    Attributes
    ----------
    mix, gain : float
    kind : {"stable", "real", "oscillation", "lost"}
        By what the equilibrium is unstable, where it is; lost where it could not be followed.
    value : complex
        The rightmost node eigenvalue that is not zero, in one over the unit of time.
    rest : Rest
    """

    mix: float
    gain: float
    kind: Kind
    value: complex
    rest: Rest


@dataclass(frozen=True)
class BorderPoint:
    """A point of the border, reached along a ray from W = M^T.

    Attributes
    ----------
    mix, gain : float
    distance : float
        |W - M^T| / |M|; dimensionless.
    kind : {"real", "oscillation", "lost"}
    frequency : float
        Angular frequency |Im lambda| of what grows beyond, in one over the unit of time.
    """

    mix: float
    gain: float
    distance: float
    kind: Kind
    frequency: float


def ray(plane: WeightPlane, gain: float, mixes: Array, start: State) -> list[Look]:
    """What the nodes do along `mixes`, each equilibrium followed from the one before."""
    looks: list[Look] = []
    near = start
    for mix in mixes:
        look = plane.look(float(mix), gain, near)
        # From an equilibrium that was lost there is nothing to follow.
        near = start if look.kind == "lost" else look.rest.state
        looks.append(look)
    return looks


def border_along(plane: WeightPlane, looks: list[Look]) -> tuple[BorderPoint, Look] | None:
    """The first point along a ray where the nodes are no longer stable, by bisection; None if none is."""
    bad = [k for k, look in enumerate(looks) if look.kind != "stable"]
    if not bad or bad[0] == 0:
        return None
    before, after = looks[bad[0] - 1], looks[bad[0]]
    low, high = before, after
    near = before.rest.state
    if after.kind != "lost":
        # The spectral abscissa is a smooth function of the mix, but for kinks: false position is fast.
        at = partial(_abscissa, plane, before.gain, near)
        if at(low.mix) < 0.0 < at(high.mix):
            mix = float(scipy.optimize.brentq(at, low.mix, high.mix, xtol=FINE * (high.mix - low.mix)))
            low, high = plane.look(mix, low.gain, near), plane.look(mix + 1e-6, low.gain, near)
    while high.kind == "lost" and high.mix - low.mix > FINE:
        middle = plane.look(0.5 * (low.mix + high.mix), low.gain, low.rest.state)
        low, high = (middle, high) if middle.kind == "stable" else (low, middle)
    kind: Kind = after.kind if high.kind == "stable" else high.kind
    point = BorderPoint(low.mix, low.gain, plane.distance(low.mix), kind, abs(low.value.imag))
    return point, low


def _abscissa(plane: WeightPlane, gain: float, near: State, mix: float) -> float:
    """Spectral abscissa at a point of a ray; positive where the equilibrium is lost."""
    value = plane.look(mix, gain, near).value
    return value.real if np.isfinite(value.real) else 1.0


def others(
    weights: Weights, against: str, seed: int, masks: Sequence[LinkMask | None] | None = None
) -> tuple[Array, ...]:
    """The feedback R to mix in.

    Parameters
    ----------
    weights : Weights
    against : {"negated", "random", "own"}
        -M^T; random numbers of the same norm as M, link by link; or the W of `weights`.
    seed : int
        Seed of the random numbers.
    masks : sequence of LinkMask or None, optional
        Which connections there are, as `Network.masks`.

    Raises
    ------
    InputError
        If `against` is none of these, or the weights have no W of their own.
    """
    checks.word("against", against, ("negated", "random", "own"))
    if against == "negated":
        return tuple(-m.T for m in weights.M)
    if against == "random":
        rng = np.random.default_rng(seed)
        drawn = [rng.standard_normal(m.T.shape) for m in weights.M]
        for r, mask in zip(drawn, masks or (), strict=False):
            if mask is not None:
                r *= mask.there.T
        sizes = [np.linalg.norm(r) or 1.0 for r in drawn]
        return tuple(r * np.linalg.norm(m) / size for r, m, size in zip(drawn, weights.M, sizes, strict=True))
    if weights.W is None:
        raise InputError("against", "tied feedback has no W of its own; ask against negated or random")
    return weights.W
