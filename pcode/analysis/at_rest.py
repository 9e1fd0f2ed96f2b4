"""The nodes of a snapshot at rest: what several questions, planes and manifolds ask first."""

from __future__ import annotations

from dataclasses import replace

from ..run.snapshot import Snapshot
from ..system.rest import Rest, nodes_at_rest


def with_positive_tau(snapshot: Snapshot) -> Snapshot:
    """The same with tau = 1 where tau is 0: equilibria are the same, and rates are in units of 1/tau."""
    if not snapshot.network.limit:
        return snapshot
    return replace(snapshot, network=snapshot.network.with_longest_tau(1.0))


def rest_of(snapshot: Snapshot, tol: float) -> Rest:
    """The equilibrium to which the nodes go from where they are, or else the one Newton's method finds."""
    problem = snapshot.problem(learn=False, until=None)
    along = nodes_at_rest(problem, tol, step=1.0)
    if along.found:
        return along
    newton = nodes_at_rest(problem, tol)
    return newton if newton.residual.max() < along.residual.max() else along
