"""Figures of runs that show samples one after another: no curve goes on from one presentation to another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shown_runs as shown
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

import pcode
from pcode import plotting
from pcode.plotting.clock import PhaseScale
from pcode.plotting.film import Film
from pcode.plotting.recipes import Recipe

Array = np.ndarray


@pytest.fixture(scope="module")
def full() -> pcode.Run:
    return shown.run_of("full")


@pytest.fixture(scope="module")
def ends() -> pcode.Run:
    return shown.run_of("ends")


def data_lines(ax: Axes) -> list[Line2D]:
    """The lines of data: not the entries of legends, not the lines where phases start."""
    return [line for line in ax.get_lines() if np.size(line.get_xdata()) > 2]


def pieces(line: Line2D) -> list[Array]:
    """Times of the pieces of a line without a gap."""
    t, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
    gaps = np.flatnonzero(~np.isfinite(y))
    return [part[1:] if k else part for k, part in enumerate(np.split(t, gaps)) if part.size > 1]


def test_curves_end_where_a_presentation_ends(full: pcode.Run) -> None:
    for draw in (full.plot.value_nodes, full.plot.error_nodes):
        ax = draw(1, samples=[0, 1, 2, 3], phase="train")
        found = {int(part[0] // shown.HOLD) for line in data_lines(ax) for part in pieces(line)}
        assert found == set(shown.KEPT)
        for line in data_lines(ax):
            for part in pieces(line):
                assert part[-1] - part[0] <= shown.HOLD * (1.0 + 1e-9)
    spans = [part for line in data_lines(full.plot.energy(phase="train")) for part in pieces(line)]
    assert max(part[-1] - part[0] for part in spans) == pytest.approx(shown.HOLD)


def test_of_presentations_kept_at_their_ends_the_ends_are_points(ends: pcode.Run) -> None:
    ax = ends.plot.value_nodes(1, phase="train")
    there = np.array([(k + 1) * shown.HOLD for k in shown.KEPT])
    rows = [1, 3, 5, 7]
    numbers = ends.data["sample_number"].to_numpy()[rows, 0]
    lines = data_lines(ax)
    assert len(lines) == 3 * len(set(numbers.tolist()))
    assert {(line.get_linestyle(), line.get_marker()) for line in lines} == {("None", "o")}
    points = sorted((t, y) for line in lines for t, y in zip(*line.get_data(), strict=True) if np.isfinite(y))
    assert [t for t, _ in points] == pytest.approx(np.repeat(there, 3))
    values = [y for row in rows for y in sorted(ends.data["x1"].to_numpy()[row, 0])]
    assert [y for _, y in points] == pytest.approx(values)
    assert ax.get_xlim() == pytest.approx((0.0, 12 * shown.HOLD))


def test_the_first_and_the_last_kept_stand_on_axes_of_their_own(full: pcode.Run) -> None:
    ax = full.plot.error_nodes(1, log_time=True)
    ax.figure.canvas.draw()
    named = [text.get_text().replace("\n", " ") for text in ax.texts]
    assert named == ["presentation 0", "presentation 11", "test"] or named == ["no. 0", "no. 11", "test"]
    starts = sorted({part[0] for line in data_lines(ax) for part in pieces(line)})
    assert starts == pytest.approx([0.0, 11 * shown.HOLD, 12 * shown.HOLD])
    assert ax.get_xlabel() == r"time since start of each, $(t - t_0) / \tau$"
    chosen = full.plot.error_nodes(1, log_time=True, presentations=[5], phase="train")
    starts = sorted({part[0] for line in data_lines(chosen) for part in pieces(line)})
    assert starts == pytest.approx([5 * shown.HOLD])


def test_points_have_a_linear_piece_beside_a_logarithmic_one(ends: pcode.Run) -> None:
    axis = plotting.TimeAxis.of(ends, "time", None, "tau", True, None)
    scale = PhaseScale(axis.stretches)
    t = np.linspace(0.0, 72.0, 7)
    np.testing.assert_allclose(np.diff(scale.forward(t), 2), 0.0, atol=1e-12)
    np.testing.assert_allclose(
        scale.inverse(scale.forward(np.linspace(0.0, 76.0, 50))), np.linspace(0, 76, 50)
    )
    assert scale.forward(np.array(76.0)) == pytest.approx(scale.width)


def test_samples_are_told_apart_where_they_are_few(ends: pcode.Run) -> None:
    ax = ends.plot.value_nodes(1)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert {"sample 0", "sample 3"} <= set(labels)
    shown_then = set(ends.data["sample_number"].to_numpy()[:8, 0].tolist())
    missing = ({0, 1, 2, 3} - shown_then) or {0}
    if missing != {0}:
        with pytest.raises(pcode.InputError, match="is not shown in the presentations to draw"):
            ends.plot.value_nodes(1, samples=missing.pop(), phase="train")


def test_many_samples_are_not_told_apart() -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(30, 2)), rng.normal(size=(30, 1))
    phase = pcode.Phase("train", {0: X, 2: Y}, presentation=pcode.Presentation(hold=2.0))
    save = pcode.Save(presentations=12)
    run = pcode.simulate(shown.NET, [phase], weights=shown.NET.init_weights(rng=2), save=save, method="Tsit5")
    ax = run.plot.value_nodes(1)
    assert len(data_lines(ax)) == 3
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        f"$x^{{1}}_{{{k}}}$" for k in range(3)
    ]


def test_words_above_energies_claim_nothing_that_does_not_hold(full: pcode.Run) -> None:
    for which in ("dynamic", "slaved"):
        assert plotting.energy_remark(full, which) == "$F$ of the samples shown at a time"  # type: ignore[arg-type]
    assert "ring" in plotting.energy_remark(full, "slaved", "test")


REFUSED: dict[str, Any] = {
    "trajectory": lambda run: run.plot.trajectory(),
    "film": lambda run: Film(run),
    "moments of a film": lambda run: plotting.film_moments(run, 3),
    "one presentation": lambda run: run.presentation(5).plot.value_nodes(1),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_needs_the_course_is_refused_where_it_was_not_kept(ends: pcode.Run, what: str) -> None:
    with pytest.raises(pcode.InputError, match="the ends alone were kept; run it anew") as error:
        REFUSED[what](ends)
    assert "\n" not in str(error.value)


def test_options_that_do_not_suit_are_refused(ends: pcode.Run) -> None:
    with pytest.raises(pcode.InputError, match="how: must not be heatmap where only the ends"):
        ends.plot.value_nodes(1, how="heatmap")
    with pytest.raises(pcode.InputError, match="presentations: the nodes of 4 were not kept in 'train'"):
        ends.plot.value_nodes(1, presentations=4)
    with pytest.raises(pcode.InputError, match="presentations: no phase to draw shows samples one after"):
        ends.plot.energy(phase="test", presentations=0)
    row = ends.data["sample_number"].to_numpy()[7, 0]
    with pytest.raises(pcode.InputError, match=rf"which shows {row}; leave it out"):
        ends.plot.network(phase="train", sample=(row + 1) % 4)


def test_a_plane_has_the_path_of_one_presentation_integrated_anew_if_need_be(
    full: pcode.Run, ends: pcode.Run
) -> None:
    from pcode.analysis.planes.plane import phase_plane

    kept, anew = (
        phase_plane(run, "x1[0]", "eps1[0]", rest="held", phase="train", resolution=11)
        for run in (full, ends)
    )
    assert kept.rest.endswith("train, presentation 11")
    assert anew.times.size > 100
    for axis in range(2):
        along = np.interp(kept.times, anew.times, anew.trajectory[:, axis])
        np.testing.assert_allclose(along, kept.trajectory[:, axis], rtol=0.0, atol=2e-3)


DRAWN = ("node_convergence", "overview", "energy", "weight_drift", "network", "solver")


@pytest.mark.parametrize("recipe", DRAWN)
def test_recipes_draw_both_kinds(full: pcode.Run, ends: pcode.Run, recipe: str) -> None:
    for run in (full, ends):
        assert Recipe.load(recipe).draw(run).axes


def test_a_strip_shows_one_presentation(full: pcode.Run) -> None:
    figure = Recipe.load("trajectories").draw(full)
    assert figure.get_supylabel() == "train, presentation 11"
