r"""Error against time, for all methods.

Two networks learn with both ends clamped and feedback that is learned too. Left, 1-1-1 with delta/tau = 1e3
over 10 delta (the scenario `timescales`); right, 8-16-8-4 with 4 samples and delta/tau = 1e4 over 20 delta,
812 unknowns. Along a curve the relative tolerance goes from 1e-3 to 1e-9, the absolute one a thousandth of
it. Seconds are without compilation, all on one machine in one go; the error is the largest difference from
a reference by Radau at 1e-10 (Radau's own: from DOP853), over 1 + the reference's largest value, of any
variable at 30 saved times. Broad lines with filled symbols are pcode's, from the arguments of `simulate` to
its result; thin ones with open symbols are the libraries' own solvers on the same compiled equations with
exact Jacobians, dotted ones the explicit methods among them. Further left is faster, further down is more
accurate. Where a method took longer than 20 seconds its curve ends.

Drawn by: python -m benchmarks.work_precision
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from rich.console import Console

from pcode import plotting

from .case import Case
from .contenders import GENERIC
from .measure import CACHE, ROOT, Bench, run_worker
from .measurement import Measurement

RTOLS = tuple(10.0**-k for k in range(3, 10))

# For an explicit method a step is a fraction of tau, whatever the tolerance.
EXPLICIT = ("SciPy RK45", "SciPy DOP853", "diffrax Tsit5", "diffrax Dopri8")

METHODS = (
    "cvode", "Kvaerno5", "Kvaerno3",
    "GMRES(30)", "GMRES(60)", "CVODE dense",
    "SciPy BDF", "SciPy Radau", "SciPy LSODA",
    "diffrax Kvaerno5", "diffrax Kvaerno3",
    *EXPLICIT,
)  # fmt: skip

CASES = (
    Case("1-1-1@1e3", (1, 1, 1), 1, 1e3, METHODS, ("Radau", "DOP853"), horizon=10.0, data="timescales"),
    Case("8-16-8-4@1e4", (8, 16, 8, 4), 4, 1e4, METHODS, ("Radau", "DOP853")),
)
TITLES = (r"1-1-1, $\delta/\tau = 10^3$", r"8-16-8-4, 4 samples, $\delta/\tau = 10^4$")

# Colour and symbol by method; pcode's own are broad, filled and full.
# Okabe and Ito's colours; no two methods share a symbol and a filling.
_OURS = {"linewidth": 2.0, "markersize": 5.0, "zorder": 4}
_GENERIC = {"linewidth": 0.9, "markersize": 4.0, "markerfacecolor": "white", "zorder": 3}
_EXPLICIT = {"linewidth": 0.8, "markersize": 4.0, "linestyle": (0, (1, 1.2)), "zorder": 2}
STYLES: dict[str, dict[str, Any]] = {
    "cvode": _OURS | {"color": "#0072B2", "marker": "o"},
    "Kvaerno5": _OURS | {"color": "#D55E00", "marker": "s"},
    "Kvaerno3": _OURS | {"color": "#E69F00", "marker": "D"},
    "GMRES(30)": _GENERIC | {"color": "#0072B2", "marker": "o"},
    "GMRES(60)": _GENERIC
    | {"color": "#0072B2", "marker": "*", "markersize": 6.0, "linestyle": (0, (6, 1.5))},
    "CVODE dense": _GENERIC | {"color": "#56B4E9", "marker": "v", "linestyle": (0, (3, 1, 1, 1))},
    "SciPy BDF": _GENERIC | {"color": "black", "marker": "^"},
    "SciPy Radau": _GENERIC | {"color": "black", "marker": "<", "linestyle": (0, (6, 1.5))},
    "SciPy LSODA": _GENERIC | {"color": "black", "marker": ">", "linestyle": (0, (3, 1, 1, 1))},
    "diffrax Kvaerno5": _GENERIC | {"color": "#D55E00", "marker": "s"},
    "diffrax Kvaerno3": _GENERIC | {"color": "#E69F00", "marker": "D", "linestyle": (0, (6, 1.5))},
    "SciPy RK45": _EXPLICIT | {"color": "#666666", "marker": "x"},
    "SciPy DOP853": _EXPLICIT | {"color": "#666666", "marker": "+"},
    "diffrax Tsit5": _EXPLICIT | {"color": "#882255", "marker": "1"},
    "diffrax Dopri8": _EXPLICIT | {"color": "#882255", "marker": "2"},
}
LABELS = {
    "cvode": "pcode cvode",
    "Kvaerno5": "pcode Kvaerno5",
    "Kvaerno3": "pcode Kvaerno3",
    "GMRES(30)": "CVODE, GMRES(30)",
    "GMRES(60)": "CVODE, GMRES(60)",
    "CVODE dense": "CVODE, dense",
}


def measure(bench: Bench, case: Case, method: str, limit: float) -> list[Measurement]:
    """The points of one curve, in one process, until one takes longer than `limit`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "solution-{}.npz")
        made = []
        for k, point in enumerate(run_worker(case, method, RTOLS, limit, path)):
            one = Measurement(case.name, method, **point)
            made.append(bench.with_error(case, one, Path(str(path).format(k))) if one.ok else one)
        return made


