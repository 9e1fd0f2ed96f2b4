"""One measurement, in a process of its own: ``python -m benchmarks.worker SPEC RESULT``."""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import pcode

from . import contenders

Arrays = dict[str, np.ndarray[Any, Any]]

# A run shorter than this is timed three times.
SHORT = 2.0
SAVE = pcode.Save(nodes=30, weights=30)


@dataclass(frozen=True)
class Spec:
    """What to measure: the numbers of a `case.Case`, and with which method.

    Attributes
    ----------
    sizes, batch, ratio, horizon, data, tau_eps
        As in `case.Case`.
    method : str
        A name of `contenders.GENERIC` or `contenders.FOR_REFERENCE`, else one of pcode's methods.
    rtols : list of float
        Relative tolerances, one measurement each.
    limit : float
        Seconds after which a measurement is given up.
    solution : str or None
        Where to write the solution of measurement k: an .npz file with {} for k.
    """

    sizes: list[int]
    batch: int
    ratio: float
    horizon: float
    data: str
    method: str
    rtols: list[float]
    limit: float
    solution: str | None = None
    tau_eps: float | None = None


@dataclass(frozen=True)
class Point:
    """What was measured at one tolerance; see `measure.Measurement`."""

    rtol: float
    status: str
    reason: str = ""
    seconds: float | None = None
    steps: int | None = None
    rejected: int | None = None
    peak_mb: float | None = None
    accuracy: float | None = None
    picked: str = ""


@dataclass(frozen=True)
class Outcome:
    """A solution and what its solver tells of it."""

    arrays: Callable[[], Arrays]
    steps: int | None
    rejected: int | None
    weights: Callable[[], pcode.Weights] | None = None
    picked: str = ""


Run = Callable[[pcode.Phase, float], Outcome]


def situation(spec: Spec) -> tuple[pcode.Network, pcode.Phase, pcode.Weights, Any]:
    """The network, its one phase, its weights, and the data where there is more than the phase shows."""
    network = pcode.Network(
        sizes=tuple(spec.sizes),
        activation="tanh",
        tau=1.0,
        tau_eps=spec.tau_eps,
        delta=spec.ratio,
        nu=1.0,
        feedback="learned",
    )
    data, weights = None, network.init_weights(rng=0)
    if spec.data == "digits":
        data = pcode.Data.named("digits").split(test=360, seed=0)
        assert data.targets is not None
        # Pixels from -1 to 1: from 0 to 1 only 94% of the images held back are classified rightly.
        data = replace(data, inputs=2.0 * data.inputs - 1.0)
        inputs, targets = data.inputs[: data.train], data.targets[: data.train]
    elif spec.data == "timescales":
        half = np.full((1, 1), 0.5)
        weights = pcode.Weights(M=(half, half), W=(half, half), beta=(np.zeros(1), np.zeros(1)))
        inputs, targets = np.array([[1.0]]), np.array([[0.8]])
    else:
        rng = np.random.default_rng(0)
        inputs = rng.standard_normal((spec.batch, spec.sizes[0]))
        targets = rng.standard_normal((spec.batch, spec.sizes[-1]))
    clamp = {0: inputs, network.n: targets}
    return network, pcode.Phase("train", clamp, duration=spec.horizon * spec.ratio), weights, data


def with_contender(solve: contenders.Contender, network: pcode.Network, weights: pcode.Weights) -> Run:
    """Run a contender on the whole system."""

    def run(phase: pcode.Phase, rtol: float) -> Outcome:
        problem = contenders.whole_problem(network, phase, weights)
        times = SAVE.times(SAVE.nodes, phase.duration, network.shortest_tau)
        answer = solve(problem, times, rtol, 1e-3 * rtol)

        def arrays() -> Arrays:
            slices, shapes = problem.layout.slices, problem.layout.shapes
            return {k: answer.y[:, slices[k]].reshape(-1, *shapes[k]) for k in shapes if k[0] != "W"}

        def last() -> pcode.Weights:
            return problem.state(problem.duration, answer.y[-1]).weights

        return Outcome(arrays, answer.steps, answer.rejected, last)

    return run


