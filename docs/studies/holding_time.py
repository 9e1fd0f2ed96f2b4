"""How long to hold an image: what is learnt from errors that have not settled; and online beside batches.

A network of 64-32-10 nodes learns 600 digits one at a time, and 1,197 others test it. Each image is held for
so many tau, and delta is changed with it, so that hold/(delta nu) is the same and each image may move the
weights as far. At each switch nodes either start anew, at the feedforward pass of the new image without
errors, or are carried over, as a network that nobody resets would have it.

Started anew, errors stand in the direction of backpropagation's from the first and only grow (nu t/tau at
the output, nu (t/tau)^3/6 in the hidden layer): what a short hold costs is length, not direction. Carried
over, the nodes first are those of the image before, and weights that move meanwhile learn the errors of one
image with the input of another. Here it takes seven tau to forget, and until then these errors are the
larger: held for less than that, the change of M^0 is up to three times as long as that of the gradient, 60
to 70 degrees away from it, and little is learnt; held for 20 tau, the first seven still turn it by 37
degrees.

Online, in mini-batches and in full batch, at equal passes and in equal time (B images at once are held B
times as long), accuracies are much the same. That of 600 images online after 30 passes is that of published
iterative predictive coding networks, 94 to 95 %.

Takes about two minutes on two cores. Writes holding_time.png, holding_time.json and holding_time.md.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _common import band, begun, error_axis, letters, ranged, save, write
from matplotlib.ticker import FixedLocator, MultipleLocator, NullFormatter, NullLocator

import pcode
from pcode import plotting

SETTINGS: dict[str, Any] = {
    "sizes": [64, 32, 10],
    "activation": ["identity", "softplus"],
    "tau": 1.0,
    "nu": 2.0,
    "feedback": "tied",
    "train": 600,
    "test": 1197,
    "hold over delta nu": 0.01,
    "holds": [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0],
    "passes": 3,
    "looked at": 100,  # images after which the change of the weights is measured
    "batches": [1, 10, 60, 600],
    "batch hold": 20.0,  # an image
    "batch passes": 10,
    "long passes": 30,
    "rtol": 1e-4,
    "atol": 1e-6,
    "seeds": [0, 1, 2],
}
QUICK = {
    "sizes": [64, 6, 10],
    "train": 24,
    "test": 20,
    "holds": [0.5, 5.0],
    "passes": 1,
    "looked at": 5,
    "batches": [1, 24],
    "batch hold": 5.0,
    "batch passes": 2,
    "long passes": 3,
    "seeds": [0],
}
STARTS = {"feedforward": "started anew", "carry": "carried over"}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the study."""
    out, settings = begun(__doc__, "holding_time", SETTINGS, QUICK, argv)
    split = pcode.Data.named("digits").split(train=settings["train"], test=settings["test"], seed=0)
    data = split.standardise()
    began = time.process_time()
    held = {nodes: held_for(settings, data, nodes) for nodes in STARTS}
    courses = {nodes: course(settings, data, nodes) for nodes in STARTS}
    batches = {size: in_batches(settings, data, size) for size in settings["batches"]}
    rows = [
        {
            "nodes": STARTS[nodes],
            "shown": f"1, {hold:g} tau each",
            "passes": settings["passes"],
            "accuracy": ranged(found["accuracy"][:, k]),
            "angles to the gradient": pair(found["angle"][:, k], 0),
            "lengths": pair(found["length"][:, k], 2),
        }
        for nodes, found in held.items()
        for k, hold in enumerate(settings["holds"])
    ]
    rows += [
        {
            "nodes": STARTS["feedforward"],
            "shown": f"{size}, {size * settings['batch hold']:g} tau each",
            "passes": f"{curve[-1, 0]:.0f}",
            "accuracy": f"{curve[-1, 1]:.3f}",
            "angles to the gradient": "-",
            "lengths": "-",
        }
        for size, curve in batches.items()
    ]
    write(out, "holding_time", settings | {"seconds of CPU": time.process_time() - began}, rows)
    draw(held, courses, batches, settings, out)


def pair(values: np.ndarray, digits: int) -> str:
    """Means over seeds, of M0 and of M1."""
    return ", ".join(f"{value:.{digits}f}" for value in values.mean(axis=0))


def network_of(settings: dict[str, Any], hold: float, slower: float = 1.0) -> pcode.Network:
    """The network, with delta so that an image held for `hold` may move the weights as far as any other."""
    keys = ("sizes", "activation", "tau", "nu", "feedback")
    delta = slower * hold / (settings["hold over delta nu"] * settings["nu"])
    return pcode.Network(**{key: settings[key] for key in keys}, delta=delta)


