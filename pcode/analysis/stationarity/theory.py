"""The stationary law of nodes with noise, where theory knows it.

With errors slaved, W = M^T, one temperature T, weights and clamps held, the density of the free value nodes
of a sample is proportional to exp(-U/T), U = F_b + lambda_x/2 |x|^2 (docs/model.md, "Noise"). In a linear
network it is the normal law with covariance T H^-1, H the Hessian of U; in a nonlinear one its moments and
marginals are had by quadrature, where few nodes are free. In any other linear network the law is normal too,
and its covariance C solves Lyapunov's equation J C + C J^T + Q = 0, with J the Jacobian of all nodes and
Q = 2 T^l/tau^l at value nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy

from ...model import dynamics
from ...model.network import Array
from ...run.snapshot import Snapshot
from ...system.rest import AT_REST, nodes_at_rest

Law = Literal["Gibbs", "Lyapunov", "unknown"]

# Most free nodes of a sample, values and errors, for which a linear equation of matrices is solved.
MOST_NODES = 600

# Most free value nodes of a sample for quadrature, and points along each of so many.
POINTS = {1: 4001, 2: 401}

# How far beyond what was seen the quadrature reaches, in parts of its span.
BEYOND = 0.75

# W is M^T up to this.
CLOSE: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-12}


@dataclass(frozen=True, eq=False)
class Theory:
    """What theory says of the free value nodes.

    Attributes
    ----------
    law : {"Gibbs", "Lyapunov", "unknown"}
    why : str
        Which law it is and why, in words, or why none is known.
    mean : ndarray, shape (B, m), or None
    covariance : ndarray, shape (B, m, m), or None
    grid : tuple of Grid
        Of each sample, where the law is known from quadrature; empty if not.
    """

    law: Law
    why: str
    mean: Array | None = None
    covariance: Array | None = None
    grid: tuple[Grid, ...] = ()


class Grid(NamedTuple):
    """The density of one sample's free value nodes on a grid.

    Attributes
    ----------
    axes : tuple of ndarray
        The points along each node's axis.
    density : ndarray
        Normalised to an integral of 1.
    """

    axes: tuple[Array, ...]
    density: Array

    def marginal(self, node: int) -> tuple[Array, Array]:
        """The points and the density of one node."""
        others = [k for k in range(len(self.axes)) if k != node]
        density: Any = self.density
        for k in reversed(others):
            density = np.trapezoid(density, self.axes[k], axis=k)
        return self.axes[node], density


def theory_of(snapshot: Snapshot, free: Array, seen: tuple[Array, Array]) -> Theory:
    """What theory says of the phase of a snapshot.

    Parameters
    ----------
    snapshot : Snapshot
    free : ndarray of bool, shape (B, sum of n_l)
        The free value nodes of all layers, the same number m of each sample.
    seen : tuple of ndarray, shapes (B, m)
        The least and the largest value of each.
    """
    if snapshot.record.learn:
        return Theory("unknown", "no law to compare with: the weights learn")
    if snapshot.moving:
        return Theory("unknown", "no law to compare with: a clamp moves")
    linear = snapshot.fixed or _same_for_all(snapshot)
    not_gibbs = _not_gibbs(snapshot, free)
    m = int(free[0].sum())
    if linear:
        return _linear(snapshot, free, not_gibbs)
    if not_gibbs:
        what = "neither is the network linear, for Lyapunov's equation, nor does Gibbs' law hold"
        return Theory("unknown", f"no law to compare with: {what}: {not_gibbs}")
    density = "exp(-U/T), U = F_b + lambda_x/2 |x|^2, as errors are slaved, W = M^T and T is one"
    if m not in POINTS:
        what = f"the density is {density}; with {m} free nodes a sample its moments are not had by quadrature"
        return Theory("Gibbs", what)
    (T,) = _temperatures(snapshot, free)
    grids = tuple(_grid(snapshot, free, (seen[0][b], seen[1][b]), b, T) for b in range(snapshot.batch))
    mean, covariance = zip(*map(_moments, grids), strict=True)
    return Theory("Gibbs", f"the density is {density}", np.array(mean), np.array(covariance), grids)


def _same_for_all(snapshot: Snapshot) -> bool:
    """Whether the Jacobian of the nodes is the same in all states of all samples."""
    return {sigma.name for sigma in snapshot.network.sigma} == {"identity"}


def _temperatures(snapshot: Snapshot, free: Array) -> set[float]:
    """The temperatures of the layers that have free value nodes."""
    ends = np.cumsum([0, *snapshot.network.sizes])
    parts = zip(ends, ends[1:], snapshot.network.temperatures, strict=False)
    return {T for a, b, T in parts if free[:, a:b].any()}


def _not_gibbs(snapshot: Snapshot, free: Array) -> str:
    """Why the law of Gibbs does not hold; empty if it does."""
    network, weights = snapshot.network, snapshot.state.weights
    if snapshot.fixed:
        return "predictions are fixed, which makes the rates no gradient"
    if set(network.slaved) != set(range(1, network.n + 1)):
        return "errors are not slaved (tau_eps above 0)"
    if len(_temperatures(snapshot, free)) > 1:
        return "layers have different temperatures"
    pairs = zip(weights.M, weights.feedback, strict=True)
    if not all(np.allclose(M.T, W, **CLOSE) for M, W in pairs):
        return "W is not M^T"
    return ""


def _linear(snapshot: Snapshot, free: Array, not_gibbs: str) -> Theory:
    """The normal law of nodes whose rates are linear in them: in linear networks, or with fixed predictions.

    In a linear network the covariance is the same for all samples with the same free nodes.
    """
    rest = nodes_at_rest(snapshot.problem(learn=False, until=None), AT_REST)
    mean = np.concatenate(rest.state.x, axis=1)[free].reshape(len(free), -1)
    if not rest.found:
        return Theory("unknown", "no law to compare with: the nodes have no equilibrium")
    same = _same_for_all(snapshot)
    kinds = [row.tobytes() if same else b for b, row in enumerate(free)]
    known: dict[Any, Array] = {}
    for b, kind in enumerate(kinds):
        if kind not in known:
            found = _covariance(snapshot, b, not not_gibbs)
            if isinstance(found, str):
                return Theory("unknown", f"no law to compare with: {found}")
            known[kind] = found
    covariance = np.array([known[kind] for kind in kinds])
    if not_gibbs:
        what = f"the covariance solves Lyapunov's equation of the nodes ({not_gibbs}, so no Gibbs law)"
        return Theory("Lyapunov", what, mean, covariance)
    what = "the covariance is T H^-1, as errors are slaved, W = M^T and T is one (Gibbs)"
    return Theory("Gibbs", what, mean, covariance)


def _covariance(snapshot: Snapshot, b: int, gibbs: bool) -> Array | str:
    """The covariance of the free value nodes of sample `b`, or why there is none."""
    one = snapshot.of_samples((snapshot.record.samples[b],))
    problem = one.problem(learn=False, until=None)
    there = problem.free_nodes
    if int(there.sum()) > MOST_NODES:
        return (
            f"{int(there.sum()):,} free nodes a sample are too many for its equation (at most {MOST_NODES})"
        )
    J = problem.jacobian(0.0, problem.y0)[np.ix_(there, there)]
    amplitude = np.zeros(there.size)
    values = np.asarray(problem.there.noise())
    amplitude[: values.size] = values
    is_value = (np.arange(there.size) < values.size)[there]
    rates = scipy.linalg.eigvals(J).real.max()
    if not rates < 0.0:
        return f"the nodes are not stable (largest rate {rates:.2g}), and so have no stationary law"
    Q = np.diag(amplitude[there] ** 2)
    found: Any
    if gibbs:
        # tau^l dx^l = -H (x - x*) dt + sqrt(2 tau^l T) dw, so that J = -H / tau^l and Q = 2 T / tau^l.
        found = np.linalg.solve(-2.0 * J, Q)
        found = 0.5 * (found + found.T)
    else:
        found = scipy.linalg.solve_continuous_lyapunov(J, -Q)
    kept: Array = found[np.ix_(is_value, is_value)]
    return kept


def potential(snapshot: Snapshot, x: tuple[Array, ...], b: int) -> Array:
    """U = F_b + lambda_x/2 |x|^2 of states of sample `b` with value nodes `x`, shapes (K, n_l); shape (K,).

    Errors are those at rest. Clamped nodes add a constant.
    """
    network, weights = snapshot.network, snapshot.state.weights
    at = tuple(x_l[[b]] for x_l in snapshot.predicting) if snapshot.fixed else x
    mu: Any = dynamics.predictions(at, weights.M, weights.beta, network.sigma)
    energy = sum(
        (np.asarray(x_l - mu_l) ** 2).sum(axis=1) / nu_l
        for x_l, mu_l, nu_l in zip(x[1:], mu, network.nu, strict=True)
    )
    decay = network.node_decay * sum((x_l**2).sum(axis=1) for x_l in x)
    return 0.5 * np.asarray(energy + decay)


def placed(snapshot: Snapshot, free: Array, b: int, values: Array) -> tuple[Array, ...]:
    """Value nodes of sample `b` with `values`, shape (K, m), in place of the free ones; shapes (K, n_l)."""
    whole = np.concatenate([x_l[b] for x_l in snapshot.state.x])
    whole = np.tile(whole, (len(values), 1))
    whole[:, free[b]] = values
    return tuple(np.split(whole, np.cumsum(snapshot.network.sizes)[:-1], axis=1))


def _grid(snapshot: Snapshot, free: Array, seen: tuple[Array, Array], b: int, T: float) -> Grid:
    low, high = seen
    more = BEYOND * np.maximum(high - low, 1e-9)
    axes = tuple(np.linspace(a, z, POINTS[len(low)]) for a, z in zip(low - more, high + more, strict=True))
    points = np.stack([one.ravel() for one in np.meshgrid(*axes, indexing="ij")], axis=1)
    U = potential(snapshot, placed(snapshot, free, b, points), b)
    density = np.exp(-(U - U.min()) / T).reshape([axis.size for axis in axes])
    whole: Any = density
    for axis in reversed(axes):
        whole = np.trapezoid(whole, axis, axis=-1)
    return Grid(axes, density / whole)


def _moments(grid: Grid) -> tuple[Array, Array]:
    """Mean, shape (m,), and covariance, shape (m, m), of a density on a grid."""
    count = len(grid.axes)

    def expected(values: Array) -> float:
        weighted: Any = grid.density * values
        for axis in reversed(grid.axes):
            weighted = np.trapezoid(weighted, axis, axis=-1)
        return float(weighted)

    mesh = np.meshgrid(*grid.axes, indexing="ij")
    mean = np.array([expected(one) for one in mesh])
    off = [one - m for one, m in zip(mesh, mean, strict=True)]
    covariance = np.array([[expected(off[i] * off[j]) for j in range(count)] for i in range(count)])
    return mean, covariance
