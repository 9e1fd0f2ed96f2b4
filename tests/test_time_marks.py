"""Marks of time along paths: in the run's unit where it has one, and where they hide nothing."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.text import Annotation

import pcode
from pcode import plotting
from pcode.plotting.marks import note_above, round_times, time_marks
from pcode.plotting.style import figure
from pcode.plotting.styles import Styles

pytestmark = pytest.mark.filterwarnings("error")


def ringing(unit: str | None, tau: float, delta: float) -> pcode.Run:
    """1-1-1 whose nodes spiral into their equilibrium, and whose weights then learn."""
    network = pcode.Network((1, 1, 1), tau=tau, delta=delta, nu=0.4, time_unit=unit)
    ends = {0: [[1.0]], 2: [[-0.8]]}
    phases = [
        pcode.Phase("settle", ends, duration=30.0 * tau, learn=False),
        pcode.Phase("learn", ends, duration=4.0 * delta),
    ]
    weights = network.init_weights(2)
    return pcode.simulate(network, phases, weights=weights, save=pcode.Save(nodes=150, weights=40))


@pytest.fixture(scope="module")
def in_ms():
    return ringing("ms", 10.0, 5000.0)


@pytest.fixture(scope="module")
def plain():
    return ringing(None, 1.0, 500.0)


def labels(ax: Axes) -> list[Annotation]:
    return [text for text in ax.texts if isinstance(text, Annotation) and text.get_visible()]


def draw(run: pcode.Run, name: str, width: str = "85mm") -> Axes:
    arguments = {"phase_plane": ("x1[0]", "eps1[0]"), "slow_manifold": ()}[name]
    with plotting.style(size=width, font_size=8):
        ax: Axes = getattr(run.plot, name)(*arguments)
    ax.figure.draw_without_rendering()
    return ax


def seconds(text: str) -> float:
    read = re.fullmatch(r"([\d.]+) (ms|s|min)", text)
    assert read is not None, text
    return float(read[1]) * {"ms": 1e-3, "s": 1.0, "min": 60.0}[read[2]]


@pytest.mark.parametrize("name", ["phase_plane", "slow_manifold"])
def test_marks_are_round_times_in_the_unit_of_the_run_and_stand_where_the_run_is_then(in_ms, name):
    ax = draw(in_ms, name)
    shown = labels(ax)
    assert shown
    assert not any("tau" in one.get_text() or "delta" in one.get_text() for one in shown)
    for one in shown:
        number = f"{float(one.get_text().split()[0]):e}"
        assert number[:8] in {f"{m:e}"[:8] for m in (1, 1.5, 2, 3, 4, 5, 7)}
    if name == "phase_plane":
        t, x = in_ms.data["time"].to_numpy(), in_ms.data["x1"].to_numpy()[:, 0, 0]
        for one in shown:
            assert one.xy[0] == pytest.approx(np.interp(1e3 * seconds(one.get_text()), t, x), abs=0.02)


@pytest.mark.parametrize("name", ["phase_plane", "slow_manifold"])
def test_without_a_unit_marks_are_in_time_constants(plain, name):
    shown = labels(draw(plain, name))
    assert shown
    assert all(re.fullmatch(r"\$.*\\,\\(tau|delta)\$", one.get_text()) for one in shown)


def test_the_marks_of_a_plane_of_weights_are_in_longer_units():
    run = ringing("ms", 10.0, 5000.0)
    ax = run.plot.phase_plane("M0[0,0]", "M1[0,0]", resolution=21)
    ax.figure.draw_without_rendering()
    shown = labels(ax)
    assert shown
    assert any(one.get_text().endswith(" s") for one in shown)
    assert all(seconds(one.get_text()) >= 0.1 for one in shown)


@pytest.mark.parametrize(
    ("unit", "times", "expected"),
    [
        ("ms", 90.0, [50.0]),  # half of 90
        ("ms", 1900.0, [1000.0]),  # 950 ms are nearest 1 s
        ("s", 0.03, [0.015]),
        ("min", 100.0, [50.0]),
        ("h", 1.5, [50.0 / 60.0]),  # 45 min, by its logarithm nearer 50 than 40
    ],
)
def test_times_are_round_in_the_unit_in_which_they_are_read(unit, times, expected):
    since = np.linspace(0.0, times, 901)
    assert round_times(since, since, 1, unit) == pytest.approx(expected)


@pytest.mark.parametrize("width", ["60mm", "85mm", "175mm"])
@pytest.mark.parametrize("name", ["phase_plane", "slow_manifold"])
def test_a_label_stands_neither_on_the_path_nor_on_a_marker_nor_on_another_label(in_ms, name, width):
    check_free(draw(in_ms, name, width))


def check_free(ax: Axes) -> None:
    renderer = FigureCanvasAgg(ax.figure).get_renderer()
    boxes = []
    for one in labels(ax):
        one.update_bbox_position_size(renderer)
        boxes.append(one.get_bbox_patch().get_window_extent(renderer))
    lines = [line for line in ax.get_lines() if line.get_visible()]
    names = {"run", "slow", "fast"}
    paths = [line for line in lines if line.get_label() in names and line.get_linestyle() != "None"]
    assert paths
    dots = [line for line in lines if line.get_gid() == "time"]
    marked = [line for line in lines if line.get_marker() not in ("None", "", None)]
    for k, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:k])
        for line in paths:
            path = Path(ax.transData.transform(np.column_stack(line.get_data())))
            assert not path.intersects_bbox(box, filled=False)
        for line in marked:
            assert not any(box.contains(*at) for at in pixels(ax, line))
        assert ax.bbox.x0 <= box.x0 <= box.x1 <= ax.bbox.x1
    for dot in dots:
        for line in marked:
            reach = 0.5 * (dot.get_markersize() + line.get_markersize()) / 72.0 * ax.figure.dpi
            away = np.linalg.norm(pixels(ax, line) - pixels(ax, dot), axis=1)
            assert line in dots or (away > reach).all()


def pixels(ax: Axes, line: Line2D) -> np.ndarray:
    return ax.transData.transform(np.column_stack(line.get_data()))


def test_a_mark_over_an_equilibrium_and_a_label_without_room_are_left_out():
    fig = figure(3.0, 2.0)
    ax = fig.add_subplot()
    ax.set(xlim=(0.0, 10.0), ylim=(0.0, 10.0))
    t = np.linspace(0.0, 10.0, 2001)
    # Beyond t = 6 the path fills the window, so that nothing is free there.
    path = np.column_stack([t, np.where(t > 6.0, 5.0 + 4.9 * np.sin(200.0 * t), 1.0)])
    ax.plot(*path.T)
    ax.plot([2.0], [1.0], marker="s", markersize=6.0, linestyle="none")
    time_marks(ax, path, t, [2.0, 4.0, 8.0], r"\tau", "black", Styles(None, plotting.phase_plane.artists))
    fig.draw_without_rendering()
    assert [one.get_text() for one in labels(ax)] == [r"$4\,\tau$"]
    dots = [line.get_xdata()[0] for line in ax.get_lines() if line.get_gid() == "time" and line.get_visible()]
    assert dots == [4.0, 8.0]


def test_labels_find_their_places_again_when_the_figure_changes(in_ms):
    ax = draw(in_ms, "phase_plane", "175mm")
    before = len(labels(ax))
    ax.figure.set_size_inches(2.4, 1.8)
    ax.figure.draw_without_rendering()
    check_free(ax)
    ax.figure.set_size_inches(6.9, 4.2)
    ax.figure.draw_without_rendering()
    check_free(ax)
    assert len(labels(ax)) == before


@pytest.mark.parametrize("width", np.linspace(1.0, 4.0, 13))
def test_a_note_breaks_neither_at_an_equals_sign_nor_before_a_unit(width):
    ax = Figure(figsize=(width, 2.0), layout="constrained").add_subplot()
    note = "all other nodes at rest, weights held as at t = 10000 ms"
    note_above(ax, note, Styles(None, plotting.phase_plane.artists))
    written = ax.get_title("left")
    assert written.replace("\n", " ") == note
    assert "t = 10000 ms" in written


def test_the_note_of_a_slow_manifold_has_the_unit_of_its_time():
    network = pcode.Network((1, 2, 1), tau=10.0, delta=1000.0, time_unit="ms")
    phase = pcode.Phase("learn", {0: [[1.0]], 2: [[0.5]]}, duration=2000.0)
    run = pcode.simulate(network, [phase], weights=network.init_weights(0))
    with plotting.style(size="175mm"):
        ax = run.plot.slow_manifold("M0[0,0]", "x1[0]")
    assert "t = 2000 ms" in ax.get_title("left")
