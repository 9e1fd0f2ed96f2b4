"""What `pcode gallery` does: every recipe drawn for the scenarios it suits, and a page of them all."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit
from PIL import Image

from ..base.errors import InputError
from ..base.files import replacing
from ..plotting.output import save_figure
from ..plotting.recipes import Recipe, docstring
from ..run.result import Run
from ..scenario import Scenario
from ..scenario import title as title_of
from .signals import Signals

INDEX = "README.md"

# A folder whose page begins so was made by this module, pictures included.
MARK = "<!-- Made by `make gallery`; edits are lost. -->"

# Bytes that a picture may have on a page.
LARGEST = 300_000

# Scenarios on which a recipe is tried first that neither names its scenarios nor is named by one.
COMMON = ("xor", "timescales", "textbook")


@dataclass(frozen=True, order=True)
class Entry:
    """A picture of the gallery: a recipe drawn for a scenario, with options of the recipe."""

    recipe: str
    scenario: str
    options: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def picture(self) -> str:
        """The picture's file name."""
        return f"{self.scenario}-{self.recipe}.png"

    @property
    def commands(self) -> tuple[str, str]:
        """What makes the picture, from the shell."""
        run = f"results/{self.scenario}/run.nc"
        plot = f"pcode plot {self.recipe} {run} -o {self.picture}"
        options = [f"{name}={tomlkit.item(value).as_string()}" for name, value in self.options.items()]
        sets = [f"--set {shlex.quote(option)}" for option in options]
        return f"pcode run {self.scenario} --force", " ".join([plot, *sets])


class Gallery:
    """A folder of pictures with a page that shows them.

    Parameters
    ----------
    folder : Path
    scenarios, recipes : mapping of str to Path
        By name.
    tell : callable
        Is told of every picture that stands.
    also : sequence of Path
        Python files whose pictures others put into the folder, a.png of a.py: they stay, and the files'
        docstrings are their captions.

    Raises
    ------
    InputError
        If the folder holds files that no gallery made, or cannot be made, or a recipe cannot be loaded.
    """

    def __init__(
        self,
        folder: Path,
        scenarios: Mapping[str, Path],
        recipes: Mapping[str, Path],
        tell: Callable[[str], None],
        also: Sequence[Path] = (),
    ) -> None:
        self.folder, self.scenarios, self.recipes, self._tell = folder, scenarios, recipes, tell
        self._also = [path for path in also if (folder / f"{path.stem}.png").is_file()]
        _claim(folder)
        self._loaded = {name: Recipe.load(str(path), allow_code=True) for name, path in recipes.items()}
        self._files = {name: Scenario.load(str(path)).file for name, path in scenarios.items()}
        self._must: dict[str, set[str]] = {}
        self._plan = {name: self._suited(name) for name in recipes}
        self.made: list[Entry] = []
        self.failures: list[str] = []

    def make(self, signals: Signals) -> None:
        """Run each scenario once, draw what suits it, write the page and take away what is on it no more."""
        for scenario in sorted(self.scenarios, key=lambda name: (name not in COMMON, name)):
            self._draw_all(scenario, signals)
            if signals.stop():
                return
        self.failures += [f"{name}: no scenario suits this recipe" for name in self._homeless()]
        self._write_page()

    def _suited(self, recipe: str) -> frozenset[str] | None:
        """The scenarios to draw `recipe` for; None where nobody says."""
        suits = self._loaded[recipe].suits
        unknown = sorted(set(suits or ()) - set(self.scenarios))
        if unknown:
            what = f"there is no scenario {', '.join(unknown)}; there are {', '.join(self.scenarios)}"
            raise InputError("SUITS", what, str(self.recipes[recipe]))
        asked = {name for name, file in self._files.items() if recipe in file.plots.recipes}
        self._must[recipe] = asked.union(suits or ())
        # A recipe that draws the answer to a question has its name; not every run has an answer.
        may = {name for name, file in self._files.items() if recipe in file.analysis.questions}
        return None if suits is None and not asked | may else frozenset(self._must[recipe] | may)

    def _homeless(self) -> list[str]:
        """Recipes that nobody says anything of, and that no scenario has been drawn with yet."""
        drawn = {entry.recipe for entry in self.made}
        return [name for name, suited in self._plan.items() if suited is None and name not in drawn]

    def _draw_all(self, scenario: str, signals: Signals) -> None:
        """Run a scenario and draw the recipes that suit it."""
        planned = [name for name, suited in self._plan.items() if suited and scenario in suited]
        tried = self._homeless()
        if not planned and not tried:
            return
        with signals.keeping():
            run = Scenario.load(str(self.scenarios[scenario])).simulate(None, signals.stop)
        if signals.stop():
            return
        for recipe in (*planned, *tried):
            try:
                options = (self._loaded[recipe].suits or {}).get(scenario, {})
                self._draw(Entry(recipe, scenario, options), run)
            except InputError as error:
                if scenario in self._must[recipe]:
                    self.failures.append(f"{scenario}: {error}")

    def _draw(self, entry: Entry, run: Run) -> None:
        path = self.folder / entry.picture
        save_figure(self._loaded[entry.recipe].draw(run, entry.options), path)
        lighten(path)
        self.made.append(entry)
        self._tell(str(path))

    def _write_page(self) -> None:
        entries = sorted(self.made)
        with replacing(self.folder / INDEX) as temporary:
            temporary.write_text(page(entries, self.scenarios, self.recipes, self._also), encoding="utf-8")
        kept = {entry.picture for entry in entries} | {f"{path.stem}.png" for path in self._also}
        for picture in self.folder.glob("*.png"):
            if picture.name not in kept:
                picture.unlink()


