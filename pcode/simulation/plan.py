"""What a run will solve and keep, checked before anything large is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .. import solvers
from ..base import checks
from ..base.errors import InputError
from ..model.network import Network
from ..model.phase import Phase, Save
from ..model.state import Layout
from ..system.problem import layout_of


@dataclass(frozen=True)
class Plan:
    """What a run will solve and keep.

    Attributes
    ----------
    layouts : tuple of Layout
        The unknowns of each phase.
    samples : tuple of tuple of int
        The samples that each phase shows.
    node_rows, weight_rows : int
        Most saved times.
    result_bytes : int
        Size of the result, at most.
    """

    layouts: tuple[Layout, ...]
    samples: tuple[tuple[int, ...], ...]
    node_rows: int
    weight_rows: int
    result_bytes: int

    @property
    def sample_count(self) -> int:
        """Number of samples in all phases together."""
        return 1 + max(max(shown) for shown in self.samples)


def phases_of(phases: Iterable[Phase]) -> tuple[Phase, ...]:
    """The phases, from any iterable.

    Raises
    ------
    InputError
        If it is none, as a single phase is none, or holds something else.
    """
    right = "a list of phases, also where there is only one"
    listed = checks.listed("phases", phases, right)
    for k, phase in enumerate(listed):
        checks.instance(f"phases[{k}]", phase, Phase, "a pcode.Phase")
    return listed


def plan(network: Network, phases: Iterable[Phase], save: Save | None = None, method: str = "auto") -> Plan:
    """Check that a run is possible, before anything large is made.

    Raises
    ------
    InputError
        If an argument is of the wrong kind, there is no phase, a clamp does not fit the network, the
        method is unknown or unsuitable for so many unknowns, or the result would exceed `save.memory`.
    """
    save = Save() if save is None else save
    checks.instance("network", network, Network, "a pcode.Network")
    checks.instance("save", save, Save, "a pcode.Save, such as Save(nodes=100), or left out")
    checks.instance("method", method, str, f"one of {', '.join(solvers.METHODS)}")
    phases = phases_of(phases)
    if not phases:
        raise InputError("phases", "there is none; a run needs one at least")
    for k, phase in enumerate(phases):
        try:
            phase.check(network)
        except InputError as error:
            raise error.within(f"phases[{k}]") from None
    samples = _assign_samples(phases)
    layouts = tuple(
        layout_of(network, phase, len(shown)) for phase, shown in zip(phases, samples, strict=True)
    )
    solver = solvers.by_name(method)
    for layout in layouts:
        solver.check(layout)
    extra = 2  # a phase that ends before its time saves its end besides
    node_rows = sum(save.nodes + extra for _ in phases)
    weight_rows = sum((save.weights if phase.learn else 2) + extra for phase in phases)
    made = Plan(layouts, samples, node_rows, weight_rows, 0)
    sizes = network.sizes
    nodes = made.sample_count * (sum(sizes) + sum(sizes[1:])) + 2 * network.n
    links = sum(a * b for a, b in network.links)
    weights = links * (1 if network.feedback == "tied" else 2) + sum(sizes[1:])
    size = 8 * (node_rows * nodes + weight_rows * weights)
    if size > save.memory:
        key = "nodes" if node_rows * nodes >= weight_rows * weights else "weights"
        for_nodes, for_weights = 8e-9 * node_rows * nodes, 8e-9 * weight_rows * weights
        what = (
            f"the result would take {size / 1e9:.3g} GB, more than the {save.memory / 1e9:.3g} GB allowed "
            f"({for_nodes:.3g} GB for nodes, {for_weights:.3g} GB for weights); "
            f"save fewer times (now {getattr(save, key)} a phase), or allow more memory"
        )
        raise InputError(f"save.{key}", what)
    return replace(made, result_bytes=size)


def _assign_samples(phases: Sequence[Phase]) -> tuple[tuple[int, ...], ...]:
    """The samples that each phase shows; see `Phase` for where it does not say."""
    assigned: list[tuple[int, ...]] = []
    for phase in phases:
        before = assigned[-1] if assigned else ()
        if phase.samples is not None:
            shown = phase.samples
        elif before and phase.batch in (None, len(before)):
            shown = before
        else:
            unseen = 1 + max((max(seen) for seen in assigned), default=-1)
            shown = tuple(range(unseen, unseen + (phase.batch or 1)))
        assigned.append(shown)
    return tuple(assigned)
