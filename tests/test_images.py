"""Input layers that show images: where their shape is said, what is refused, and what is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.image import AxesImage
from small_scenario import SMALL, load, refused
from synthetic_runs import TRAIN, synthetic_run

import pcode
from pcode import InputError, Run, plotting
from pcode.plotting.diagram import columns
from pcode.plotting.mosaic import Mosaic
from pcode.plotting.recipes import Recipe

pytestmark = pytest.mark.filterwarnings("error")


def of_images(feedback: str = "learned") -> Run:
    """24-5-2, whose inputs are images of 4 x 6."""
    run = synthetic_run((24, 5, 2), (TRAIN,), nodes=10, weights=6, feedback=feedback)
    run.data.attrs["image_shape"] = [4, 6]
    return run


def image_with(ax: Axes, shape: tuple[int, int]) -> AxesImage:
    (found,) = [image for image in ax.images if image.get_array().shape == shape]
    return found


def test_a_mosaic_has_every_image_in_its_place_row_by_row() -> None:
    mosaic = Mosaic(5, (2, 3), columns=2)
    images = np.arange(30.0).reshape(5, 6)
    picture = mosaic.picture(images)
    assert picture.shape == (6, 6)
    for k in range(5):
        row, column = divmod(k, 2)
        np.testing.assert_array_equal(
            picture[2 * row : 2 * row + 2, 3 * column : 3 * column + 3], images[k].reshape(2, 3)
        )
    assert len(mosaic.frames(0.0, 1.0, 0.0, 1.0).get_segments()) == 5


@pytest.mark.parametrize("total", [1, 2, 7, 32, 500])
def test_a_mosaic_has_room_for_all_and_at_most_64_images(total: int) -> None:
    mosaic = Mosaic.fitting(total, (8, 8), 1.5)
    assert mosaic.rows * mosaic.columns >= mosaic.count == min(total, 64)
    chosen = mosaic.chosen.tolist()
    assert chosen[0] == 0
    assert chosen[-1] == total - 1 or total == 1
    assert sorted(set(chosen)) == chosen


def test_receptive_fields_are_the_columns_of_m_and_the_rows_of_w() -> None:
    run = of_images()
    for kind, images in (("M", run.data.M0[-1].to_numpy().T), ("W", run.data.W0[-1].to_numpy())):
        ax = plotting.receptive_fields(run, kind)
        picture = np.asarray(ax.images[0].get_array())
        places = picture.reshape(picture.shape[0] // 4, 4, picture.shape[1] // 6, 6).transpose(0, 2, 1, 3)
        np.testing.assert_array_equal(places.reshape(-1, 24)[:5], images)


def test_the_scale_of_receptive_fields_is_that_of_the_matrix() -> None:
    run = of_images()
    fields, matrix = plotting.receptive_fields(run, when="change"), plotting.weight_matrix(run, 0)
    assert fields.images[0].get_clim() == matrix.images[0].get_clim()


def test_the_shape_may_be_given_where_the_run_does_not_say_it() -> None:
    run = synthetic_run((6, 3), (TRAIN,), nodes=5, weights=3)
    with pytest.raises(InputError) as caught:
        plotting.receptive_fields(run)
    assert caught.value.where == "image_shape"
    assert run.plot.receptive_fields(image_shape=(2, 3)).images
    with pytest.raises(InputError, match=r"3 x 3 are 9 pixels, but layer 0 has 6 nodes; .* such as \[2, 3\]"):
        plotting.receptive_fields(run, image_shape=(3, 3))
    with pytest.raises(InputError, match="image_shape"):
        plotting.network(run, image_shape=(3, 3))


def test_the_input_is_drawn_as_an_image_and_its_weights_as_one_for_each_node() -> None:
    run = of_images()
    ax = plotting.network(run, sample=2)
    values = image_with(ax, (4, 6))
    np.testing.assert_array_equal(values.get_array(), run.data.x0[-1, 2].to_numpy().reshape(4, 6))
    left, right, bottom, top = values.get_extent()
    assert (right - left) / (top - bottom) == pytest.approx(6 / 4)
    frames = [c for c in ax.collections if isinstance(c, LineCollection) and c.get_gid() == "frames"]
    assert len(frames[0].get_segments()) == 5
    assert "4 $\\times$ 6" in "\n".join(text.get_text() for text in ax.texts)


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (2, 32), (32, 2), (1, 64)])
def test_an_image_overlaps_no_other_layer_and_keeps_its_proportions(shape: tuple[int, int]) -> None:
    first, second, _ = columns((shape[0] * shape[1], 32, 10), image=shape)
    assert first.x + first.half < second.x - second.half
    assert first.top / first.half == pytest.approx(shape[0] / shape[1])
    assert first.top <= second.top + 1e-12


def test_a_network_by_itself_can_have_an_image_for_its_input() -> None:
    ax = plotting.network(pcode.Network((9, 4, 2)), image_shape=(3, 3))
    assert image_with(ax, (3, 3))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("[1, 3]", "1 x 3 are 3 pixels, but layer 0 has 2 nodes; give rows and columns whose product is 2"),
        ("[2]", "two whole numbers"),
        ("[0, 2]", "1 or more"),
        ("[1.0, 2.0]", "a whole number"),
        ("2", "a list"),
    ],
)
def test_a_scenario_with_a_wrong_shape_is_refused_under_its_key(
    tmp_path: Path, value: str, told: str
) -> None:
    error = refused(tmp_path, SMALL.replace('"xor"\n', f'"xor"\nimage_shape = {value}\n'))
    assert error.where.startswith("data.image_shape")
    assert told in error.what


def test_the_result_of_a_scenario_says_the_shape_and_keeps_it_in_its_file(tmp_path: Path) -> None:
    run = load(tmp_path, SMALL.replace('"xor"\n', '"xor"\nimage_shape = [1, 2]\n')).simulate()
    run.save(tmp_path / "run.nc")
    for one in (run, Run.load(tmp_path / "run.nc")):
        assert plotting.image_shape_of(one) == (1, 2)
    assert plotting.image_shape_of(load(tmp_path, SMALL).simulate()) is None


def test_the_digits_say_their_shape_themselves_where_they_are_the_input(tmp_path: Path) -> None:
    text = SMALL.replace('"xor"', '"digits"\ntrain = 2').replace("[2, 3, 1]", "[64, 3, 10]")
    assert load(tmp_path, text).image_shape == (8, 8)
    other = text.replace("[64, 3, 10]", "[10, 3, 64]").replace(
        'clamp = "both"', 'clamp = {0 = "output", 2 = "input"}'
    )
    assert load(tmp_path, other).image_shape is None


def test_simulate_takes_the_shape_among_its_attributes_and_checks_it() -> None:
    net = pcode.Network((6, 2), delta=10.0)
    phase = pcode.Phase("train", {0: np.ones((1, 6))}, duration=1.0)
    options = {"weights": net.init_weights(0), "save": pcode.Save(3, 3)}
    run = pcode.simulate(net, [phase], attributes={"image_shape": (2, 3)}, **options)
    assert plotting.image_shape_of(run) == (2, 3)
    with pytest.raises(InputError) as caught:
        pcode.simulate(net, [phase], attributes={"image_shape": [4, 3]}, **options)
    assert caught.value.where == "attributes[image_shape]"


def test_the_weights_of_an_image_are_shown_as_images_and_a_copied_feedback_in_a_line() -> None:
    for feedback in ("tied", "learned"):
        fig = Recipe.load("weights").draw(of_images(feedback))
        assert len(fig.axes) == 2 * (3 + 1)
        assert r"$W = M^\top$ at all times" in fig.get_supxlabel()
        with_frames = [ax for ax in fig.axes if any(c.get_gid() == "frames" for c in ax.collections)]
        assert len(with_frames) == 3
    run = of_images()
    run.data["W1"] = run.data["W1"] + 0.01
    apart = Recipe.load("weights").draw(run)
    assert apart.get_supxlabel() == ""
    assert any("angle of" in ax.get_ylabel() for ax in apart.axes)
