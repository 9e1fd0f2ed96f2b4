"""Measurements, each by a process of its own, and their errors against references."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .case import SHELL, Case
from .measurement import Measurement

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "results" / "bench"

# Tight-tolerance references by name: the method, its relative tolerance.
REFERENCES = {
    "Radau": ("SciPy Radau", 1e-10),
    "DOP853": ("SciPy DOP853", 1e-10),
    "Kvaerno5": ("Kvaerno5, whole system", 1e-8),
    "GMRES(60)": ("GMRES(60)", 1e-9),
}

# Seconds for what is not timed: to start, to write the solution.
MARGIN = 120.0

# What the references depend on besides the case: the equations, and where the nodes start.
EQUATIONS = ("model/*.py", "system/coupled.py", "simulation/start.py")


# Arrays of N x N that are held at once at the least, where a dense Jacobian is.
_DENSE = {
    "SciPy BDF": 2,
    "CVODE dense": 2,
    "diffrax Kvaerno5": 2,
    "diffrax Kvaerno3": 2,
    "SciPy Radau": 4,
    "SciPy LSODA": 2,
}


def refusal(method: str, unknowns: int) -> str | None:
    """Why `method` cannot take so many unknowns on this machine, or None if it may."""
    needed = 8 * unknowns**2 * _DENSE.get(method, 0)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed <= memory:
        return None
    return f"no memory: {needed / 1e9:,.0f} GB"


def family(method: str) -> str:
    """Methods of one family are no independent references for each other."""
    if method.startswith(("GMRES", "CVODE", "cvode")):
        return "CVODE"
    return method.removeprefix("SciPy ").removeprefix("diffrax ").partition(",")[0]


def difference(path: Path, reference: Path) -> float:
    """The error of one solution, as `Measurement.error` says."""
    with np.load(path) as mine, np.load(reference) as exact:
        errors = [np.abs(mine[k] - exact[k]).max() / (1.0 + np.abs(exact[k]).max()) for k in exact.files]
    return float(max(errors)) if np.isfinite(errors).all() else float("inf")


def run_worker(
    case: Case, method: str, rtols: Sequence[float], limit: float, solution: Path | None
) -> list[dict[str, Any]]:
    """The points of one worker: see `worker.Point`. A worker that dies leaves fewer than `rtols`."""
    spec = {
        "sizes": case.sizes,
        "batch": case.batch,
        "ratio": case.ratio,
        "horizon": case.horizon,
        "data": case.data,
        "tau_eps": case.tau_eps,
        "method": method,
        "rtols": list(rtols),
        "limit": limit,
        "solution": str(solution) if solution else None,
    }
    with tempfile.TemporaryDirectory() as folder:
        asked, told = Path(folder, "spec.json"), Path(folder, "points.json")
        asked.write_text(json.dumps(spec))
        command = [sys.executable, "-m", "benchmarks.worker", str(asked), str(told)]
        most = (limit + MARGIN) * (1 + 3 * len(rtols))
        ended = _run(command, most, ROOT)
        points: list[dict[str, Any]] = json.loads(told.read_text()) if told.exists() else []
    done = len(points) == len(rtols) or (points and points[-1]["status"] in ("timeout", "absent"))
    if not done:
        rtol = rtols[len(points)]
        points.append({"rtol": rtol, "status": "failed", "reason": ended})
    return points


def _run(command: Sequence[str], limit: float, folder: Path) -> str:
    """Run `command`; what became of it if it did not end well."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    try:
        done = subprocess.run(
            command, cwd=folder, env=os.environ | {"PYTHONPATH": path}, timeout=limit,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f">{limit:g} s"
    if done.returncode == -9:
        return "killed: no memory"
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["died"])[-1][:200]


