"""Noise on the nodes: what is to be reached, each measured in a process of its own.

``python -m benchmarks.noise JOB FILE`` measures one job and writes what it found as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .case import NOISE
from .goals import Verdict
from .table import Row

# Both ends clamped, weights held, errors slaved.
SIZES, SAMPLES, TEMPERATURE = (784, 128, 10), 64, 0.1

# Fixed steps, and how long they go on; adaptive ones take longer, for a part of it.
STEP, DURATION, ADAPTIVE, RTOL = 0.1, 1_000.0, 4.0, 1e-2

# Saved times a tau, and the burn-in in tau.
SAVED, BURN_IN = 1, 20.0

Found = dict[str, float]


def _run(duration: float, step: float | None, per_tau: float = SAVED) -> Any:
    import pcode

    rng = np.random.default_rng(0)
    network = pcode.Network(SIZES, tau_eps=0.0, temperature=TEMPERATURE)
    inputs, labels = rng.standard_normal((SAMPLES, SIZES[0])), rng.integers(0, SIZES[-1], SAMPLES)
    clamp = {0: inputs, 2: np.eye(SIZES[-1])[labels]}
    phase = pcode.Phase("noise", clamp, duration=duration, learn=False)
    save = pcode.Save(nodes=int(per_tau * duration) + 1, weights=2, spacing="linear")
    given: dict[str, Any] = {"rtol": RTOL, "atol": RTOL, "save": save}
    return pcode.simulate(network, [phase], weights=network.init_weights(0), step=step, seed=1, **given)


def _mean_variance(run: Any) -> float:
    counted = run.data["time"].to_numpy() >= BURN_IN
    return float(run.data["x1"].to_numpy()[counted].var(axis=0).mean())


def fixed() -> Found:
    """Seconds for 1,000 tau by fixed steps, and the mean variance with these and with half of them."""
    run, half = _run(DURATION, STEP), _run(DURATION, 0.5 * STEP)
    stats = run.phases[0].stats
    return {
        "seconds": stats.solve_seconds,
        "compile": stats.compile_seconds,
        "steps": float(stats.steps),
        "variance": _mean_variance(run),
        "variance_half": _mean_variance(half),
    }


def adaptive() -> Found:
    """Seconds and steps a tau of adaptive steps."""
    stats = _run(ADAPTIVE, None).phases[0].stats
    return {"seconds": stats.solve_seconds / ADAPTIVE, "steps": stats.steps / ADAPTIVE}


JOBS: dict[str, Callable[[], Found]] = {"fixed": fixed, "adaptive": adaptive}


def rows(measure: Callable[[str], Found | str]) -> tuple[list[Row], list[tuple[str, Verdict]]]:
    """The rows of the table, and what is to be reached; see `benchmarks.learning.rows`."""
    verdicts = [
        ("1,000 tau, steps of 0.1", _fixed(measure("fixed"))),
        ("adaptive, rtol 1e-2", _adaptive(measure("adaptive"))),
    ]
    words = {True: "yes", False: "NO", None: "-"}
    table = [
        (NOISE, "ShARK", "", what, *("",) * 5, verdict.target, verdict.found, words[verdict.reached])
        for what, verdict in verdicts
    ]
    return table, verdicts


def _fixed(found: Found | str) -> Verdict:
    target = "30 s, mean variance within 2% at half the step"
    if isinstance(found, str):
        return Verdict(target, found, None)
    change = found["variance_half"] / found["variance"] - 1.0
    told = f"{found['seconds']:.3g} s, {found['steps']:,.0f} steps, {100.0 * change:+.2f}%"
    return Verdict(target, told, found["seconds"] <= 30.0 and abs(change) < 0.02)


def _adaptive(found: Found | str) -> Verdict:
    if isinstance(found, str):
        return Verdict("(reported)", found, None)
    told = f"{found['steps']:.3g} steps and {found['seconds']:.3g} s a tau"
    return Verdict("(reported)", told, None)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(JOBS[sys.argv[1]]()))
