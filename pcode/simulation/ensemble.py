"""`simulate_many`: an ensemble of runs, integrated together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..base import programs
from ..base.errors import InputError
from ..base.status import SolverStats, Status
from ..model.network import Network, Weights
from ..model.phase import NodeStart, Phase, Save
from ..model.state import State
from ..run.clamps import ClampArrays, clamp_records
from ..run.ensemble import Ensemble
from ..run.ensemble_dataset import ensemble_dataset
from ..run.part import Part
from ..run.record import PhaseRecord
from ..system.problem import layout_of
from .arguments import check_nodes, oddities, settings_of
from .attributes import attributes_of
from .interrupts import interruptible
from .members import Group, check_together, members_of
from .plan import Extent, checked_save, phases_of, plan
from .start import starting_state
from .together import Together


def simulate_many(
    network: Network,
    phases: Iterable[Phase],
    *,
    weights: Sequence[Weights] | None = None,
    seeds: Iterable[int] | None = None,
    init: Mapping[str, Any] | None = None,
    over: Mapping[str, Sequence[Any]] | None = None,
    nodes: NodeStart | State = "feedforward",
    method: str = "auto",
    rtol: float = 1e-6,
    atol: float = 1e-9,
    max_steps: int = 1_000_000,
    save: Save | None = None,
) -> Ensemble:
    """Simulate many runs that differ in their weights or in numbers of the network, together.

    Each member is what `pcode.simulate` would make of it, within the tolerances. Its steps are its own; one
    that fails has its own status, and the others go on. On processors all cores are used, and on an
    accelerator that JAX finds that one.

    Parameters
    ----------
    network : Network
        Its layers, activations, masks and kind of feedback are those of all members.
    phases : iterable of Phase
        Run one after the other, as by `pcode.simulate`, by all members. None may have a `Presentation`.
    weights : sequence of Weights, optional
        Initial weights, one for each member.
    seeds : iterable of int, optional
        In place of `weights`: seeds with which they are drawn, see `Network.init_weights`.
    init : mapping of str to value, optional
        Arguments of `Network.init_weights` for this, such as ``{"scale": 1.5}``.
    over : mapping of str to sequence, optional
        Numbers of the network that differ between members, with one value for each: any of `tau`, `delta`,
        `nu`, `weight_decay`, `node_decay`, in the form that `Network` takes.
    nodes : {"feedforward", "zero", "equilibrium"} or State
        Initial nodes, see `pcode.simulate`. With "equilibrium" a member for which none is reached has the
        status `nonlinear_failure`.
    method : {"auto", "Kvaerno5", "Kvaerno3", "Tsit5", "Dopri8"}
        "auto" takes for each phase Tsit5 where few of its steps would do, else Kvaerno5; which and why is in
        the result.
    rtol, atol : float
        Relative and absolute tolerance of a step's local error in every unknown, as for `pcode.simulate`.
    max_steps : int
        Most steps of a member in a phase.
    save : Save, optional
        Which times to save, the same for all members; by default the two ends of each phase. Log-spaced times
        start at 1e-2 of the smallest tau.

    Returns
    -------
    Ensemble

    Raises
    ------
    InputError
        If an argument is wrong; nothing has been computed then.

    Examples
    --------
    >>> many = pcode.simulate_many(network, [train], seeds=range(1000))
    >>> many.status.count("success"), many.data["energy"][:, -1].sum("layer").mean().item()
    """
    save = checked_save(network, Save(nodes=2, weights=2) if save is None else save, method)
    programs.room.check()
    settings = settings_of(rtol, atol, max_steps)
    check_nodes(nodes)
    _ = network.sigma  # not those of a file whose functions are not loaded
    listed = phases_of(network, phases)
    plan(network, listed, save)
    group = members_of(network, weights, seeds, init, over)
    check_together(network, group, listed, method)
    _check_memory(network, listed, save, len(group))
    run = _Many(network, group, save, Together(method, settings), nodes)
    with interruptible(None) as stopped, np.errstate(all="ignore"):
        for phase in listed:
            run.advance(phase, stopped)
    return run.result(method)


def _check_memory(network: Network, phases: Sequence[Phase], save: Save, count: int) -> None:
    extent = Extent()
    for phase in phases:
        extent = extent.with_phase(phase, save)
    size = count * sum(extent.sizes(network))
    if size > save.memory:
        what = f"the result of {count:,} members would take {size / 1e9:.3g} GB, more than the"
        right = f"{save.memory / 1e9:.3g} GB allowed; save fewer times, or allow more memory"
        raise InputError("save", f"{what} {right}")


class _Many:
    """An ensemble with its states: phases are run one after the other."""

    def __init__(
        self, network: Network, group: Group, save: Save, together: Together, nodes: NodeStart | State
    ) -> None:
        self._network, self._group, self._save = network, group, save
        self._together, self._nodes = together, nodes
        self._extent = Extent()
        self._shown: tuple[int, ...] = ()
        self._states: list[State | None] = [None] * len(group)
        self._t = np.zeros(len(group))
        self._alive = np.ones(len(group), bool)
        self._parts: list[Part] = []
        self._records: list[PhaseRecord] = []

    def _starts(self, phase: Phase, members: Sequence[int]) -> tuple[dict[int, State], dict[int, str]]:
        """The states in which members start, by member, and why others cannot."""
        states, unable = dict[int, State](), dict[int, str]()
        for k in members:
            state = self._states[k]
            own = self._group.weights[k] if state is None else state.weights
            given = (
                self._group.networks[k],
                phase,
                phase.samples or (),
                self._nodes,
                own,
                state,
                self._shown,
            )
            try:
                states[k] = starting_state(*given)
            except InputError as error:
                # A State that does not fit, fits none of them.
                if isinstance(self._nodes, State) and not self._parts:
                    raise
                unable[k] = str(error)
        return states, unable

    def advance(self, phase: Phase, stopped: Any) -> None:
        """Run a phase, from where the members are."""
        save = self._save
        self._extent = self._extent.with_phase(phase, save)
        phase = phase.showing(self._extent.shown)
        states, unable = self._starts(phase, np.flatnonzero(self._alive).tolist())
        networks, shown = self._group.networks, phase.samples or ()
        clocks = min(one.shortest_tau for one in networks), min(one.shortest_delta for one in networks)
        nodes = save.times(save.nodes, phase.duration, *clocks)
        weights = save.times(save.weights if phase.learn else 2, phase.duration, *clocks)
        part = Part(shown, nodes, weights, self._t.copy())
        self._together.integrate(phase, part, networks, states, stopped)
        part.stand(list(unable), Status.NONLINEAR_FAILURE)
        part.why |= unable
        for k, state in part.states.items():
            self._states[k] = state
        self._t += np.nan_to_num(part.lasted)
        self._alive &= ~part.failed
        self._shown = shown
        self._parts.append(part)
        self._records.append(self._record(phase, part))

    def _record(self, phase: Phase, part: Part) -> PhaseRecord:
        """What the records of all members have in common."""
        shown = phase.samples or ()
        return PhaseRecord(
            name=phase.name,
            status=Status.SUCCESS,
            message="",
            t_start=0.0,
            t_end=0.0,
            learn=phase.learn,
            until=phase.until,
            duration=phase.duration,
            clamp=clamp_records(phase, self._network.sizes, len(shown)),
            samples=shown,
            unknowns=layout_of(self._network, phase, len(shown)).size,
            method=part.method,
            method_reason=part.reason,
            stats=SolverStats(
                int(part.steps.sum()),
                int(part.rejected.sum()),
                None,
                None,
                part.compile_seconds,
                part.solve_seconds,
            ),
            settle_tol=phase.settle_tol,
            predictions=phase.predictions,
        )

    def result(self, method: str) -> Ensemble:
        """The phases so far."""
        clamps = ClampArrays()
        attributes = attributes_of(self._network, self._records, method, self._together.settings, clamps)
        notes = {
            note: None
            for one in dict.fromkeys(self._group.networks)
            for note in oddities(one, (record.learn for record in self._records))
        }
        attributes["notes"] = json.dumps(list(notes))
        data = ensemble_dataset(self._network, self._parts, self._own())
        names = np.array([record.name for record in self._records], dtype=object)
        data = data.assign_coords(phase_name=("phase_number", names, {"long_name": "name of the phase"}))
        ended = data["status"].to_numpy()
        worst = Status.worst([Status(one) for one in np.unique(ended[ended != ""]).tolist()])
        attributes |= {"status": str(worst), "message": f"the worst of its members: {worst.meaning}"}
        return Ensemble(data.assign_attrs(attributes), clamps.groups(), self._network)

    def _own(self) -> dict[str, Any]:
        """Coordinates of the members."""
        group = self._group
        coordinates: dict[str, Any] = {
            "member": ("member", np.arange(len(group)), {"long_name": "member of the ensemble"})
        }
        if group.seeds is not None:
            whole = max(group.seeds) < 2**63
            seeds = np.array(group.seeds if whole else list(map(str, group.seeds)), None if whole else object)
            coordinates["seed"] = ("member", seeds, {"long_name": "seed of the initial weights"})
        for name, values in group.over.items():
            about = {"long_name": f"{name} of the member's network"}
            each = {"delta": "link", "tau": "value_layer"}.get(name, "layer")
            dims = ("member",) if values.ndim == 1 else ("member", each)
            coordinates[name] = (dims, values, about)
        return coordinates