class Bench:
    """Measures, remembers what it has measured, and compares it with references.

    Parameters
    ----------
    limit : float
        Seconds after which a method is given up.
    reference_limit : float
        The same for a reference.
    note : callable
        Told what is being done.
    """

    def __init__(self, limit: float, reference_limit: float, note: Callable[[str], None]) -> None:
        self._limit, self._reference_limit, self._note = limit, reference_limit, note
        self._known: dict[tuple[str, str, float], Measurement] = {}
        self._failed: set[Path] = set()  # references that cannot be made, or not in time

    def measured(self, case: Case) -> list[Measurement]:
        """What has been measured of `case`, in the order of its methods, tighter tolerances last."""
        mine = [m for m in self._known.values() if m.case == case.name]
        return sorted(mine, key=lambda m: (case.methods.index(m.method), -m.rtol))

    def get(self, case: Case, method: str, rtol: float | None = None) -> Measurement:
        """The measurement of `method` on `case`, made now if it was not before."""
        rtol = rtol or case.rtol
        key = (case.name, method, rtol)
        if key not in self._known:
            self._note(f"{case.name}: {method}, rtol {rtol:.0e}")
            self._known[key] = self._measure(case, method, rtol)
        return self._known[key]

    def shell(self) -> Measurement:
        """``pcode run xor``, figures included, from the shell; the second start."""
        key = (SHELL, "cvode", 1e-6)
        if key not in self._known:
            self._note(SHELL)
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, "-m", "pcode", "run", "xor", "--out", f"{folder}/xor", "--force"]
                told, seconds = "", 0.0
                for _ in range(2):
                    began = time.perf_counter()
                    told = told or _run(command, self._limit, Path(folder))
                    seconds = time.perf_counter() - began
            status = "failed" if told else "ok"
            self._known[key] = Measurement(*key, status, told, None if told else seconds)
        return self._known[key]

    def learning(self, job: str) -> dict[str, float] | str:
        """What a job of `benchmarks.learning` found, or why there is nothing."""
        self._note(f"learning: {job}")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "found.json")
            command = [sys.executable, "-m", "benchmarks.learning", job, str(path)]
            told = _run(command, self._limit, Path(folder))
            found: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}
        return found or told

    def _measure(self, case: Case, method: str, rtol: float) -> Measurement:
        reason = refusal(method, case.unknowns)
        if reason:
            return Measurement(case.name, method, rtol, "refused", reason)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "solution-{}.npz") if case.references else None
            (point,) = run_worker(case, method, [rtol], self._limit, path)
            made = Measurement(case.name, method, **point)
            if not (path and made.ok):
                return made
            return self.with_error(case, made, Path(str(path).format(0)))

    def with_error(self, case: Case, made: Measurement, solution: Path) -> Measurement:
        """`made`, with the error of its solution where an independent reference is to be had."""
        for name in case.references:
            if family(REFERENCES[name][0]) == family(made.picked or made.method):
                continue
            path = self.reference(case, name)
            if path:
                return replace(made, error=difference(solution, path), reference=name)
        return made

    def reference(self, case: Case, name: str) -> Path | None:
        """The file of a reference, made now if there is none; None if it cannot be made."""
        method, rtol = REFERENCES[name]
        what = (case.sizes, case.batch, case.ratio, case.horizon, case.data, method, rtol)
        files = [file for pattern in EQUATIONS for file in sorted((ROOT / "pcode").glob(pattern))]
        source = b"".join(file.read_bytes() for file in files)
        mark = hashlib.sha256(repr(what).encode() + source).hexdigest()[:12]
        folder = CACHE / "references"
        made = folder / f"{case.name}-{name}-{mark}.npz"
        if made.exists():
            return made
        if made in self._failed:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        self._note(f"{case.name}: reference by {method}, rtol {rtol:.0e}")
        temporary = made.with_suffix(".tmp.npz")
        (point,) = run_worker(case, method, [rtol], self._reference_limit, temporary)
        if point["status"] != "ok":
            self._note(f"  none: {point['status']}, {point['reason']}")
            self._failed.add(made)
            return None
        temporary.replace(made)
        return made