def shown(
    settings: dict[str, Any],
    network: pcode.Network,
    weights: pcode.Weights,
    inputs: np.ndarray,
    targets: np.ndarray,
    probes: dict[str, pcode.Probe],
    **presentation: Any,
) -> pcode.Run:
    """A run in which the images are shown as `presentation` says."""
    clamp = {0: inputs, network.n: targets}
    phase = pcode.Phase("learn", clamp, presentation=pcode.Presentation(**presentation))
    few, tolerances = pcode.Save(nodes=2, weights=2), {key: settings[key] for key in ("rtol", "atol")}
    return pcode.simulate(network, [phase], weights=weights, save=few, probes=probes, **tolerances)


def held_for(settings: dict[str, Any], data: pcode.Data, nodes: str) -> dict[str, np.ndarray]:
    """By seed and hold: accuracy, and what the change of the weights is beside the gradient."""
    test = pcode.Probe("accuracy", data=(data.test_inputs, data.test_targets))
    shape = len(settings["seeds"]), len(settings["holds"])
    found = {key: np.empty(shape if key == "accuracy" else (*shape, 2)) for key in RESULTS}
    for i, seed in enumerate(settings["seeds"]):
        for k, hold in enumerate(settings["holds"]):
            network = network_of(settings, hold)
            how = {"hold": hold, "order": "shuffled", "seed": seed, "nodes": nodes}
            train = data.train_inputs, data.train_targets
            start = network.init_weights(seed)
            run = shown(settings, network, start, *train, {"a": test}, passes=settings["passes"], **how)
            found["accuracy"][i, k] = run.data["a"].to_numpy()[-1]
            found["angle"][i, k], found["length"][i, k] = change(settings, data, nodes, hold, seed)
    return found


RESULTS = ("accuracy", "angle", "length")
# The weights' change is measured where they move so many times slower, so that errors alone make it.
SLOWER = 10.0


def looked_at(settings: dict[str, Any], data: pcode.Data) -> tuple[np.ndarray, np.ndarray]:
    """The images at which it is measured what the weights make of one."""
    count = settings["looked at"]
    return data.train_inputs[:count], data.train_targets[:count]


