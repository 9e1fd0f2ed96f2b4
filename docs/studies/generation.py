"""Orchard and Sun (2019) on the 8x8 digits: which decays make generated inputs resemble the data.

A network of 64-32-10 nodes learns the classes of 1,000 images, in one batch, for 3,000 delta. Then its
output is clamped to each class in turn, layer 0 is free, and the nodes go to rest with the weights held:
from a fresh start, all at zero, not from the images that the network remembers, for nodes of samples that
were shown go on from where they were unless told otherwise (`Phase(nodes="zero")`). A generated image
resembles its class if, of the ten means of the training images of a class, its own is the nearest. Five
networks differ in their decays alone: of the nodes (lambda_x = 0.01), of the weights (lambda = 0.001),
both, neither, and both with lambda = 0.03.

All of them read nearly all test images right, and their own generated images as well. But without decay of
the weights those have large values where no image of the data has any, for there the weights stay what they
were drawn as. With it alone the nodes do not come to rest: they go on slowly in directions in which weights
that have decayed hardly pull. With both, of all inputs that give the class that of least norm is found; the
stronger the decay of the weights, the more of it looks like the digit.

Takes about two minutes on two cores. Writes generation.png, generation.json and generation.md.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from _common import begun, image_row, save, write

import pcode
from pcode import plotting

SETTINGS: dict[str, Any] = {
    "sizes": [64, 32, 10],
    "activation": "tanh",
    "tau": 1.0,
    "delta": 1000.0,
    "nu": 1.0,
    "feedback": "learned",
    "train": 1000,
    "test": 797,
    "learned_for": 3e6,
    "generated_for_at_most": 1e4,
    "rtol": 1e-4,
    "atol": 1e-7,
    "seeds": [0, 1, 2],
}
QUICK = {
    "sizes": [64, 4, 10],
    "train": 40,
    "test": 20,
    "learned_for": 2e3,
    "generated_for_at_most": 20.0,
    "seeds": [0],
}
# lambda_x and lambda.
DECAYS = {
    "neither": (0.0, 0.0),
    "of nodes": (0.01, 0.0),
    "of weights": (0.0, 1e-3),
    "of both": (0.01, 1e-3),
    "of both, stronger": (0.01, 0.03),
}
SHOWN_SEED = 0


def main(argv: Sequence[str] | None = None) -> None:
    """Run the study."""
    out, settings = begun(__doc__, "generation", SETTINGS, QUICK, argv)
    data = pcode.Data.named("digits").split(train=settings["train"], test=settings["test"])
    labels = data.labels[: data.train]
    means = np.array([data.train_inputs[labels == k].mean(axis=0) for k in range(10)])
    began, rows, shown = time.process_time(), [], {}
    for name, decays in DECAYS.items():
        for seed in settings["seeds"] if name in ("neither", "of both") else [SHOWN_SEED]:
            row, images = generated(settings, data, means, *decays, seed)
            rows.append({"decay": name} | row)
            if seed == SHOWN_SEED:
                shown[f"{name}: {row['own class nearest']} of 10"] = images
    write(out, "generation", settings | {"seconds of CPU": time.process_time() - began}, rows)
    with plotting.style(size="175x88mm", font_size=8):
        fig = plotting.figure(6.9, 3.5)
        axes = fig.subplots(len(shown) + 1, 10)
        image_row(axes[0], means, "mean of the class", own_scale)
        for axs, (label, images) in zip(axes[1:], shown.items(), strict=True):
            image_row(axs, images, label, own_scale)
        for k, ax in enumerate(axes[0]):
            ax.set_title(data.class_names[k] if data.class_names else k)
        fig.supylabel("decay")
        save(fig, out / "generation.png")


def generated(
    settings: dict[str, Any],
    data: pcode.Data,
    means: np.ndarray,
    node_decay: float,
    weight_decay: float,
    seed: int,
) -> tuple[dict[str, Any], np.ndarray]:
    """Train a network and let it generate an input for each class: numbers, and images, shape (10, 64)."""
    keys = ("sizes", "activation", "tau", "delta", "nu", "feedback")
    decays = {"node_decay": node_decay, "weight_decay": weight_decay}
    network = pcode.Network(**{key: settings[key] for key in keys}, **decays)
    n = network.n
    phases = [
        pcode.Phase("learn", {0: data.train_inputs, n: data.train_targets}, duration=settings["learned_for"]),
        pcode.Phase(
            "generate",
            {n: np.eye(10)},
            learn=False,
            until="equilibrium",
            duration=settings["generated_for_at_most"],
            nodes="zero",
        ),
    ]
    run = pcode.simulate(
        network,
        phases,
        weights=network.init_weights(seed),
        rtol=settings["rtol"],
        atol=settings["atol"],
        save=pcode.Save(nodes=2, weights=2),
    )
    images = run.state.x[0]
    apart = np.linalg.norm(images[:, np.newaxis] - means, axis=2)
    alike = np.corrcoef(images, means)[:10, 10:]
    test = pcode.predict(run, data.test_inputs, method="feedforward")
    read = pcode.predict(run, images, method="feedforward")
    own = np.arange(10)
    return {
        "seed": seed,
        "own class nearest": int((apart.argmin(axis=1) == own).sum()),
        "own class most correlated": int((alike.argmax(axis=1) == own).sum()),
        "mean correlation with it": float(np.diag(alike).mean()),
        "classified as it": int((read.argmax(axis=1) == own).sum()),
        "test accuracy": float((test.argmax(axis=1) == data.labels[data.train :]).mean()),
        "ended": f"{run.phases[1].status} at {run.phases[1].t_end - run.phases[1].t_start:.0f} tau",
    }, images


def own_scale(image: np.ndarray) -> tuple[float, float]:
    """From the least to the largest value of an image: generated ones are paler than those of the data."""
    return float(image.min()), float(image.max())


if __name__ == "__main__":
    main()
