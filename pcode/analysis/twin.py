"""The same feedforward network trained by backpropagation beside a predictive coding network.

It starts from the same weights, sees the same samples in the same order for as long, and learns by the
gradient flow of its loss, with the same tolerances, and by plain SGD with one step for each presentation;
see `pcode.analysis.descent`. Ramps between samples are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..base.errors import InputError
from ..base.tables import Column, Table
from ..base.vectors import angle, norm
from ..model.network import Array, Weights
from ..run.probes import PRESENTATION, SAMPLES, TIME, probe_names, samples_of
from ..run.result import Run
from ..run.select import of_run
from ..simulation.measures import MEASURES, Glance, Samples
from .descent import Learner
from .result import Result
from .showings import Showings, showings

ASKS = "how the same network learns by backpropagation: by gradient flow and by SGD, from the same samples"

# Measures of the weights alone, of which the twins have curves too.
OF_WEIGHTS = ("accuracy", "loss", "error", "norms", "changes")

# What the learners are called.
NAMES = {"flow": "gradient flow", "sgd": "SGD"}


@dataclass(frozen=True, eq=False)
class TwinCurve:
    """A probe of the run, and what it would have seen of its twins.

    Attributes
    ----------
    name, measure, label : str
        The probe, what it measures, and what to call it.
    t : ndarray, shape (R,)
        Times of the run.
    run, flow, sgd : ndarray, shape (R,) or (R, n)
        Of the run, and of its twins; NaN where SGD is not defined.
    """

    name: str
    measure: str
    label: str
    t: Array
    run: Array
    flow: Array
    sgd: Array


@dataclass(frozen=True, eq=False)
class Twin(Result):
    """Answer to the question `twin`.

    Attributes
    ----------
    method : str
        The method of the gradient flow.
    presentations : int
        How many presentations there were; a phase without counts as one.
    curves : tuple of TwinCurve
        One for each probe of accuracy, loss, error, norms or changes.
    t : float
        When the last phase that learned ended.
    delta : float
        Time constant of the weights, the smallest if there are several.
    flow_angle, sgd_angle : ndarray, shape (n,)
        Angle in degrees between the change of M^l in the run and that of its twin.
    flow_distance, sgd_distance : ndarray, shape (n,)
        |M^l - its twin's| in parts of the change of M^l in the run.
    weights : dict of str to Weights
        Those that the twins reached, without W.
    notes : tuple of str
        What to mind.
    """

    question: ClassVar[str] = "twin"

    method: str
    presentations: int
    curves: tuple[TwinCurve, ...]
    t: float
    delta: float
    flow_angle: Array
    sgd_angle: Array
    flow_distance: Array
    sgd_distance: Array
    weights: dict[str, Weights] = field(repr=False)
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The answer in a few plain lines."""
        plural = "s" * (self.presentations != 1)
        count = f"{self.presentations:,} presentation{plural}, t = {self.t:g}{self.after_time}"
        told = [f"after {count}: predictive coding beside gradient flow ({self.method}) and SGD"]
        for curve in self.curves:
            if curve.run.ndim == 1:
                ends = (f"{part[-1]:.4g}" for part in (curve.run, curve.flow, curve.sgd))
                told.append("  {}: {}, flow {}, SGD {}".format(curve.label, *ends))
        for name, turned, apart in (
            ("flow", self.flow_angle, self.flow_distance),
            ("sgd", self.sgd_angle, self.sgd_distance),
        ):
            if np.isfinite(turned).any():
                angles, sizes = (
                    ", ".join("held" if np.isnan(value) else f"{value:.3g}" for value in values)
                    for values in (turned, apart)
                )
                told.append(
                    f"  change of M beside that by {NAMES[name]}: angle {angles} degrees, "
                    f"distance {sizes} of the change (links in turn)"
                )
        return [*told, *(f"note: {note}" for note in self.notes)]

    def tables(self) -> dict[str, Table]:
        """`curves`, one row for each time of each probe that is one number, if there is one; and `links`."""
        rows = [(c, k) for c in self.curves if c.run.ndim == 1 for k in range(c.t.size)]
        curves = Table(
            "probe and time",
            (
                Column("probe", [c.name for c, _ in rows], "probe"),
                Column("time", [float(c.t[k]) for c, k in rows], "$t$", self.time_unit),
                *(
                    Column(name, [float(getattr(c, name)[k]) for c, k in rows], head)
                    for name, head in (("run", "predictive coding"), *NAMES.items())
                ),
            ),
        )
        links = range(len(self.flow_angle))
        values = (self.flow_angle, self.flow_distance, self.sgd_angle, self.sgd_distance)
        heads = ("flow_angle", "flow_distance", "sgd_angle", "sgd_distance")
        columns = (
            Column(name, one.tolist(), name.replace("_", " "), "degrees" if "angle" in name else "")
            for name, one in zip(heads, values, strict=True)
        )
        of_links = Table("link from layer l to l + 1", (Column("layer", list(links), "$l$"), *columns))
        return ({"curves": curves} if rows else {}) | {"links": of_links}

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain values, without the weights."""
        return {key: value for key, value in super().to_dict().items() if key != "weights"}

    def others(self, name: str) -> dict[str, tuple[Array, Array]]:
        """The twins' curves of a probe, for `pcode.plotting.learning_curve`; none if there are none."""
        found = [curve for curve in self.curves if curve.name == name]
        return {
            called: (curve.t, getattr(curve, key))
            for curve in found
            for key, called in NAMES.items()
            if np.isfinite(getattr(curve, key)).any()
        }


