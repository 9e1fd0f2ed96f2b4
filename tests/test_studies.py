"""The scripts in docs/studies run, draw and write what they say, and measure what theory says of their parts.

With --quick their settings are small, and the numbers mean nothing.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pcode
from pcode import plotting

STUDIES = Path(__file__).parents[1] / "docs" / "studies"
NAMES = sorted(path.stem for path in STUDIES.glob("[a-z]*.py"))
ROWS = {"feedback": 5, "generation": 5, "holding_time": 6, "memory": 5}


@pytest.fixture
def study(monkeypatch):
    """Import a study by its name, as when it is run as a script."""
    monkeypatch.syspath_prepend(str(STUDIES))
    return importlib.import_module


@pytest.fixture
def ran(study, tmp_path, monkeypatch, capsys):
    """Run a study with --quick; the figure, by what its curves or rows of images are called."""

    def run(name):
        figures = []
        save = plotting.save_figure
        monkeypatch.setattr(plotting, "save_figure", lambda fig, to: (figures.append(fig), save(fig, to)))
        monkeypatch.setattr(sys, "argv", [name, "--quick", "-o", str(tmp_path / "out")])
        study(name).main()
        (fig,) = figures
        document = json.loads((tmp_path / "out" / f"{name}.json").read_text())
        text = (tmp_path / "out" / f"{name}.md").read_text()
        assert text == capsys.readouterr().out
        assert len(document["results"]) == ROWS[name]
        assert len(text.splitlines()) == 2 + ROWS[name]
        assert len({line.count("|") for line in text.splitlines()}) == 1
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > 10_000
        return fig, document

    return run


def labels(ax):
    return [line.get_label() for line in ax.get_lines() if not line.get_label().startswith("_")]


def all_axes(fig):
    return [ax for ax in fig.get_axes() if ax.get_visible()]


def test_there_is_a_test_and_a_paragraph_for_every_study():
    assert list(ROWS) == NAMES
    page = (STUDIES / "README.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"({name}.png)" in page
        assert (STUDIES / f"{name}.png").stat().st_size < 200_000
        assert (STUDIES / f"{name}.md").read_text(encoding="utf-8") in page, f"the table of {name} is another"


@pytest.mark.slow
def test_feedback_draws_errors_and_angles_of_five_networks(ran):
    fig, document = ran("feedback")
    first, *angles = all_axes(fig)
    cases = ["tied", "tied, decay", "learned", "learned, decay", "fixed"]
    assert labels(first) == cases
    assert first.get_yscale() == "log"
    assert len(angles) == 4
    for ax in angles:
        curves = ax.get_lines()[:5]
        assert len({curve.get_color() for curve in curves}) == 5
        assert "degrees" in "".join(one.get_ylabel() for one in angles)
    for row in document["results"]:
        if row["feedback"].startswith("learned"):
            assert row["norm of W - M^T, end/start"] == row["exp(-lambda t/delta)"]


@pytest.mark.slow
def test_holding_time_draws_both_starts_and_all_batches(ran):
    fig, _ = ran("holding_time")
    errors, passes, angle, course = all_axes(fig)
    starts = ["started anew", "carried over"]
    assert labels(errors) == starts
    assert labels(passes) == ["1", "24"]
    assert labels(angle) == starts
    assert labels(course) == starts
    anew, carried = (line.get_ydata() for line in course.get_lines()[:2])
    # Errors that only grow stand as backpropagation's from the first; those of another image do not.
    assert anew[0] < 2.0
    assert carried[:5].max() > 20.0


@pytest.mark.slow
def test_generation_draws_the_means_and_a_row_for_each_decay(ran):
    fig, _ = ran("generation")
    names = [ax.get_ylabel() for ax in all_axes(fig) if ax.get_ylabel()]
    assert names[0] == "mean of the class"
    assert [name.partition(":")[0] for name in names[1:]] == [
        "neither", "of nodes", "of weights", "of both", "of both, stronger",
    ]  # fmt: skip


@pytest.mark.slow
def test_memory_draws_images_and_the_errors_of_four_quarters(ran):
    fig, _ = ran("memory")
    *images, errors = all_axes(fig)
    assert [ax.get_ylabel() for ax in images if ax.get_ylabel()][:3] == ["stored", "shown", r"$t = 0\,\tau$"]
    assert labels(errors) == ["centre", "upper two rows", "upper left quadrant", "left two columns"]


def digits(count):
    return pcode.Data.named("digits").split(train=count, test=20, seed=0).standardise()


def test_the_gradient_of_the_study_is_that_of_jax(study):
    rng = np.random.default_rng(0)
    M0, M1, b1, b2 = rng.normal(size=(5, 4)), rng.normal(size=(4, 3)), rng.normal(size=4), rng.normal(size=3)
    x, y = rng.normal(size=5), rng.normal(size=3)

    def loss(M0, M1):
        return 0.5 * jnp.sum((y - jax.nn.softplus(x @ M0 + b1) @ M1 - b2) ** 2)

    expected = jax.grad(loss, (0, 1))(M0, M1)
    for found, gradient in zip(
        study("holding_time").minus_gradient(M0, M1, b1, b2, x, y), expected, strict=True
    ):
        np.testing.assert_allclose(found, -gradient, rtol=1e-12)


def test_held_for_a_short_time_from_the_start_the_weights_move_along_the_gradient_by_a_known_length(study):
    """The errors begin as nu times the gradient's, times t at the output and t^3/6 below, t in tau."""
    module = study("holding_time")
    hold, nu = 0.02, 2.0
    settings = module.SETTINGS | module.QUICK | {"rtol": 1e-10, "atol": 1e-15}
    angles, lengths = module.change(settings, digits(24), "feedforward", hold, seed=0)
    assert angles.max() < 0.1
    np.testing.assert_allclose(lengths, [nu * hold**3 / 24.0, nu * hold / 2.0], rtol=0.03)


def test_learned_feedback_with_decay_nears_the_transpose_at_the_known_rate(study):
    module = study("feedback")
    settings = module.SETTINGS | module.QUICK | {"decay": 1.0}
    measured, expected = module.learned(settings, digits(48), "learned", True, seed=0)["apart"]
    np.testing.assert_allclose(expected, np.exp(-2 * 48 * 5.0 / 1000.0))
    np.testing.assert_allclose(measured, expected, rtol=1e-3)