def change(
    settings: dict[str, Any], data: pcode.Data, nodes: str, hold: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Angle of the change of M by one image to minus its gradient, and length over that: means, by link."""
    network, (X, Y) = network_of(settings, hold, SLOWER), looked_at(settings, data)
    kept: list[tuple[np.ndarray, ...]] = []

    def keep(state: pcode.State, context: Any) -> None:
        kept.append((*state.weights.M, *state.weights.beta))

    probes = {"keep": pcode.Probe(keep, presentations=1)}
    run = shown(settings, network, network.init_weights(seed), X, Y, probes, hold=hold, nodes=nodes)
    assert len(kept) == len(X) + 1, run.status
    moved = settings["hold over delta nu"] / SLOWER
    angles, lengths = [], []
    # The first image has none before it.
    for x, y, before, after in list(zip(X, Y, kept[:-1], kept[1:], strict=True))[1:]:
        descent = minus_gradient(*before, x, y)
        turned = [b - a for a, b in zip(before[:2], after[:2], strict=True)]
        pairs = list(zip(turned, descent, strict=True))
        norms = np.array([(np.linalg.norm(a), np.linalg.norm(b)) for a, b in pairs])
        cosines = np.array([(a * b).sum() for a, b in pairs]) / norms.prod(axis=1)
        angles.append(np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0))))
        lengths.append(norms[:, 0] / (moved * norms[:, 1]))
    return np.mean(angles, axis=0), np.mean(lengths, axis=0)


def minus_gradient(
    M0: np.ndarray, M1: np.ndarray, b1: np.ndarray, b2: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Backpropagation's minus gradient of 1/2 |y - f(x)|^2 by M0 and M1, for softplus."""
    h = x @ M0 + b1
    out = y - (np.logaddexp(0.0, h) @ M1 + b2)
    hidden = (out @ M1.T) / (1.0 + np.exp(-h))
    return np.outer(x, hidden), np.outer(np.logaddexp(0.0, h), out)


def course(settings: dict[str, Any], data: pcode.Data, nodes: str) -> tuple[np.ndarray, np.ndarray]:
    """The angle of the flow to the gradient against the time since a switch: times, means over images."""
    hold, (X, Y), seed = settings["batch hold"], looked_at(settings, data), settings["seeds"][0]
    network, looks = network_of(settings, hold, SLOWER), 40
    probes = {"angle": pcode.Probe("gradient_angle", deltas=hold / looks / network.delta)}
    run = shown(settings, network, network.init_weights(seed), X, Y, probes, hold=hold, nodes=nodes)
    angle, t = run.data["angle"].to_numpy(), run.data["probe_time"].to_numpy()
    since = np.rint((t - 1e-6 * hold) % hold / hold * looks).astype(int)
    late = t > hold * (1.0 + 1e-6)  # after the first image, which has none before it
    return np.arange(1, looks + 1) * hold / looks, np.array(
        [np.nanmean(angle[late & (since == k)], axis=0) for k in range(1, looks + 1)]
    )


def in_batches(settings: dict[str, Any], data: pcode.Data, size: int) -> np.ndarray:
    """Accuracy against passes, for mini-batches held `size` times as long, shape (passes + 1, 2)."""
    hold, seed = settings["batch hold"], settings["seeds"][0]
    network = network_of(settings, hold)
    passes = settings["long passes" if size == 1 else "batch passes"]
    probes = {"a": pcode.Probe("accuracy", data=(data.test_inputs, data.test_targets))}
    how = {"hold": hold * size, "order": "shuffled", "seed": seed, "nodes": "feedforward"}
    train = data.train_inputs, data.train_targets
    run = shown(
        settings, network, network.init_weights(seed), *train, probes, size=size, passes=passes, **how
    )
    t = run.data["probe_time"].to_numpy() / (hold * len(data.train_inputs))
    return np.column_stack([t, run.data["a"].to_numpy()])


def draw(
    held: dict[str, dict[str, np.ndarray]],
    courses: dict[str, tuple[np.ndarray, np.ndarray]],
    batches: dict[int, np.ndarray],
    settings: dict[str, Any],
    out: Path,
) -> None:
    """Against hold/tau: accuracy, angle; within an image: angle; against passes: online and batches."""
    with plotting.style(size="175x125mm", font_size=8):
        fig = plotting.figure(6.9, 4.9)
        ax = fig.subplot_mosaic([["errors", "passes"], ["angle", "course"]])
        ax["angle"].sharex(ax["errors"])
        ax["passes"].sharey(ax["errors"])
        ax["course"].sharey(ax["angle"])
        for name, found in held.items():
            look = {"marker": "o", "label": STARTS[name]}
            band(ax["errors"], settings["holds"], 1.0 - found["accuracy"], **look)
            band(ax["angle"], settings["holds"], found["angle"][:, :, 0], **look)
            t, angles = courses[name]
            ax["course"].plot(t, angles[:, 0], label=STARTS[name])
        for size, curve in batches.items():
            ax["passes"].plot(curve[:, 0], 1.0 - curve[:, 1], label=f"{size}")
        for key in ("errors", "passes"):
            error_axis(ax[key], f"errors on {settings['test']:,} other images", 0.04)
        ax["errors"].legend(title="nodes at a switch", loc="lower left")
        ax["passes"].legend(title="images at a time", loc="upper right")
        ax["passes"].set_xlabel(f"passes through {settings['train']:,} images")
        ax["angle"].set_xscale("log")
        ax["angle"].xaxis.set_major_locator(FixedLocator(settings["holds"]))
        ax["angle"].xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax["angle"].xaxis.set_minor_locator(NullLocator())
        ax["angle"].xaxis.set_minor_formatter(NullFormatter())
        ax["errors"].tick_params(labelbottom=False)
        ax["angle"].set_xlabel(r"hold$/\tau$")
        ax["angle"].set_ylabel("angle of change of $M^0$\nto gradient (degrees)")
        ax["course"].set_ylabel("angle of flow of $M^0$\nto gradient (degrees)")
        ax["course"].set_xlabel(rf"time since a switch ($\tau$), hold = {settings['batch hold']:g} $\tau$")
        ax["course"].xaxis.set_major_locator(MultipleLocator(settings["batch hold"] / 4.0))
        for key in ("angle", "course"):
            ax[key].axhline(90.0, color="#666666", linewidth=0.6, linestyle=(0, (1, 2)))
            ax[key].set_yticks([0, 30, 60, 90])
        letters([ax[key] for key in ("errors", "passes", "angle", "course")])
        save(fig, out / "holding_time.png")


if __name__ == "__main__":
    main()
