"""Feedback on the digits: tied, learned from an independent start, with and without decay, and fixed.

A network of 64-32-10 nodes learns 1,437 images, one at a time, and is tested on 360 others. Feedback weights
W that are not the transpose of the forward weights M start as the transpose of another draw of M, so with the
same distribution, and nearly at right angles to it. Of interest is W of the upper link, from the output to
the hidden layer: the input is clamped while the network learns, so nothing hears of W of the lower link.

Learned feedback without decay keeps the difference W - M^T that it has, for both get the same increments;
with decay that goes as exp(-lambda t/delta), and W and M^T align at a rate that is known before. Fixed
feedback cannot move: M^T moves towards it (feedback alignment). In each the flow of M is soon well within a
right angle of minus the gradient of the loss, which is all that it takes.

Takes about two minutes on two cores. Writes feedback.png, feedback.json and feedback.md.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _common import band, begun, error_axis, letters, ranged, save, write

import pcode
from pcode import plotting

SETTINGS: dict[str, Any] = {
    "sizes": [64, 32, 10],
    "activation": ["identity", "relu"],
    "tau": 1.0,
    "delta": 1000.0,
    "nu": 2.0,
    "train": 1437,
    "test": 360,
    "hold": 20.0,
    "passes": 5,
    "decay": 0.01,
    "looks": 60,  # at the gradient, a pass
    "rtol": 1e-4,
    "atol": 1e-6,
    "seeds": [0, 1, 2],
}
QUICK = {"sizes": [64, 6, 10], "train": 48, "test": 20, "hold": 5.0, "passes": 2, "looks": 8, "seeds": [0]}
# Kind of feedback, whether weights decay.
CASES = {
    "tied": ("tied", False),
    "tied, decay": ("tied", True),
    "learned": ("learned", False),
    "learned, decay": ("learned", True),
    "fixed": ("fixed", False),
}
# Where angles to the gradient are those of single images: how many means a pass.
MEANS = 4


def main(argv: Sequence[str] | None = None) -> None:
    """Run the study."""
    out, settings = begun(__doc__, "feedback", SETTINGS, QUICK, argv)
    split = pcode.Data.named("digits").split(train=settings["train"], test=settings["test"], seed=0)
    data = split.standardise()
    began = time.process_time()
    found = {
        name: [learned(settings, data, *case, seed) for seed in settings["seeds"]]
        for name, case in CASES.items()
    }
    rows = [row(name, runs) for name, runs in found.items()]
    write(out, "feedback", settings | {"seconds of CPU": time.process_time() - began}, rows)
    draw(found, settings, out)


def learned(
    settings: dict[str, Any], data: pcode.Data, feedback: str, decays: bool, seed: int
) -> dict[str, np.ndarray]:
    """Curves of one network: against passes, accuracy and the angles of each link."""
    keys = ("sizes", "activation", "tau", "delta", "nu")
    decay = settings["decay"] if decays else 0.0
    network = pcode.Network(**{key: settings[key] for key in keys}, feedback=feedback, weight_decay=decay)
    weights = network.init_weights(seed)
    if feedback != "tied":
        other = network.init_weights(1000 + seed).M
        weights = pcode.Weights(weights.M, tuple(M.T for M in other), weights.beta)
    train, n = len(data.train_inputs), network.n
    shown = pcode.Presentation(
        hold=settings["hold"], passes=settings["passes"], order="shuffled", seed=seed, nodes="feedforward"
    )
    phase = pcode.Phase("learn", {0: data.train_inputs, n: data.train_targets}, presentation=shown)
    test = (data.test_inputs, data.test_targets)
    tenth, often = max(1, train // 10), max(1, train // settings["looks"])
    run = pcode.simulate(
        network,
        [phase],
        weights=weights,
        rtol=settings["rtol"],
        atol=settings["atol"],
        save=pcode.Save(nodes=2, weights=2),
        probes={
            "accuracy": pcode.Probe("accuracy", data=test, presentations=tenth),
            "feedback": pcode.Probe("feedback_angle", presentations=tenth),
            "gradient": pcode.Probe("gradient_angle", presentations=often),
        },
    )
    start, end = (np.concatenate([(W - M.T).ravel() for W, M in zip(w.feedback, w.M, strict=True)])
                  for w in (weights, run.weights))  # fmt: skip
    apart = np.linalg.norm(end) / np.linalg.norm(start) if feedback != "tied" else 0.0
    expected = np.exp(-decay * run.phases[0].t_end / settings["delta"]) if feedback == "learned" else np.nan
    a_pass = train * settings["hold"]
    return {
        "accuracy": points(run, "accuracy", a_pass),
        "feedback": points(run, "feedback", a_pass),
        "gradient": means(points(run, "gradient", a_pass), settings["passes"]),
        "apart": np.array([apart, expected]),
    }


def points(run: pcode.Run, name: str, a_pass: float) -> np.ndarray:
    """Passes and what a probe saw, shape (points, 1 + values)."""
    variable = run.data[name]
    values = variable.to_numpy().reshape(len(variable), -1)
    there = np.isfinite(values).any(axis=1)
    t = variable["probe_time"].to_numpy()[there] / a_pass
    return np.column_stack([t, values[there]])


def means(looks: np.ndarray, passes: int) -> np.ndarray:
    """Means over parts of a pass; an image to which the hidden layer is silent has no angle."""
    edges = np.linspace(0.0, passes, MEANS * passes + 1)
    part = np.clip(np.searchsorted(edges, looks[:, 0], side="left") - 1, 0, MEANS * passes - 1)
    rows = [np.nanmean(looks[part == k, 1:], axis=0) for k in range(MEANS * passes)]
    return np.column_stack([0.5 * (edges[1:] + edges[:-1]), rows])


def row(name: str, runs: list[dict[str, np.ndarray]]) -> dict[str, Any]:
    """A line of the table."""
    last = np.array([run["gradient"][-MEANS:, 1:].mean(axis=0) for run in runs])
    turned = np.array([run["feedback"][[0, -1], -1] for run in runs])
    apart = np.array([run["apart"] for run in runs])
    tied, known = not turned[:, 0].any(), np.isfinite(apart[0, 1])
    return {
        "feedback": name,
        "accuracy, one pass": ranged([run["accuracy"][_one_pass(run["accuracy"]), 1] for run in runs]),
        "accuracy, end": ranged([run["accuracy"][-1, 1] for run in runs]),
        "W1 to M1^T, start": "0" if tied else f"{turned[:, 0].mean():.0f}",
        "W1 to M1^T, end": "0" if tied else f"{turned[:, 1].mean():.0f}",
        "flow of M0 to gradient": f"{last[:, 0].mean():.0f}",
        "flow of M1 to gradient": f"{last[:, 1].mean():.0f}",
        "norm of W - M^T, end/start": "-" if tied else f"{apart[:, 0].mean():.4f}",
        "exp(-lambda t/delta)": f"{apart[0, 1]:.4f}" if known else "-",
    }


def _one_pass(curve: np.ndarray) -> int:
    return int(np.abs(curve[:, 0] - 1.0).argmin())


def draw(found: dict[str, list[dict[str, np.ndarray]]], settings: dict[str, Any], out: Path) -> None:
    """Accuracy above; below, a column for each link, angles of W to M^T and of the flow to the gradient."""
    with plotting.style(size="175x140mm", font_size=8):
        fig = plotting.figure(6.9, 5.5)
        upper, lower = fig.subfigures(2, 1, height_ratios=(1.0, 1.7))
        first = upper.subplots()
        axes = lower.subplots(2, 2, sharex=True, sharey=True)
        for name, runs in found.items():
            t = runs[0]["accuracy"][:, 0]
            band(first, t, [1.0 - run["accuracy"][:, 1] for run in runs], label=name)
            for (up, down), k in zip(axes.T, (1, 2), strict=True):
                for ax, key in ((up, "feedback"), (down, "gradient")):
                    band(ax, runs[0][key][:, 0], [run[key][:, k] for run in runs])
        error_axis(first, f"errors on {settings['test']} other images", 0.015)
        first.set_xlabel(f"passes through {settings['train']:,} images")
        first.legend(title="feedback", loc="upper right")
        for ax, link in zip(axes[0], (0, 1), strict=True):
            where = "input to hidden, not heard" if link == 0 else "hidden to output"
            ax.set_title(rf"link {link} ({where})")
        axes[0, 0].set_ylabel("angle of $W^l$ to\n" r"$(M^l)^\top$ (degrees)")
        axes[1, 0].set_ylabel("angle of flow of $M^l$\nto gradient (degrees)")
        for ax in axes.flat:
            ax.axhline(90.0, color="#666666", linewidth=0.6, linestyle=(0, (1, 2)))
            ax.set_yticks([0, 30, 60, 90])
        for ax in axes[1]:
            ax.set_xlabel("passes")
        letters([first, *axes.flat])
        save(fig, out / "feedback.png")


if __name__ == "__main__":
    main()
