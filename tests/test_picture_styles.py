"""Artists by name: what a user says of one reaches that one, and what is left out is not there."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.text import Text
from synthetic_runs import synthetic_run, xor

import pcode
from pcode import InputError, plotting
from pcode.analysis import ask
from pcode.plotting.recipes import Recipe

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def run():
    rng = np.random.default_rng(6)
    X, Y = rng.standard_normal((3, 2)), rng.standard_normal((3, 1))
    network = pcode.Network((2, 3, 1), delta=300.0, nu=4.0)
    phases = [
        pcode.Phase("train", {0: X, 2: Y}, duration=600.0),
        pcode.Phase("test", {0: X}, learn=False, until="equilibrium", duration=200.0),
    ]
    weights = network.init_weights(1, W="independent")
    kept = {"save": pcode.Save(60, 30), "attributes": {"image_shape": [1, 2]}}
    return pcode.simulate(network, phases, weights=weights, **kept)


def ringing() -> pcode.Run:
    """1-1-1-1, linear: unstable by an oscillation where W is near -M^T ("Unstable feedback")."""
    network = pcode.Network((1, 1, 1, 1), "identity", nu=1.0)
    one = (np.ones((1, 1)),) * 3
    phase = pcode.Phase("hold", {0: [[0.1]], 3: [[0.0]]}, duration=5.0, learn=False)
    weights = pcode.Weights(M=one, W=one, beta=(np.zeros(1),) * 3)
    return pcode.simulate(network, [phase], weights=weights)


OPTIONS: dict[str, dict[str, Any]] = {
    "backprop": {"ratios": [], "points": 12, "variances": [1.0, 4.0]},
    "convergence": {},
    "certificate": {"span": 5.0},
    "equilibrium": {"starts": 1},
    "separation": {"ratios": [50.0, 100.0, 200.0], "duration": 1.0},
    "spectrum": {"moments": 3},
    "stability": {},
}
RUNS: dict[str, Callable[..., Axes]] = {
    "energy": lambda run, **styles: plotting.energy(run, remark=True, **styles),
    "weight_matrix": lambda run, **styles: plotting.weight_matrix(run, 0, **styles),
    "receptive_fields": lambda run, **styles: plotting.receptive_fields(run, **styles),
    "feedback_scatter": lambda run, **styles: plotting.feedback_scatter(run, 0, **styles),
    "feedback_angle": lambda run, **styles: plotting.feedback_angle(run, **styles),
    "network": lambda run, **styles: plotting.network(run, **styles),
    "network_key": lambda run, **styles: plotting.network_key(run, **styles),
    "step_sizes": lambda run, **styles: plotting.step_sizes(run, **styles),
    "step_orders": lambda run, **styles: plotting.step_orders(run, **styles),
    "solver_work": lambda run, **styles: plotting.solver_work(run, **styles),
}


# Artists that a drawing of this run does not have.
ABSENT = {
    "energy": {"dots"},
    "feedback_angle": {"dots"},
    "stability": {"growth", "points", "zero", "note"},
    "spectrum": {"rates"},
}


@pytest.fixture(scope="module")
def draw(run):
    answers: dict[str, Any] = {}

    def drawn(name: str, **options: Any) -> Axes:
        if name in RUNS:
            return RUNS[name](run, **options)
        if name not in answers:
            answers[name] = ask(ringing() if name == "stability" else run, name, OPTIONS[name])
        return getattr(plotting, name)(answers[name], **options)

    return drawn


def shown(ax: Axes) -> list[Artist]:
    """The artists of all Axes that are seen and have something to show; ticks are their axis's."""
    panels = [*ax.figure.axes, *ax.child_axes]
    return [
        one
        for panel in panels
        for one in panel.get_children()
        if one.get_visible() and not (isinstance(one, Text) and not one.get_text())
    ]


@pytest.mark.parametrize("name", [*RUNS, *OPTIONS])
def test_an_artist_that_is_left_out_is_not_there_and_another_name_is_refused(draw, name):
    artists = getattr(plotting, name).artists
    options = {"against": "variance"} if name == "backprop" else {}
    whole = len(shown(draw(name, **options)))
    fewer = [one for one in artists if len(shown(draw(name, styles={one: False}, **options))) < whole]
    assert set(artists) - set(fewer) == ABSENT.get(name, set())
    with pytest.raises(InputError, match="there is no artist 'arrows' here; there are ") as caught:
        draw(name, styles={"arrows": {"color": "red"}})
    assert caught.value.where == "styles"


