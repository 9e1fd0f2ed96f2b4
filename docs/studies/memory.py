"""An associative memory: eight digits are stored, and a quarter of each is enough to recall the rest.

A network of 8-32-64 nodes learns, in one batch, to predict eight 8x8 images at its last layer from a code
for each, a single 1 in layer 0. To recall, 16 of the 64 pixels are clamped, all other pixels and the code
are free, and the nodes start at zero, a fresh start: those of a sample that was shown go on from where they
were unless told otherwise, and its image would be there from the first instant, as one line of the table
shows. Four different quarters are shown. A recall is right if, of the stored images, its own is the
nearest; errors are root mean squares over the 48 pixels that were not shown, whose values in the data are 0
to 1.

The nodes find the image to 2e-4 wherever the quarter tells the images apart; two columns at the edge, where
most images have nothing, do not.

Takes about a minute on two cores. Writes memory.png, memory.json and memory.md.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _common import begun, image_row, save, write

import pcode
from pcode import plotting

SETTINGS: dict[str, Any] = {
    "sizes": [8, 32, 64],
    "activation": "tanh",
    "tau": 1.0,
    "delta": 1000.0,
    "nu": 1.0,
    "feedback": "learned",
    "stored_for": 1e5,
    "recalled_for_at_most": 1e4,
    "rtol": 1e-5,
    "atol": 1e-8,
    "seed": 0,
}
QUICK = {"sizes": [8, 4, 64], "stored_for": 2e3, "recalled_for_at_most": 20.0}
QUARTERS = {
    "centre": np.s_[2:6, 2:6],
    "upper two rows": np.s_[:2, :],
    "upper left quadrant": np.s_[:4, :4],
    "left two columns": np.s_[:, :2],
}
DRAWN, MOMENTS = "centre", (0.0, 1.0, 10.0, 100.0)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the study."""
    out, settings = begun(__doc__, "memory", SETTINGS, QUICK, argv)
    digits = pcode.Data.named("digits")
    images = np.array([digits.inputs[digits.labels == k][0] for k in range(8)])
    began = time.process_time()
    keys = ("sizes", "activation", "tau", "delta", "nu", "feedback")
    network = pcode.Network(**{key: settings[key] for key in keys})
    tolerances = {"rtol": settings["rtol"], "atol": settings["atol"]}
    store = pcode.Phase("store", {0: np.eye(8), network.n: images}, duration=settings["stored_for"])
    few = pcode.Save(nodes=2, weights=2)
    stored = pcode.simulate(
        network, [store], weights=network.init_weights(settings["seed"]), save=few, **tolerances
    )
    kept = pcode.predict(stored, np.eye(8), method="feedforward")
    settings |= {
        "error of what is stored": float(np.sqrt(((kept - images) ** 2).mean())),
        "seconds of CPU to store": time.process_time() - began,
    }
    rows, courses = [], {}
    for name, part in QUARTERS.items():
        for start in ("zero", "remembered") if name == DRAWN else ("zero",):
            shown = np.zeros((8, 8), bool)
            shown[part] = True
            cue = np.where(shown.ravel(), images, np.nan)
            recall = pcode.Phase(
                "recall",
                {network.n: cue},
                learn=False,
                until="equilibrium",
                duration=settings["recalled_for_at_most"],
            )
            nodes = "zero" if start == "zero" else stored.state
            few = pcode.Save(nodes=120, weights=2)
            run = pcode.simulate(
                network, [recall], weights=stored.weights, nodes=nodes, save=few, **tolerances
            )
            t, x = run.data["time"].to_numpy(), run.data[f"x{network.n}"].to_numpy()
            error = np.sqrt(((x - images)[:, :, ~shown.ravel()] ** 2).mean(axis=(1, 2)))
            if start == "zero":
                courses[name] = cue, t, x, error
            own = np.linalg.norm(x[-1][:, np.newaxis] - images, axis=2).argmin(axis=1) == np.arange(8)
            rows.append(
                {
                    "shown": name,
                    "start": start,
                    "right": f"{own.sum()} of 8",
                    "error": float(error[-1]),
                    "error at the start": float(error[0]),
                    "ended": f"{run.status} at {t[-1]:.0f} tau",
                }
            )
    write(out, "memory", settings, rows)
    draw(images, courses, out)


def draw(images: np.ndarray, courses: dict[str, Any], out: Path) -> None:
    """Stored images, what is shown of them, and the recall at a few moments; below, errors in time."""
    with plotting.style(size="two-columns", font_size=8):
        fig = plotting.figure(6.9, 6.2)
        upper, lower = fig.subfigures(2, 1, height_ratios=(2.0, 1.0))
        axes = upper.subplots(3 + len(MOMENTS), 8)
        cue, t, x, _ = courses[DRAWN]
        image_row(axes[0], images, "stored")
        image_row(axes[1], cue, "shown")
        for axs, moment in zip(axes[2:], MOMENTS, strict=False):
            row = int(np.abs(t - moment).argmin())
            image_row(axs, x[row], rf"$t = {t[row]:.3g}\,\tau$")
        image_row(axes[-1], x[-1], "at rest")
        ax = lower.subplots()
        for name, (_, t, _, error) in courses.items():
            ax.loglog(t[1:], error[1:], label=name)
        ax.set_xlabel(r"time since the nodes were at zero ($\tau$)")
        ax.set_ylabel("error of pixels not shown")
        ax.legend(title="shown")
        save(fig, out / "memory.png")


if __name__ == "__main__":
    main()
