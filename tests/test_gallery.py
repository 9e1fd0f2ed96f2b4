"""The gallery: every recipe is on its page, the page says how it was made, and nothing old stays."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from pcode import InputError
from pcode.base import shipped
from pcode.cli import main
from pcode.cli.gallery import INDEX, LARGEST, Gallery
from pcode.cli.signals import Signals
from pcode.plotting.recipes import Recipe, docstring

SCENARIO = """\
title = "A *small* one"
[network]
sizes = [1, 2, 1]
[data]
inputs = [[1.0]]
targets = [[0.5]]
[[phase]]
name = "train"
clamp = "both"
duration = 2.0
[save]
nodes = 5
weights = 3
[plots]
recipes = ["plain"]
"""

RECIPE = '''"""A <line> of x_0.

The caption says *what* is shown: tau.
"""
from matplotlib.figure import Figure
{suits}

def figure(run):
    fig = Figure(figsize=(2.0, 1.0))
    fig.add_subplot().plot(run.data["time"], run.data["x1"][:, 0, 0])
    return fig
'''


@pytest.fixture
def content(tmp_path):
    """Two scenarios, and recipes that are asked for, say what they suit, or neither."""
    (tmp_path / "in").mkdir()
    files = {
        "first.toml": SCENARIO,
        "second.toml": SCENARIO.replace('"plain"', '"plain", "chosen"'),
        "plain.py": RECIPE.format(suits=""),
        "chosen.py": RECIPE.format(suits='SUITS = ("first",)'),
        "homeless.py": RECIPE.format(suits=""),
        "hidden.py": RECIPE.format(suits="SUITS = ()"),
    }
    for name, text in files.items():
        (tmp_path / "in" / name).write_text(text)
    scenarios = {path.stem: path for path in sorted((tmp_path / "in").glob("*.toml"))}
    recipes = {path.stem: path for path in sorted((tmp_path / "in").glob("*.py"))}
    return tmp_path / "out", scenarios, recipes


def make(folder, scenarios, recipes):
    told: list[str] = []
    gallery = Gallery(folder, scenarios, recipes, told.append)
    gallery.make(Signals())
    assert sorted(told) == sorted(str(folder / entry.picture) for entry in gallery.made)
    return gallery


EXPECTED = ["first-chosen", "first-homeless", "first-plain", "second-chosen", "second-plain"]


def test_every_recipe_is_drawn_where_it_is_asked_for_and_where_it_suits_or_else_somewhere(content):
    gallery = make(*content)
    assert gallery.failures == []
    assert sorted(path.stem for path in content[0].glob("*.png")) == EXPECTED


def test_options_of_a_recipe_for_a_scenario_are_used_and_stand_in_the_command(content, tmp_path, monkeypatch):
    folder, scenarios, recipes = content
    options = {"title": 'it\'s "x1"', "size": 2.0, "rows": [0, 1]}
    recipes["chosen"].write_text(
        f"SUITS = {{'first': {options!r}}}\nfrom matplotlib.figure import Figure\n"
        "def figure(run, title: str = '', size: float = 1.0, rows: list[int] | None = None):\n"
        "    fig = Figure(figsize=(size, size))\n    fig.suptitle(f'{title} {rows}')\n    return fig\n"
    )
    make(folder, scenarios, recipes)
    with Image.open(folder / "first-chosen.png") as image, Image.open(folder / "second-chosen.png") as other:
        assert image.size == (2 * other.width, 2 * other.height)
    (line,) = re.findall(r"^pcode plot chosen .* -o first-chosen.png .*$", (folder / INDEX).read_text(), re.M)
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line)
    text = scenarios["first"].read_text().replace('"plain"', "")  # its recipes are no shipped ones
    Path("first.toml").write_text(text)
    assert main(["run", "first.toml"]) == 0
    assert main(["plot", str(recipes["chosen"]), *words[3:]]) == 0
    assert Path("first-chosen.png").read_bytes() == (folder / "first-chosen.png").read_bytes()


def test_the_page_shows_every_picture_sorted_with_caption_and_commands(content):
    make(*content)
    folder, scenarios, recipes = content
    text = (folder / INDEX).read_text()
    shown = re.findall(r"^!\[.*\]\((.*)\.png\)$", text, re.MULTILINE)
    assert shown == sorted(EXPECTED, key=lambda name: name.split("-")[::-1])
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["chosen", "homeless", "plain"]
    assert r"A \<line\> of x\_0." in text
    assert r"The caption says \*what\* is shown: tau." in text
    assert r"A \*small\* one" in text
    for scenario, recipe in (name.split("-") for name in shown):
        assert f"pcode run {scenario} --force\npcode plot {recipe} results/{scenario}/run.nc" in text
        assert scenario in scenarios
        assert recipe in recipes


def test_twice_gives_the_same_page_and_what_is_old_goes(content):
    make(*content)
    folder, scenarios, recipes = content
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "first-gone.png").write_bytes(b"")
    make(*content)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    del recipes["homeless"]
    make(folder, scenarios, recipes)
    assert not (folder / "first-homeless.png").exists()
    assert "homeless" not in (folder / INDEX).read_text()


def test_a_picture_that_others_make_stays_with_its_caption(content, tmp_path):
    make(*content)
    folder = content[0]
    (folder / "speed.png").write_bytes(b"made elsewhere")
    for name in ("speed", "absent"):
        (tmp_path / f"{name}.py").write_text('"""How fast: ``python speed.py``.\n\nA <curve> each."""\n')
    also = [tmp_path / "speed.py", tmp_path / "absent.py"]
    Gallery(*content, lambda told: None, also).make(Signals())
    assert (folder / "speed.png").read_bytes() == b"made elsewhere"
    text = (folder / INDEX).read_text()
    assert text.endswith("A \\<curve\\> each.\n\n![How fast: \\`\\`python speed.py\\`\\`.](speed.png)\n")
    assert "- [speed](#speed): How fast" in text
    assert "absent" not in text


def test_a_folder_of_other_things_is_left_alone(content):
    folder, scenarios, recipes = content
    folder.mkdir()
    (folder / "holiday.png").write_bytes(b"sea")
    with pytest.raises(InputError, match="no gallery made"):
        Gallery(folder, scenarios, recipes, print)
    assert (folder / "holiday.png").read_bytes() == b"sea"


def test_a_recipe_that_cannot_draw_what_it_should_is_told_and_the_others_stand(content):
    folder, scenarios, recipes = content
    recipes["plain"].write_text("def figure(run):\n    raise KeyError('x9')\n")
    gallery = make(folder, scenarios, recipes)
    assert len(gallery.failures) == 2
    assert "x9" in gallery.failures[0]
    assert sorted(path.stem for path in folder.glob("*.png")) == [e for e in EXPECTED if "plain" not in e]


def test_a_recipe_may_not_suit_what_is_not_there(content):
    folder, scenarios, recipes = content
    recipes["chosen"].write_text(RECIPE.format(suits='SUITS = ("third",)'))
    with pytest.raises(InputError, match="third") as caught:
        Gallery(folder, scenarios, recipes, print)
    assert caught.value.where == "SUITS"


def test_a_heavy_picture_is_made_smaller(content):
    folder, scenarios, recipes = content
    recipes["plain"].write_text(
        "import numpy as np\nfrom matplotlib.figure import Figure\n"
        "def figure(run):\n    fig = Figure(figsize=(8.0, 8.0))\n    ax = fig.add_axes((0, 0, 1, 1))\n"
        "    ax.imshow(np.random.default_rng(0).normal(size=(1200, 1200)))\n    return fig\n"
    )
    make(folder, {"first": scenarios["first"]}, {"plain": recipes["plain"]})
    path = folder / "first-plain.png"
    assert path.stat().st_size <= LARGEST
    with Image.open(path) as image:
        assert 200 < image.width < 1280


@pytest.mark.parametrize("name", sorted(shipped.names("plots")))
def test_shipped_recipes_suit_shipped_scenarios(name):
    suits = Recipe.load(name).suits
    assert set(suits or ()) <= set(shipped.names("scenarios"))


def test_the_gallery_in_the_checkout_is_complete_light_and_its_commands_are_real():
    folder = Path(__file__).parents[1] / "plots/gallery"
    text = (folder / INDEX).read_text()
    shown = re.findall(r"\]\((.*\.png)\)$", text, re.MULTILINE)
    assert sorted(shown) == sorted(path.name for path in folder.glob("*.png"))
    assert all((folder / name).stat().st_size <= LARGEST for name in shown)
    assert shown.pop() == "work_precision.png"  # the benchmarks' own: its command is in its caption
    assert "python -m benchmarks.work\\_precision" in text
    runs = re.findall(r"^pcode run (\S+) --force$", text, re.MULTILINE)
    plots = re.findall(r"^pcode plot (\S+) (\S+) -o (\S+)(?: --set .*)?$", text, re.MULTILINE)
    assert len(runs) == len(plots) == len(shown)
    assert set(runs) <= set(shipped.names("scenarios"))
    to_show = {name for name in shipped.names("plots") if Recipe.load(name).suits != {}}
    assert {recipe for recipe, *_ in plots} == to_show, "run `make gallery`"
    assert [picture for *_, picture in plots] == shown
    assert {f"results/{name}/run.nc" for name in runs} == {run for _, run, _ in plots}


def test_the_commands_of_an_entry_make_its_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[1] / "plots/gallery" / INDEX).read_text()
    block = re.search(r"```sh\n(pcode run textbook .*\n.*)\n```", text)
    assert block is not None
    for line in block.group(1).splitlines():
        program, *words = shlex.split(line)
        assert program == "pcode"
        assert main(words) == 0
    assert (tmp_path / words[-1]).stat().st_size > 1000


def test_captions_are_read_without_running_the_recipe(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text('"""One.\n\nTwo.\n"""\nraise SystemExit\n')
    assert docstring(path) == "One.\n\nTwo."
