"""Where a run stands that has not ended: all that is needed to go on with it.

It is the group `reached` of a checkpoint, and of the result of a run that was interrupted. The group's
variables are the arrays of the state, by their names in results; its attributes say where in which phase that
is, how much of the result belongs before it, and what the run is made of.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr

from ..base import checks, documents
from ..base.errors import InputError
from ..base.short import Short
from ..base.status import SolverStats
from ..model.network import Array, Weights
from ..model.state import State
from ..model.variables import NODES, VARIABLES, WEIGHTS
from .result import REACHED, Run

# The layout of the group. A file with another one is not read.
FORMAT = 1


class Marks(NamedTuple):
    """How much of a result there is.

    Attributes
    ----------
    nodes, weights, probes : int
        Number of rows.
    latest : tuple of str
        The probes that have a value in the last row of probes.
    failed : tuple of (str, int)
        Probes that had no value, each with the index of the phase.
    """

    nodes: int
    weights: int
    probes: int = 0
    latest: tuple[str, ...] = ()
    failed: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, eq=False)
class Reached(Short):
    """Where a phase stands.

    Attributes
    ----------
    state : State
        The full state.
    samples : tuple of int
        The rows of the data that it shows.
    at : float
        The phase's own time or, where it shows samples one after another, that of the presentation.
    begun : bool
        Whether the phase, or the presentation, has begun, and its start is saved.
    part : str
        Which observers are still to be called in the presentation, see `Looks`.
    presented, at_limit : int
        How many presentations have ended, and how many of these at their limit.
    elapsed : float
        The time in the phase at which the last of these ended.
    stats : SolverStats
        The cost of the phase so far.
    steps : ndarray, shape (K, 3)
        The steps of the phase that its result does not have yet, in its own time.
    method, reason : str
        The solver, and why it was chosen.
    """

    state: State
    samples: tuple[int, ...]
    at: float
    stats: SolverStats
    method: str
    reason: str
    begun: bool = True
    part: Literal["all", "end"] = "all"
    presented: int = 0
    at_limit: int = 0
    elapsed: float = 0.0
    steps: Array = field(default_factory=lambda: np.empty((0, 3)), repr=False)

    @property
    def t(self) -> float:
        """Time since the phase began."""
        return self.elapsed + self.at


class Standing(NamedTuple):
    """What a file says of a run that has not ended.

    Attributes
    ----------
    run : Run
        The result so far.
    reached : Reached
    marks : Marks
        How much of the result is of before `reached`: the rest is due to the interruption itself.
    made_of : dict of str to value
        What the run is made of, see `pcode.simulation.fingerprint`.
    about : dict of str to str
        What those who ran it noted, such as where the scenario is.
    """

    run: Run
    reached: Reached
    marks: Marks
    made_of: dict[str, Any]
    about: dict[str, str]


# Attributes of `Reached` that are plain values.
_PLAIN = ("samples", "at", "method", "reason", "begun", "part", "presented", "at_limit", "elapsed")


def reached_dataset(
    reached: Reached, marks: Marks, made_of: Mapping[str, Any], about: Mapping[str, str]
) -> xr.Dataset:
    """The group of a file."""
    variables = {}
    for variable in VARIABLES:
        for layer, array in enumerate(variable.of(reached.state), variable.first):
            name = f"{variable}{layer}"
            dims = tuple(f"{name}_axis{axis}" for axis in range(array.ndim))
            variables[name] = (dims, np.asarray(array), {"long_name": variable.long_name(layer)})
    where = {name: getattr(reached, name) for name in _PLAIN} | {"stats": asdict(reached.stats)}
    texts = {"where": where, "marks": marks._asdict(), "made_of": made_of, "about": dict(about)}
    attributes = {name: json.dumps(value) for name, value in texts.items()}
    return xr.Dataset(variables, attrs={"format": FORMAT} | attributes)


def noted(run: Run, about: Mapping[str, str]) -> Run:
    """`run` with notes on it in its group, if it has not ended."""
    if REACHED in run.groups:
        group = run.groups[REACHED]
        run.groups[REACHED] = group.assign_attrs(about=json.dumps(dict(about)))
    return run


def standing_of(run: Run, source: str) -> Standing:
    """What the result of a run that has not ended says.

    Raises
    ------
    InputError
        If the run has ended, or another version of pcode wrote it in another way.
    """
    group = run.groups.get(REACHED)
    if group is None:
        how = f"the run in it is complete ({run.status})"
        if run.status == "interrupted":
            how = "the run in it was interrupted, but the file does not say where it stood"
        elif run.status.failed:
            how = f"the run in it failed ({run.status}), and would fail again"
        raise InputError("", f"{how}; there is nothing to resume", source)
    found = group.attrs.get("format")
    if found != FORMAT:
        by = json.loads(run.data.attrs.get("versions", "{}")).get("pcode-sim", "another version")
        what = f"was written by pcode {by} in format {found}; this one reads {FORMAT}: resume it with that"
        raise InputError("", what, source)
    try:
        where, marks, made_of, about = (
            documents.from_json(group.attrs[name]) for name in ("where", "marks", "made_of", "about")
        )
        stats, samples = SolverStats(**where.pop("stats")), tuple(where.pop("samples"))
        reached = Reached(state=_state(group, run, len(samples)), stats=stats, samples=samples, **where)
        _check(reached)
        failed = tuple((str(name), int(phase)) for name, phase in marks.pop("failed"))
        kept = Marks(**marks | {"latest": tuple(marks["latest"]), "failed": failed})
        known = len(run.phases) > 0 and isinstance(made_of, dict) and isinstance(about, dict)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"does not say where the run stood in a way that can be read ({checks.shown(error)})"
        raise InputError("", f"{what}; run it anew", source) from None
    if not known:
        raise InputError("", "does not say of which run it is; run it anew", source)
    return Standing(run, reached, kept, made_of, about)


def _check(reached: Reached) -> None:
    """Raise ValueError unless the plain values are of their kinds."""
    whole = (*reached.samples, reached.presented, reached.at_limit)
    times = (reached.at, reached.elapsed)
    right = (
        all(type(k) is int and k >= 0 for k in whole)
        and all(type(t) in (int, float) and 0.0 <= t < np.inf for t in times)
        and all(isinstance(text, str) for text in (reached.method, reached.reason))
        and type(reached.begun) is bool
        and reached.part in ("all", "end")
    )
    if not right:
        raise ValueError("a value in it is of another kind")


def _state(group: xr.Dataset, run: Run, batch: int) -> State:
    n, kinds = run.network.n, run.network.weight_variables

    def arrays(names: Any) -> tuple[Array, ...]:
        found = []
        for name in names:
            kept, rows = np.array(group[name], dtype=float), run.data[name]
            shape = (batch, rows.shape[-1]) if "sample" in rows.dims else rows.shape[1:]
            if kept.shape != shape:
                raise ValueError(f"{name} has shape {kept.shape}, not {shape}")
            found.append(kept)
        return tuple(found)

    kept = {v.name: arrays(v.names(n)) for v in kinds}
    weights = Weights(**{v.name: kept.get(v.name) for v in WEIGHTS})  # type: ignore[arg-type]
    return State(**{v.name: arrays(v.names(n)) for v in NODES}, weights=weights)
