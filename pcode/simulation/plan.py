"""The size of a run's systems and result, checked before anything large is allocated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .. import solvers
from ..base import checks
from ..base.errors import InputError
from ..model.network import Network
from ..model.phase import Phase, Save
from ..model.state import Layout
from ..solvers import Settings
from ..system.problem import layout_of
from .noise import PHASE_KEYS, check_method, check_phase
from .trajectory import MOST_WITHIN


@dataclass(frozen=True)
class Extent:
    """The extent of a run up to one of its phases.

    Attributes
    ----------
    shown : tuple of int
        The samples that the last phase shows.
    seen : int
        One more than the largest number of a sample shown so far.
    width : int
        Largest number of samples of a phase.
    node_rows, weight_rows : int
        Number of saved times, at most.
    """

    shown: tuple[int, ...] = ()
    seen: int = 0
    width: int = 0
    node_rows: int = 0
    weight_rows: int = 0

    def with_phase(self, phase: Phase, save: Save) -> Extent:
        """The extent with one more phase; see `Phase.samples` for the samples that it shows by default."""
        if phase.samples is not None:
            shown = phase.samples
        elif self.shown and phase.batch in (None, len(self.shown)):
            shown = self.shown
        else:
            shown = tuple(range(self.seen, self.seen + (phase.batch or 1)))
        node_rows, weight_rows = _rows(phase, save, len(shown))
        return Extent(
            shown,
            max(self.seen, 1 + max(shown)),
            max(self.width, phase.batch_shown or len(shown)),
            self.node_rows + node_rows,
            self.weight_rows + weight_rows,
        )

    def sizes(self, network: Network) -> tuple[int, int]:
        """Bytes of the nodes and of the weights in the result, at most."""
        # For every sample its value and error nodes and its number; for every layer two energies.
        nodes = self.width * (sum(network.sizes) + sum(network.sizes[1:]) + 1) + 2 * network.n
        links = sum(a * b for a, b in network.links)
        weights = links * (1 if network.feedback == "tied" else 2) + sum(network.sizes[1:])
        return 8 * self.node_rows * nodes, 8 * self.weight_rows * weights

    def check_memory(self, network: Network, save: Save) -> None:
        """Raise InputError if the result would exceed `save.memory`."""
        for_nodes, for_weights = self.sizes(network)
        if for_nodes + for_weights > save.memory:
            key = "nodes" if for_nodes >= for_weights else "weights"
            what = (
                f"the result would take {(for_nodes + for_weights) / 1e9:.3g} GB, more than the "
                f"{save.memory / 1e9:.3g} GB allowed "
                f"({for_nodes / 1e9:.3g} GB for nodes, {for_weights / 1e9:.3g} GB for weights); "
                f"save fewer times (now {getattr(save, key)} a phase), or allow more memory"
            )
            raise InputError(f"save.{key}", what)


def _rows(phase: Phase, save: Save, samples: int) -> tuple[int, int]:
    """How many times of the nodes and of the weights a phase saves, at most."""
    weights = save.weights if phase.learn else 2
    if phase.presentation is None:
        return save.nodes, weights
    kept = save.kept(phase.presentation.count(samples)).size
    full = save.presentation_nodes == "full"
    within = MOST_WITHIN if full and phase.learn else 2
    return kept * (save.nodes if full else 2), weights + kept * within


@dataclass(frozen=True)
class Plan:
    """The systems that a run will integrate and the size of its result.

    Attributes
    ----------
    layouts : tuple of Layout
        The unknowns of each phase.
    samples : tuple of tuple of int
        The samples that each phase shows.
    result_bytes : int
        Size of the result, at most.
    """

    layouts: tuple[Layout, ...]
    samples: tuple[tuple[int, ...], ...]
    result_bytes: int


def phases_of(network: Network, phases: Iterable[Phase]) -> tuple[Phase, ...]:
    """The phases, from any iterable, with their times in the unit of the network.

    Raises
    ------
    InputError
        If it is not an iterable of phases, as a single phase is not, or units of time do not go together.
    """
    right = "a list of phases, also where there is only one"
    listed = checks.listed("phases", phases, right)
    return tuple(phase_of(network, phase, f"phases[{k}]") for k, phase in enumerate(listed))


def phase_of(network: Network, phase: Any, where: str) -> Phase:
    """A phase with its times in the unit of the network; errors name it as `where`."""
    checks.instance(where, phase, Phase, "a pcode.Phase")
    try:
        kept: Phase = phase.in_unit_of(network)
    except InputError as error:
        raise error.within(where) from None
    return kept


def plan(
    network: Network,
    phases: Iterable[Phase],
    save: Save | None = None,
    method: str = "auto",
    before: Extent | None = None,
    settings: Settings | None = None,
) -> Plan:
    """Check that a run is possible, before anything large is made.

    Parameters
    ----------
    network : Network
    phases : iterable of Phase
    save : Save, optional
    method : str
    before : Extent, optional
        Extent of the run so far, if it is continued with these phases.
    settings : Settings, optional
        Those of the solver.

    Raises
    ------
    InputError
        If an argument is of the wrong type, there is no phase, a clamp does not fit the network, the method
        is unknown or unsuitable for the unknowns, or the result would exceed `save.memory`.
    """
    save = checked_save(network, save, method)
    phases = phases_of(network, phases)
    if not phases:
        raise InputError("phases", "there is none; a run needs one at least")
    for k, phase in enumerate(phases):
        check_clamps(network, phase, f"phases[{k}]")
    extent, samples = Extent() if before is None else before, []
    for phase in phases:
        extent = extent.with_phase(phase, save)
        samples.append(extent.shown)
    layouts = tuple(
        layout_of(network, phase, phase.batch_shown or len(shown))
        for phase, shown in zip(phases, samples, strict=True)
    )
    solver, settings = solvers.by_name(method), Settings() if settings is None else settings
    check_method(network, method, settings)
    for k, (phase, layout) in enumerate(zip(phases, layouts, strict=True)):
        solver.check(layout)
        _check_noise(network, phase, layout, method, settings, f"phases[{k}]")
    extent.check_memory(network, save)
    return Plan(layouts, tuple(samples), sum(extent.sizes(network)))


def checked_save(network: Network, save: Save | None, method: str) -> Save:
    """`save`, or its default; raises InputError if one of the arguments is of the wrong type."""
    save = Save() if save is None else save
    checks.instance("network", network, Network, "a pcode.Network")
    checks.instance("save", save, Save, "a pcode.Save, such as Save(nodes=100), or left out")
    checks.instance("method", method, str, f"one of {', '.join(solvers.METHODS)}")
    return save


def check_clamps(network: Network, phase: Phase, where: str) -> None:
    """Raise InputError, naming the phase as `where`, if its clamps do not fit the network."""
    try:
        phase.check(network)
    except InputError as error:
        raise error.within(where) from None


def _check_noise(
    network: Network, phase: Phase, layout: Layout, method: str, settings: Settings, where: str
) -> None:
    try:
        check_phase(network, phase, layout, method, settings)
    except InputError as error:
        raise (error.within(where) if error.where in PHASE_KEYS else error) from None


def check_next(
    network: Network,
    phase: Phase,
    save: Save,
    method: str,
    before: Extent,
    where: str,
    settings: Settings,
) -> None:
    """Make the checks of `plan` for one more phase, which errors name as `where`."""
    check_clamps(network, phase, where)
    extent = before.with_phase(phase, save)
    layout = layout_of(network, phase, phase.batch_shown or len(extent.shown))
    solvers.by_name(method).check(layout)
    _check_noise(network, phase, layout, method, settings, where)
    extent.check_memory(network, save)
