"""Points of a sweep that are computed together, as members of an ensemble: which, and how a worker does it.

Together go points whose method is one of those of ensembles, named in the scenario, and which differ only in
their initial weights and in the numbers that members may differ in. What is computed depends on the sweep
alone, on no clock and on no number of workers: as many such points as `LEAST` are computed together.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import InputError
from .points import Point
from .task import ALONE, compute, outcome

if TYPE_CHECKING:
    from ..run.result import Run
    from ..scenario import Scenario

# Fewer points than this are single runs: the code of an ensemble takes as long to compile as some hundred
# single runs of a small network take, and seconds to load where it is in the cache. A worker has at most
# MOST at a time.
LEAST, MOST = 256, 128

# Unknowns beyond which members side by side are hardly faster than single runs.
LARGEST = 500


def likeness(scenario: Scenario) -> str | None:
    """What points that go together have in common, as a text; None for one that is a run of its own."""
    from ..run.ensemble import OVER
    from ..solvers import METHODS, DiffraxSolver

    file, network = scenario.file, scenario.network
    alone = (
        not isinstance(METHODS.get(file.solver.method), DiffraxSolver)
        or network.limit
        or bool(file.probes)
        or any(phase.presentation is not None for phase in scenario.phases)
        or max((layout.size for layout in scenario.plan.layouts), default=0) > LARGEST
    )
    if alone:
        return None
    told: dict[str, Any] = file.model_dump(exclude={"title", "weights", "sweep", "plots"})
    # Log-spaced times begin at a part of tau; what questions ask of may depend on which are saved.
    free = [name for name in OVER if name not in ("tau", "tau_eps") or not scenario.questions]
    told["network"] = {key: value for key, value in told["network"].items() if key not in free}
    told["slaved"] = network.slaved
    return repr(told)


def groups_left(base: Scenario, points: Sequence[Point], done: Collection[int]) -> list[tuple[Point, ...]]:
    """The points that are computed in one go, each in its turn, without those that are done.

    Parameters
    ----------
    base : Scenario
    points : sequence of Point
        All of the sweep, so that the groups are the same where it is resumed.
    done : collection of int
        Numbers of points.
    """
    alike: dict[int, str | None] = {}
    if len(points) >= LEAST:
        alike = {point.number: likeness(point.scenario(base)) for point in points}
    left = (tuple(one for one in group if one.number not in done) for group in grouped(points, alike))
    return [group for group in left if group]


def grouped(points: Iterable[Point], alike: Mapping[int, str | None]) -> list[tuple[Point, ...]]:
    """The points that are computed in one go; `alike` has the `likeness` of each, by its number, if any."""
    found: dict[str, list[Point]] = {}
    single: list[tuple[Point, ...]] = []
    for point in points:
        key = alike.get(point.number)
        if key is None:
            single.append((point,))
        else:
            found.setdefault(key, []).append(point)
    groups = list[tuple[Point, ...]]()
    for members in found.values():
        if len(members) < LEAST:
            single += ((point,) for point in members)
            continue
        count = -(-len(members) // MOST)
        edges = [k * len(members) // count for k in range(count + 1)]
        groups += (tuple(members[a:b]) for a, b in pairwise(edges))
    return sorted([*groups, *single], key=lambda group: group[0].number)


def compute_together(
    text: str, path: str, changes: Sequence[list[str]], allow_code: bool = False
) -> list[dict[str, Any]]:
    """Run points that go together.

    Parameters
    ----------
    text, path, allow_code
        See `compute`.
    changes : sequence of list of str
        What each point changes.

    Returns
    -------
    list of dict
        As `compute` returns them. A point of which no member could be begun is run alone.
    """
    from ..scenario import Scenario

    with ALONE:
        began = time.perf_counter()
        scenarios = [Scenario.parse(text, Path(path), one, allow_code=allow_code) for one in changes]
        runs = _runs(scenarios)
        done = [
            None if run is None else outcome(scenario, _judged(scenario, run), f"ensemble of {len(runs)}")
            for scenario, run in zip(scenarios, runs, strict=True)
        ]
        seconds = (time.perf_counter() - began) / len(done)
    return [
        compute(text, path, own, allow_code) if one is None else one | {"seconds": seconds}
        for own, one in zip(changes, done, strict=True)
    ]


def _runs(scenarios: Sequence[Scenario]) -> list[Run | None]:
    """The members of the ensemble as runs; None where there is none, because nothing could be begun."""
    from ..run.ensemble import OVER
    from ..simulation import simulate_many

    first, networks = scenarios[0], [one.network for one in scenarios]
    solver = first.file.solver
    values = {name: [getattr(network, name) for network in networks] for name in OVER}
    many = simulate_many(
        first.network,
        first.phases,
        weights=[one.weights for one in scenarios],
        over={name: each for name, each in values.items() if any(one != each[0] for one in each)},
        nodes=first.file.start.nodes,
        method=solver.method,
        rtol=solver.rtol,
        atol=solver.atol,
        max_steps=solver.max_steps,
        save=first.save,
    )
    runs: list[Run | None] = []
    for k in range(len(many)):
        try:
            runs.append(many.member(k))
        except InputError:
            runs.append(None)
    return runs


def _judged(scenario: Scenario, run: Run) -> Run:
    """The run with what the scenario looks at when a phase ends, and with the samples of its data."""
    from ..run.clamps import ClampArrays
    from ..run.result import Run
    from ..run.samples import dataset_of
    from ..run.snapshot import Snapshot
    from ..scenario import probes

    judged = probes(run.network, scenario.data)
    arrays, records = ClampArrays(run.groups.get("clamps")), []
    for k, record in enumerate(run.phases):
        there = Snapshot.of(run, k)
        found = {name: probe(there.state, there.phase) for name, probe in judged.items()}
        own: dict[str, Any] = {name: value for name, value in found.items() if value is not None}
        records.append(replace(record, probes=own).to_dict(arrays))
    data = scenario.data
    samples = {} if data is None else {"samples": dataset_of(data, run.network)}
    return Run(run.data.assign_attrs(phases=json.dumps(records)), run.groups | samples, run.network)