def _curves(ax: Axes, measured: Sequence[dict[str, Any]]) -> None:
    for method in METHODS:
        points = [m for m in measured if m["method"] == method and m["error"]]
        if points:
            points.sort(key=lambda m: -m["rtol"])
            seconds, errors = ([m[key] for m in points] for key in ("seconds", "error"))
            ax.loglog(
                seconds, errors, label=LABELS.get(method, method), **{"linestyle": "-"} | STYLES[method]
            )


def figure(measured: Sequence[dict[str, Any]]) -> Figure:
    """Draw what was measured, see the module's docstring.

    Parameters
    ----------
    measured : sequence of dict
        Measurements as `measure.Measurement` has them.
    """
    with plotting.style():
        fig = Figure(figsize=(7.2, 3.4), layout="constrained")
        axes = fig.subplots(1, len(CASES), sharey=True)
        for ax, case, title in zip(axes, CASES, TITLES, strict=True):
            _curves(ax, [m for m in measured if m["case"] == case.name])
            ax.set_title(title)
            ax.set_xlabel("time without compilation (s)")
            ax.margins(0.06)
            ax.xaxis.set_minor_formatter(NullFormatter())
        axes[0].set_ylabel("largest error")
        entries: dict[str, Any] = {}
        for ax in axes:
            entries |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
        order = [LABELS.get(method, method) for method in METHODS]
        labels = sorted(entries, key=order.index)
        fig.legend([entries[label] for label in labels], labels, loc="outside right upper", handlelength=3.2)
    return fig


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, unless told only to draw; write the data and the figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.work_precision", description=__doc__)
    parser.add_argument("--draw", action="store_true", help="only draw what was measured before")
    parser.add_argument("--only", action="append", help="measure only this method, and keep the others")
    parser.add_argument("--case", action="append", help="measure only this case, and keep the others")
    parser.add_argument("--limit", type=float, default=20.0, metavar="SECONDS", help="of a point (20)")
    parser.add_argument("--data", type=Path, default=CACHE / "work-precision.json")
    parser.add_argument("--out", type=Path, default=ROOT / "plots" / "gallery" / "work_precision.png")
    asked = parser.parse_args(argv)
    notes = Console(stderr=True)
    measured = json.loads(asked.data.read_text()) if asked.data.exists() else []
    wanted = [] if asked.draw else [case for case in CASES if case.name in (asked.case or (case.name,))]
    bench = Bench(asked.limit, 900.0, lambda what: notes.print(what, style="dim"))
    asked.data.parent.mkdir(parents=True, exist_ok=True)
    for case in wanted:
        for method in METHODS if not asked.only else asked.only:
            notes.print(f"{case.name}: {method}", style="dim")
            measured = [m for m in measured if (m["case"], m["method"]) != (case.name, method)]
            measured += [asdict(made) for made in measure(bench, case, method, asked.limit)]
            asked.data.write_text(json.dumps(measured, indent=1) + "\n")
    plotting.save_figure(figure(measured), asked.out)


if __name__ == "__main__":
    assert set(METHODS) == set(STYLES)
    assert set(GENERIC) <= set(METHODS)
    main()