def page(
    entries: list[Entry],
    scenarios: Mapping[str, Path],
    recipes: Mapping[str, Path],
    also: Sequence[Path] = (),
) -> str:
    """The page: a section for each recipe with its caption, its pictures and what makes them."""
    names = sorted({entry.recipe for entry in entries})
    listed = {name: recipes[name] for name in names} | {path.stem: path for path in also}
    parts = [
        MARK,
        "# Gallery",
        "Every figure recipe of pcode, drawn for scenarios that it suits. "
        "The commands below a picture make it again.",
        "\n".join(f"- [{name}](#{name}): {_escaped(_first(path))}" for name, path in listed.items()),
    ]
    for name in names:
        parts += [f"## {name}", *(_escaped(text) for text in docstring(recipes[name]).split("\n\n"))]
        for entry in entries:
            if entry.recipe == name:
                title = title_of(scenarios[entry.scenario]) or entry.scenario
                parts += [f"### {name}: {entry.scenario}", f"{_escaped(title)}."]
                parts += [f"![{_escaped(f'{_first(recipes[name])} {title}')}]({entry.picture})"]
                parts += ["\n".join(["```sh", *entry.commands, "```"])]
    for path in also:
        parts += [f"## {path.stem}", *(_escaped(text) for text in docstring(path).split("\n\n"))]
        parts += [f"![{_escaped(_first(path))}]({path.stem}.png)"]
    return "\n\n".join(parts) + "\n"


def _first(recipe: Path) -> str:
    return docstring(recipe).partition("\n")[0]


def _escaped(text: str) -> str:
    """`text` so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_<>\[\]|~])", r"\\\1", text)


def _claim(folder: Path) -> None:
    """Make the folder; refuse one with files that no gallery made, since some would be taken away."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        index = folder / INDEX
        ours = index.is_file() and index.read_text(encoding="utf-8", errors="replace").startswith(MARK)
        files = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise InputError("", f"cannot be made a gallery ({error.strerror})", str(folder)) from None
    if files and not ours:
        what = f"holds {files[0]}, which no gallery made; give an empty folder, or a new one"
        raise InputError("", what, str(folder))


def lighten(path: Path) -> None:
    """Write a picture too heavy for a page again in 256 colours, and smaller until it is light enough."""
    with Image.open(path) as image:
        whole, dots = image.convert("RGB"), image.info["dpi"]
    share = 1.0
    while path.stat().st_size > LARGEST:
        size = (round(share * whole.width), round(share * whole.height))
        # Without the clustering even white and grey come out tinted; its last rounds move few dots.
        reduced = whole.resize(size, Image.Resampling.LANCZOS).quantize(
            256, Image.Quantize.MAXCOVERAGE, kmeans=1000, dither=Image.Dither.NONE
        )
        with replacing(path) as temporary:
            reduced.save(temporary, dpi=tuple(share * dot for dot in dots), optimize=True)
        share *= 0.9