@of_run
def twin(run: Run) -> Twin:
    """Train the plain feedforward network by backpropagation as `run` trained its network.

    Parameters
    ----------
    run : Run
        Both ends are held in all its phases that learn.

    Returns
    -------
    Twin

    Raises
    ------
    InputError
        If no phase learned, one learned with an end that was not held at constant values, or the run does
        not hold what it showed.
    """
    learned = showings(run)
    if not learned:
        raise InputError("run", "has no phase in which weights learn, so there is nothing to compare")
    network, method = run.network, _method(run)
    start = _start(run)
    rtol, atol = run.tolerances
    learners = {
        "flow": Learner(network, start, method, rtol, atol),
        "sgd": Learner(network, start, None, rtol, atol),
    }
    probes = _judged(run)
    curves = {key: _course(run, learners[key], learned, probes, start) for key in learners}
    notes = _notes(run, learned)
    if any(one.record.presentation is None for one in learned):
        # One step as long as a whole phase is no training.
        learners["sgd"].weights = _nowhere(start)
        curves["sgd"] = {name: np.full_like(values, np.nan) for name, values in curves["sgd"].items()}
    ends = {key: _beside(run, start, learner.weights) for key, learner in learners.items()}
    t = run.data[TIME].to_numpy() if TIME in run.data else np.empty(0)
    return Twin(
        method=method,
        presentations=sum(len(one.rows) for one in learned),
        curves=tuple(_curve(run, name, t, curves["flow"][name], curves["sgd"][name]) for name in probes),
        t=float(learned[-1].ends[-1]),
        delta=network.shortest_delta,
        flow_angle=ends["flow"][0],
        sgd_angle=ends["sgd"][0],
        flow_distance=ends["flow"][1],
        sgd_distance=ends["sgd"][1],
        weights={key: learner.weights for key, learner in learners.items()},
        notes=tuple(notes),
    )


def _method(run: Run) -> str:
    """The method of the gradient flow: that of the run if it is an explicit one of diffrax."""
    taken = {record.method for record in run.phases if record.learn}
    return "Dopri8" if taken == {"Dopri8"} else "Tsit5"


def _start(run: Run) -> Weights:
    first = run.data.isel(weight_time=0)
    kinds = {v.name: v.names(run.network.n) for v in run.network.weight_variables}
    kept: Any = {kind: tuple(np.array(first[name]) for name in names) for kind, names in kinds.items()}
    return Weights(M=kept["M"], W=None, beta=kept["beta"])


def _nowhere(weights: Weights) -> Weights:
    return Weights(
        tuple(np.full_like(M, np.nan) for M in weights.M),
        None,
        tuple(np.full_like(beta, np.nan) for beta in weights.beta),
    )


def _judged(run: Run) -> dict[str, tuple[str, Samples | None]]:
    """The probes that are measures of the weights, with the samples that they are judged by."""
    found: dict[str, tuple[str, Samples | None]] = {}
    for name in probe_names(run.data):
        attrs = run.data[name].attrs
        word = str(attrs.get("probe", ""))
        if word in OF_WEIGHTS:
            k = attrs.get("samples")
            judged = None if k is None else Samples(*samples_of(run.groups[SAMPLES], int(k)))
            found[name] = (word, judged)
    return found


