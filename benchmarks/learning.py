"""Learning from samples in turn: what is to be reached, each measured in a process of its own.

``python -m benchmarks.learning JOB FILE`` measures one job and writes what it found as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .case import LEARNING
from .goals import Verdict
from .table import Row

# What is compared: presentations of 64-32-10 in units of tau.
SIZES, DELTA, HOLD, RTOL, ATOL = (64, 32, 10), 1e3, 20.0, 1e-5, 1e-8

Found = dict[str, float]


def _data() -> Any:
    import pcode

    return pcode.Data.named("digits").split(train=1437, test=360, seed=0)


def _network(delta: float = DELTA) -> Any:
    import pcode

    return pcode.Network(SIZES, delta=delta)


def _train(shown: Any, **options: Any) -> Any:
    """A run of digits in turn, and the seconds that it took."""
    import pcode

    data, network = _data(), options.pop("network", _network())
    rows = options.pop("rows", data.train)
    phase = pcode.Phase("train", {0: data.inputs[:rows], 2: data.targets[:rows]}, presentation=shown)
    given: dict[str, Any] = {"rtol": RTOL, "atol": ATOL, "save": pcode.Save(weights=2, presentations=1)}
    began = time.perf_counter()
    run = pcode.simulate(network, [phase], weights=network.init_weights(0), **given | options)
    return run, time.perf_counter() - began


def _scan(count: int) -> Callable[[float, float], tuple[Any, float]]:
    """What one would write without pcode: a scan over diffeqsolve with all unknowns."""
    import diffrax
    import jax
    import jax.numpy as jnp

    data, network = _data(), _network()
    start, nu = network.init_weights(0), network.nu

    def field(t: Any, y: Any, clamps: Any) -> Any:
        (x1, e1, e2, M0, M1, _, W1, b1, b2), (x0, x2) = y, clamps
        s0, s1 = jnp.tanh(x0), jnp.tanh(x1)
        return (
            (1.0 - s1**2) * (e2 @ W1) - e1,
            x1 - s0 @ M0 - b1 - nu[0] * e1,
            x2 - s1 @ M1 - b2 - nu[1] * e2,
            jnp.outer(s0, e1) / DELTA,
            jnp.outer(s1, e2) / DELTA,
            jnp.outer(e1, s0) / DELTA,
            jnp.outer(e2, s1) / DELTA,
            e1 / DELTA,
            e2 / DELTA,
        )

    @jax.jit
    def run(y: Any, inputs: Any, targets: Any, rtol: Any, atol: Any) -> Any:
        def one(y: Any, clamps: Any) -> Any:
            solution = diffrax.diffeqsolve(
                diffrax.ODETerm(field),
                diffrax.Tsit5(),
                0.0,
                HOLD,
                None,
                y,
                clamps,
                stepsize_controller=diffrax.PIDController(rtol, atol),
                max_steps=100_000,
            )
            return jax.tree.map(lambda part: part[-1], solution.ys), None

        return jax.lax.scan(one, y, (inputs, targets))[0]

    hidden = np.tanh(data.inputs[0]) @ start.M[0]
    assert start.W is not None
    y0 = (hidden, np.zeros(32), np.zeros(10), *start.M, *start.W, *start.beta)
    samples = data.inputs[:count], data.targets[:count]

    def timed(rtol: float, atol: float) -> tuple[Any, float]:
        began = time.perf_counter()
        reached = jax.block_until_ready(run(y0, *samples, rtol, atol))
        return [np.asarray(part) for part in reached[3:]], time.perf_counter() - began

    return timed


def online(count: int = 500) -> Found:
    """Single digits in turn, by pcode and by a scan over diffeqsolve, with errors of the weights."""
    import pcode

    scan = _scan(count)
    exact, _ = scan(1e-11, 1e-14)
    shown = pcode.Presentation(size=1, hold=HOLD)
    theirs, ours, errors = [], [], {}
    for repeat in range(4):
        weights, seconds = scan(RTOL, ATOL)
        run, mine = _train(shown, rows=count)
        if repeat:  # the first compiles
            theirs.append(seconds)
            ours.append(mine)
        w = run.weights
        errors = {"theirs": _apart(weights, exact), "ours": _apart([*w.M, *w.W, *w.beta], exact)}
    return {"theirs": count / min(theirs), "ours": count / min(ours)} | {
        f"error_{name}": value for name, value in errors.items()
    }


def _apart(found: Any, exact: Any) -> float:
    pairs = zip(found, exact, strict=True)
    return float(max(np.abs(a - b).max() / (1.0 + np.abs(b).max()) for a, b in pairs))


def batches(count: int = 24, size: int = 60) -> Found:
    """Mini-batches held for delta, beside one phase for each.

    The overhead is what a run takes besides its solver, to which the first evaluation of each right-hand side
    belongs, by the difference between many and few presentations.
    """
    few = 4
    _in_turn(few, size), _phase_by_phase(few, size)  # the first compiles
    repeats = [_in_turn(count, size) for _ in range(3)]
    evaluations, seconds, beside = (min(found) for found in zip(*repeats, strict=True))
    of_few = min(_in_turn(few, size)[2] for _ in range(3))
    by_phases, seconds_by_phases = _phase_by_phase(count, size)
    return {
        "rhs": evaluations,
        "rhs_by_phases": by_phases,
        "overhead_ms": 1e3 * (beside - of_few) / (count - few),
        "seconds": seconds / count,
        "seconds_by_phases": seconds_by_phases / count,
    }


def _in_turn(count: int, size: int) -> tuple[float, float, float]:
    """Right-hand sides, seconds, and seconds outside the solver of mini-batches in turn."""
    import pcode

    shown = pcode.Presentation(size=size, hold=DELTA)
    run, seconds = _train(shown, rows=count * size, method="cvode")
    stats = run.phases[0].stats
    return float(stats.rhs_evaluations), seconds, seconds - stats.solve_seconds - stats.compile_seconds


def _phase_by_phase(count: int, size: int) -> tuple[float, float]:
    """Right-hand sides and seconds of one phase for each mini-batch."""
    import pcode

    data, network = _data(), _network()
    save = pcode.Save(nodes=2, weights=2)
    rows = [slice(k * size, (k + 1) * size) for k in range(count)]
    phases = [
        pcode.Phase("one", {0: data.inputs[k], 2: data.targets[k]}, duration=DELTA, samples=range(size))
        for k in rows
    ]
    began = time.perf_counter()
    run = pcode.simulate(
        network, phases, weights=network.init_weights(0), method="cvode", rtol=RTOL, atol=ATOL, save=save
    )
    spent = time.perf_counter() - began
    return float(sum(one.stats.rhs_evaluations or 0 for one in run.phases)), spent


def memory(count: int) -> Found:
    """Peak memory and the size of the file after so many presentations."""
    import pcode

    shown = pcode.Presentation(size=1, hold=HOLD, passes=count // 500)
    run, _ = _train(shown, rows=500, rtol=1e-3, save=pcode.Save())
    with tempfile.TemporaryDirectory() as folder:
        run.save(Path(folder, "run.nc"))
        size = Path(folder, "run.nc").stat().st_size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"peak_mb": peak / 1e6, "file_mb": size / 1e6}


def probes() -> Found:
    """The share of the time that probes take, ten times a pass."""
    import pcode

    data = _data()
    test = data.inputs[data.train :], data.targets[data.train :]
    each = {
        "accuracy": pcode.Probe("accuracy", data=test, presentations=144),
        "F": pcode.Probe("energy", presentations=144),
        "angle": pcode.Probe("gradient_angle", presentations=144),
    }
    shown, without, with_them = pcode.Presentation(size=1, hold=HOLD, passes=2), [], []
    for repeat in range(13):
        # In turn, and the middle of many: from one run to the next the time varies by as much as probes take.
        plain, looked = _train(shown)[1], _train(shown, probes=each)[1]
        if repeat:  # the first compiles
            without.append(plain)
            with_them.append(looked)
    return {"without": float(np.median(without)), "with": float(np.median(with_them))}


def digits() -> Found:
    """Ten passes through 1,437 images, one at a time, with the accuracy on the 360 others."""
    import pcode

    data = _data().standardise()
    network = pcode.Network(SIZES, ["identity", "relu"], delta=1e3, nu=2.0)
    test = data.inputs[data.train :], data.targets[data.train :]
    shown = pcode.Presentation(size=1, hold=HOLD, passes=10, order="shuffled", nodes="feedforward")
    phase = pcode.Phase(
        "train", {0: data.inputs[: data.train], 2: data.targets[: data.train]}, presentation=shown
    )
    began = time.perf_counter()
    run = pcode.simulate(
        network,
        [phase],
        weights=network.init_weights(0),
        rtol=1e-4,
        atol=1e-6,
        probes={"accuracy": pcode.Probe("accuracy", data=test)},
    )
    seconds = time.perf_counter() - began
    (curve,) = pcode.twin(run).curves
    ends = {"run": curve.run, "flow": curve.flow, "sgd": curve.sgd}
    return {name: float(values[-1]) for name, values in ends.items()} | {"seconds": seconds}


JOBS: dict[str, Callable[[], Found]] = {
    "online": online,
    "batches": batches,
    "memory 1,000": lambda: memory(1_000),
    "memory 10,000": lambda: memory(10_000),
    "probes": probes,
    "digits": digits,
}


def rows(measure: Callable[[str], Found | str]) -> tuple[list[Row], list[tuple[str, Verdict]]]:
    """The rows of the table, and what is to be reached.

    Parameters
    ----------
    measure : callable
        ``measure(job)`` returns what was found, or why nothing was.
    """
    found = {job: measure(job) for job in JOBS}
    verdicts = [
        ("single digits, 20 tau", _faster(found["online"])),
        ("60 digits, 1 delta: rhs", _evaluations(found["batches"])),
        ("60 digits, 1 delta: overhead", _overhead(found["batches"])),
        ("1,000 to 10,000: memory", _memory(found["memory 1,000"], found["memory 10,000"])),
        ("probes, ten a pass", _share(found["probes"])),
        ("ten passes: accuracy", _accuracy(found["digits"])),
    ]
    table = [
        (LEARNING, "", "1e3", what, *("",) * 5, verdict.target, verdict.found, _word(verdict.reached))
        for what, verdict in verdicts
    ]
    return table, verdicts


def _word(reached: bool | None) -> str:
    return {True: "yes", False: "NO", None: "-"}[reached]


def _faster(found: Found | str) -> Verdict:
    target = "2x a scan over diffeqsolve at equal error"
    if isinstance(found, str):
        return Verdict(target, found, None)
    ratio = found["ours"] / found["theirs"]
    errors = f"errors {found['error_ours']:.1e} and {found['error_theirs']:.1e}"
    told = f"{ratio:.3g}x: {found['ours']:.0f} and {found['theirs']:.0f} a second, {errors}"
    return Verdict(target, told, ratio >= 2.0 and found["error_ours"] <= 2.0 * found["error_theirs"])


def _evaluations(found: Found | str) -> Verdict:
    target = "at most 1.3x those of one phase each"
    if isinstance(found, str):
        return Verdict(target, found, None)
    ratio = found["rhs"] / found["rhs_by_phases"]
    return Verdict(target, f"{ratio:.3f}x: {found['rhs']:.0f} and {found['rhs_by_phases']:.0f}", ratio <= 1.3)


def _overhead(found: Found | str) -> Verdict:
    target = "under 2 ms a presentation"
    if isinstance(found, str):
        return Verdict(target, found, None)
    shares = f"of {1e3 * found['seconds']:.0f} ms, {1e3 * found['seconds_by_phases']:.0f} as phases"
    return Verdict(target, f"{found['overhead_ms']:.2f} ms {shares}", found["overhead_ms"] < 2.0)


def _memory(few: Found | str, many: Found | str) -> Verdict:
    target = "within 50 MB, the same file"
    if isinstance(few, str) or isinstance(many, str):
        return Verdict(target, str(few if isinstance(few, str) else many), None)
    more, files = many["peak_mb"] - few["peak_mb"], many["file_mb"] / few["file_mb"]
    told = f"{more:+.0f} MB, file {few['file_mb']:.2f} and {many['file_mb']:.2f} MB"
    return Verdict(target, told, more <= 50.0 and files <= 1.2)


def _share(found: Found | str) -> Verdict:
    target = "under 5% of the time"
    if isinstance(found, str):
        return Verdict(target, found, None)
    share = found["with"] / found["without"] - 1.0
    return Verdict(target, f"{100.0 * share:.1f}%", share < 0.05)


def _accuracy(found: Found | str) -> Verdict:
    target = "0.96 on 360 others"
    if isinstance(found, str):
        return Verdict(target, found, None)
    told = (
        f"{found['run']:.4f} in {found['seconds']:.0f} s; gradient flow {found['flow']:.4f}, "
        f"SGD {found['sgd']:.4f}"
    )
    return Verdict(target, told, found["run"] >= 0.96)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(JOBS[sys.argv[1]]()))