@pytest.mark.parametrize(
    ("name", "artist"),
    [
        ("energy", "total"),
        ("feedback_scatter", "before"),
        ("feedback_angle", "lines"),
        ("step_sizes", "steps"),
        ("certificate", "points"),
        ("backprop", "errors"),
        ("convergence", "slowest"),
        ("equilibrium", "points"),
        ("separation", "fit"),
        ("spectrum", "nodes"),
        ("stability", "border"),
    ],
)
def test_a_colour_reaches_the_artist_meant_and_no_other(draw, name, artist):
    ax = draw(name, styles={artist: {"c": "#123456"}})
    coloured = [line for line in ax.get_lines() if to_rgba(line.get_color()) == to_rgba("#123456")]
    assert coloured
    assert len(coloured) < len(ax.get_lines())


@pytest.mark.parametrize(
    "name", ["energy", "feedback_angle", "solver_work", "backprop", "convergence", "spectrum", "stability"]
)
def test_a_legend_stands_where_it_is_asked_to(draw, name):
    def place(legend: object) -> tuple[Any, Any]:
        ax = draw(name, legend=legend)
        ax.figure.draw_without_rendering()
        return ax.get_legend().get_window_extent(), ax.get_window_extent()

    legend, panel = place("right")
    assert legend.x0 >= panel.x1
    legend, panel = place("below")
    assert legend.y1 <= panel.y0
    legend, panel = place("inside")
    assert panel.x0 <= legend.x0
    assert legend.y1 <= panel.y1
    assert draw(name, legend=False).get_legend() is None
    with pytest.raises(InputError, match="legend: must be "):
        draw(name, legend="left")


def test_a_width_of_lines_is_that_of_the_strongest_weight():
    """The weakest are 0.3 wide, the strongest 3, or what is asked for."""

    def widths(**options):
        ax = plotting.network(xor(), feedback=False, **options)
        lines = [one for one in ax.collections if isinstance(one, LineCollection)]
        return np.concatenate([one.get_linewidth() for one in lines])

    usual, thin = widths(), widths(styles={"M": {"linewidth": 1.0}})
    np.testing.assert_allclose((thin - 0.3) / 0.7, (usual - 0.3) / 2.7)


def test_one_gain_has_a_curve_of_its_own_artists():
    answer = ask(synthetic_run((1, 1, 1), nodes=5, weights=3), "stability", {"gains": [1.0]})
    everything = plotting.stability(answer)
    nothing = plotting.stability(answer, styles={"growth": False, "points": False, "zero": False})
    assert everything.get_lines()
    assert not nothing.get_lines()


NARROW: dict[str, dict[str, Any]] = {
    "energy": {},
    "overview": {},
    "weights": {},
    "network": {},
    "solver": {},
    "backprop": {"variances": [1.0, 4.0], "points": 12},
    "certificate": {"span": 5.0},
    "convergence": {},
    "equilibrium": {"starts": 1},
    "separation": {"ratios": [50.0, 100.0, 200.0], "duration": 1.0},
    "spectrum": {"moments": 3},
    "stability": {"gains": [0.5, 1.0]},
}


@pytest.mark.parametrize("name", NARROW)
def test_a_recipe_in_one_column_has_its_width_and_nothing_cut_off(run, name):
    with plotting.style(size="one-column"):
        fig = Recipe.load(name).draw(run, NARROW[name])
    fig.draw_without_rendering()
    width, height = fig.get_size_inches()
    assert width == pytest.approx(85.0 / 25.4)
    box = fig.get_tightbbox()
    assert box.x0 >= -0.01
    assert box.x1 <= width + 0.01
    assert box.y0 >= -0.01
    assert box.y1 <= height + 0.01
    for ax in fig.axes:
        for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
            seen = [text.get_window_extent() for text in labels if text.get_text() and text.get_visible()]
            inside = [b for b in seen if ax.get_window_extent().padded(5).overlaps(b)]
            assert not any(one.overlaps(other) for one, other in combinations(inside, 2))