@dataclass(frozen=True)
class _At:
    """Weights in place of a moment, for measures that need no more."""

    weights: Weights


def _course(
    run: Run,
    learner: Learner,
    learned: list[Showings],
    probes: dict[str, tuple[str, Samples | None]],
    start: Weights,
) -> dict[str, Array]:
    """What the probes see of a learner, at all times of the run's probes."""
    t = run.data[TIME].to_numpy() if TIME in run.data else np.empty(0)
    values: dict[str, list[Any]] = {name: [] for name in probes}
    for weights in _visited(run, learner, learned, t):
        glance = Glance(_At(weights), run.network, start)  # type: ignore[arg-type]
        for name, (word, samples) in probes.items():
            values[name].append(MEASURES[word].of(glance, samples))
    return {name: np.array(found, dtype=float) for name, found in values.items()}


def _visited(run: Run, learner: Learner, learned: list[Showings], t: Array) -> Iterator[Weights]:
    """The weights of a learner at the times `t`; at the end it has seen everything."""
    index = run.data["probe_phase"].to_numpy() if t.size else np.empty(0, dtype=np.int64)
    ends = run.data[PRESENTATION].to_numpy() if t.size else np.empty(0, dtype=np.int64)
    row = 0
    for one in learned:
        while row < t.size and index[row] < one.index:  # in phases before that do not learn
            yield learner.weights
            row += 1
        done = 0
        while row < t.size and index[row] == one.index:
            k, within = _place(one, float(t[row]), int(ends[row]))
            _advance(learner, one, done, k)
            done = max(done, k)
            yield _ahead(learner, one, done, within)
            row += 1
        _advance(learner, one, done, len(one.rows))
    for _ in range(row, t.size):
        yield learner.weights


def _place(one: Showings, t: float, presentation: int) -> tuple[int, float]:
    """How many presentations have ended at time `t`, and how long the next has been shown then."""
    near = 1e-9 * max(abs(t), 1e-300)
    k = int(np.searchsorted(one.ends, t + near, side="left"))
    k += int(k < one.ends.size and abs(one.ends[k] - t) <= near)
    if presentation >= 0:
        k = min(k, presentation + 1)
    if k >= one.ends.size:
        return one.ends.size, 0.0
    within = t - float(one.starts[k])
    return k, within if within > near else 0.0


def _advance(learner: Learner, one: Showings, done: int, k: int) -> None:
    if k > done:
        lasts = (one.ends - one.starts)[done:k]
        learner.learn(one.record.learn, one.inputs, one.targets, one.rows[done:k], lasts)


def _ahead(learner: Learner, one: Showings, k: int, within: float) -> Weights:
    """The learner's weights a part of a presentation later, from which it does not go on."""
    if within == 0.0 or learner.in_steps:
        return learner.weights
    before = learner.weights
    learner.learn(one.record.learn, one.inputs, one.targets, [one.rows[k]], np.array([within]))
    reached, learner.weights = learner.weights, before
    return reached


def _curve(run: Run, name: str, t: Array, flow: Array, sgd: Array) -> TwinCurve:
    variable = run.data[name]
    own = variable.to_numpy()
    there = np.isfinite(own).reshape(len(own), -1).any(axis=1)
    attrs = variable.attrs
    label = str(attrs.get("label", name))
    return TwinCurve(name, str(attrs["probe"]), label, t[there], own[there], flow[there], sgd[there])


def _beside(run: Run, start: Weights, reached: Weights) -> tuple[Array, Array]:
    """Angles between the changes of M in the run and of a twin, and their distance, by link."""
    changes = [(a - s, b - s) for a, b, s in zip(run.weights.M, reached.M, start.M, strict=True)]
    with np.errstate(invalid="ignore", divide="ignore"):
        turned = np.array([angle(own, other) for own, other in changes])
        apart = np.array([norm(own - other) / norm(own) for own, other in changes])
    return turned, apart


def _notes(run: Run, learned: list[Showings]) -> list[str]:
    notes = []
    if any(one.record.presentation is None for one in learned):
        notes.append("a phase that shows all its samples at once is no presentation: there is no SGD")
    ramps = [one for one in learned if one.record.presentation and one.record.presentation.ramp > 0.0]
    if ramps:
        notes.append("the twins see each sample at once, without the run's ramps")
    if not _judged(run):
        notes.append("the run has no probe of accuracy or loss, so there are no curves")
    return notes