def with_pcode(method: str, network: pcode.Network, weights: pcode.Weights) -> Run:
    """Run `pcode.simulate`, from its arguments to its result: what a user waits for."""

    def run(phase: pcode.Phase, rtol: float) -> Outcome:
        found = pcode.simulate(
            network, [phase], weights=weights, method=method, rtol=rtol, atol=1e-3 * rtol,
            max_steps=contenders.MAX_STEPS, save=SAVE,
        )  # fmt: skip
        if found.status.failed:
            raise contenders.Failed(found.message)
        record = found.phases[0]

        def arrays() -> Arrays:
            free = range(1, network.n)
            names = [f"x{k}" for k in free]
            names += [f"{name}{k}" for name in ("eps", "beta") for k in range(1, network.n + 1)]
            return {name: found.data[name].values for name in (*names, *(f"M{k}" for k in range(network.n)))}

        picked = record.method if record.method != method else ""
        return Outcome(arrays, record.stats.steps, record.stats.rejected, lambda: found.weights, picked)

    return run


def absent(method: str) -> bool:
    """Whether this version of pcode has no such method of its own."""
    from pcode.solvers.diffrax import DiffraxSolver

    if method.startswith("Kvaerno"):  # before it could be told, what had that name was as shipped
        return "shipped" not in DiffraxSolver.__dataclass_fields__
    return method not in pcode.METHODS


def peak_mb() -> float:
    """Most memory that this process has held, in units of 1e6 bytes."""
    try:
        # Of this program alone; the figure below begins with that of the process that started it.
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
    except (OSError, IndexError, ValueError):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


class Report:
    """The points so far, and the watchdog that ends the process when one takes too long."""

    def __init__(self, path: Path, limit: float) -> None:
        self._path, self._limit = path, limit
        self._points: list[Point] = []
        self._lock = threading.Lock()

    def add(self, point: Point) -> None:
        """Add a point, and write all of them."""
        with self._lock:
            self._points.append(point)
            self._path.write_text(json.dumps([asdict(p) for p in self._points]))

    def timed(self, rtol: float, run: Callable[[], Outcome]) -> tuple[Outcome, float]:
        """What `run` gives, and how many seconds it took; end the process if they are too many."""
        watchdog = threading.Timer(self._limit, self._give_up, [rtol])
        watchdog.daemon = True
        began = time.perf_counter()
        watchdog.start()
        try:
            return run(), time.perf_counter() - began
        finally:
            watchdog.cancel()

    def _give_up(self, rtol: float) -> None:
        self.add(Point(rtol, "timeout", f">{self._limit:g} s", peak_mb=peak_mb()))
        os._exit(0)  # compiled code cannot be interrupted otherwise


def measure(spec: Spec, report: Report) -> None:
    """Measure at one tolerance after the other."""
    network, phase, weights, data = situation(spec)
    solve = {**contenders.GENERIC, **contenders.FOR_REFERENCE}.get(spec.method)
    run = with_contender(solve, network, weights) if solve else with_pcode(spec.method, network, weights)
    # What is compiled does not depend on the horizon, except where the method is picked by it.
    warm = phase if spec.method == "auto" else replace(phase, duration=0.1)
    for k, rtol in enumerate(spec.rtols):
        try:
            if k == 0 or spec.method == "auto":
                report.timed(rtol, lambda rtol=rtol: run(warm, rtol))  # type: ignore[misc]
            outcome, seconds = report.timed(rtol, lambda rtol=rtol: run(phase, rtol))  # type: ignore[misc]
            times = [seconds]
            while max(times) < SHORT and len(times) < 3:
                times.append(report.timed(rtol, lambda rtol=rtol: run(phase, rtol))[1])  # type: ignore[misc]
        except (contenders.Failed, pcode.InputError, MemoryError) as error:
            report.add(Point(rtol, "failed", str(error) or "no memory", peak_mb=peak_mb()))
            continue
        peak, accuracy = peak_mb(), None
        if spec.data == "digits" and outcome.weights is not None:
            output = pcode.predict(network, outcome.weights(), data.test_inputs, method="feedforward")
            accuracy = float((output.argmax(1) == data.labels[data.train :]).mean())
        if spec.solution:
            np.savez(spec.solution.format(k), **outcome.arrays())  # type: ignore[arg-type]
        seconds = statistics.median(times)
        told = (outcome.steps, outcome.rejected, peak, accuracy, outcome.picked)
        report.add(Point(rtol, "ok", "", seconds, *told))


def main() -> None:
    """Read the specification and write the points, as JSON, to the files that are named."""
    spec = Spec(**json.loads(Path(sys.argv[1]).read_text()))
    report = Report(Path(sys.argv[2]), spec.limit)
    generic = spec.method in contenders.GENERIC or spec.method in contenders.FOR_REFERENCE
    if not generic and absent(spec.method):
        report.add(Point(spec.rtols[0], "absent", "this version of pcode does not have it"))
    else:
        measure(spec, report)


if __name__ == "__main__":
    main()
