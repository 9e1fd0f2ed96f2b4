"""The rooms of pcode in one drawing, made from the imports in its source.

    python docs/rooms.py [PACKAGE] [-o FILE.svg]

writes the drawing (docs/rooms.svg) and prints counts. A room is a package or a module directly in pcode/. Its
height is by its lines of code; what it imports is a dot on the line of the room that is imported, which
ends there in an arrow. Nothing is imported to find this out.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "pcode"
DRAWING = HERE / "rooms.svg"

# Names of arrays that are put together, and of variables; model/variables.py is their place.
KIND = re.compile(r"(x|eps|M|W|beta)")
ALONE = {"eps", "beta", "xe", "MW"}
TABLE = "model.variables"


@dataclass(frozen=True)
class Module:
    """A file of the package.

    Attributes
    ----------
    name : str
        With dots, from the package on.
    lines : int
    imports, named : tuple of str
        Modules of the package that it imports, anywhere in the file, and those that it loads by their name.
    about : str
        The first line of its docstring.
    kinds : int
        Places that name a kind of variable by hand.
    """

    name: str
    lines: int
    imports: tuple[str, ...]
    named: tuple[str, ...]
    about: str
    kinds: int

    @property
    def room(self) -> str:
        """The room that it is in."""
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class House:
    """The modules of a package, by name, without its own ``__init__`` and ``__main__``."""

    modules: dict[str, Module]

    @classmethod
    def of(cls, package: Path) -> House:
        """Read every file of a package."""
        files = {_name(file, package): file for file in sorted(package.rglob("*.py"))}
        files = {name: file for name, file in files.items() if name not in ("", "__main__")}
        found = {name: _module(name, file, files, package.name) for name, file in files.items()}
        return cls(found)

    @cached_property
    def rooms(self) -> dict[str, list[Module]]:
        """The modules of each room; rooms from the top down, so that each stands over what it imports."""
        below = self.imports
        order = sorted(below, key=lambda room: (-len(_reached(room, below)), room))
        return {room: [m for m in self.modules.values() if m.room == room] for room in order}

    @cached_property
    def imports(self) -> dict[str, list[str]]:
        """The rooms that each room imports."""
        rooms = sorted({module.room for module in self.modules.values()})
        found: dict[str, set[str]] = {room: set() for room in rooms}
        for module in self.modules.values():
            found[module.room] |= {self.modules[name].room for name in module.imports}
        return {room: sorted(below - {room}) for room, below in found.items()}

    @cached_property
    def circles(self) -> list[list[str]]:
        """Modules that import one another, directly or not."""
        graph = {name: (*module.imports, *module.named) for name, module in self.modules.items()}
        reached = {name: _reached(name, graph) for name in graph}
        groups = {frozenset(b for b in reached[a] if a in reached[b]) for a in graph if a in reached[a]}
        return [sorted(group) for group in groups]

    @property
    def floors(self) -> int:
        """The longest way down from module to module; modules in a circle stand on one floor."""
        floor: dict[str, int] = {}
        together = {name: set(circle) for circle in self.circles for name in circle}

        def height(name: str) -> int:
            if name not in floor:
                group = together.get(name, {name})
                below = {b for one in group for b in self.modules[one].imports} - group
                found = 1 + max(map(height, below), default=0)
                floor.update(dict.fromkeys(group, found))
            return floor[name]

        return max(map(height, self.modules))

    def counts(self) -> dict[str, int]:
        """What there is to count."""
        return {
            "rooms": len(self.rooms),
            "floors of modules": self.floors,
            "circles": len(self.circles),
            "modules in circles": sum(map(len, self.circles)),
            "modules": len(self.modules),
            "lines": sum(module.lines for module in self.modules.values()),
            "places that name a kind of variable": sum(module.kinds for module in self.modules.values()),
        }

    def made_from(self) -> dict[str, object]:
        """What the drawing shows."""
        rooms: dict[str, object] = {
            room: {
                "imports": self.imports[room],
                "lines": sum(module.lines for module in modules),
                "modules": [module.name for module in modules],
            }
            for room, modules in self.rooms.items()
        }
        return {"rooms": rooms}


def _name(file: Path, package: Path) -> str:
    parts = file.relative_to(package).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def _reached(start: str, graph: Mapping[str, Sequence[str]]) -> set[str]:
    """All that can be reached from a node; the node itself only by a circle."""
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting += graph[one]
    return seen


def _module(name: str, file: Path, files: dict[str, Path], package: str) -> Module:
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    at = [*name.split(".")] if file.name == "__init__.py" else name.split(".")[:-1]
    # `from .a import b` may mean the module a.b, or what a has by the name b.
    found = {target for node in ast.walk(tree) for target in _imported(node, at, package)}
    known = {target if target in files else target.rpartition(".")[0] for target in found}
    named = {target for node in ast.walk(tree) for target in _named(node, package)}
    others = files.keys() - {name}
    imports, by_name = tuple(sorted(known & others)), tuple(sorted(named & others))
    kinds = 0 if name == TABLE else _kinds_named(tree)
    about = (ast.get_docstring(tree) or "").partition("\n")[0]
    return Module(name, len(text.splitlines()), imports, by_name, about, kinds)


def _imported(node: ast.AST, at: list[str], package: str) -> Iterator[str]:
    """What a node of the tree imports from the package, with dots, from the package on."""
    if isinstance(node, ast.ImportFrom):
        whole = (node.module or "").split(".") if node.module else []
        if node.level:
            base = at[: len(at) - node.level + 1] + whole
        elif whole[:1] == [package]:
            base = whole[1:]
        else:
            return
        yield from (".".join([*base, alias.name]) for alias in node.names)
    elif isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name.startswith(f"{package}."):
                yield alias.name.partition(".")[2]


def _named(node: ast.AST, package: str) -> Iterator[str]:
    """What a node of the tree loads by its name."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_module":
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and str(first.value).startswith(f"{package}."):
            yield str(first.value).partition(".")[2]


def _kinds_named(tree: ast.AST) -> int:
    """Places that put the name of an array together, or tell a variable by its name."""
    joined = [node.values for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    inside = {part for parts in joined for part in parts}
    arrays = sum(len(parts) == 2 and KIND.fullmatch(_text_of(parts[0])) is not None for parts in joined)
    return arrays + sum(_text_of(node) in ALONE for node in ast.walk(tree) if node not in inside)


def _text_of(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


CAPTION = "Rooms of pcode: heights by lines of code; a dot is an import, its line ends at what is imported."

# Sizes of the drawing in pixels; the width holds 112 letters of a list of modules.
WIDTH, LANE, GAP, LEAST, PER_LINE = 700, 17, 16, 48, 1 / 19
FONT = "font-family='DejaVu Sans, Verdana, sans-serif'"
LETTERS, LINE, MOST = 112, 14, 74


def svg(house: House) -> str:
    """The drawing."""
    rooms = list(house.rooms)
    texts = {room: _listed(house.rooms[room]) for room in rooms}
    lines = {room: sum(module.lines for module in house.rooms[room]) for room in rooms}
    top, y = {}, 30.0
    # All heights are by lines; in small rooms the text decides what a line is worth.
    scale = max(PER_LINE, *((28 + LINE * len(texts[room])) / lines[room] for room in rooms))
    for room in rooms:
        top[room] = y
        y += lines[room] * scale + GAP
    targets = [room for room in rooms if any(room in below for below in house.imports.values())]
    lane = {room: WIDTH + 44 + LANE * k for k, room in enumerate(targets)}
    width, height = WIDTH + 60 + LANE * len(targets), y + 4
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:.0f} {height:.0f}' "
        f"width='{width:.0f}' height='{height:.0f}'>",
        f"<desc>{escape(json.dumps(house.made_from()))}</desc>",
        f"<rect width='{width:.0f}' height='{height:.0f}' fill='white'/>",
        _text(10, 18, 12, "#444", CAPTION),
    ]
    for room in targets:
        parts += _lane(room, house, top, lines, scale, lane, rooms)
    for room in rooms:
        parts += _box(room, top[room], lines[room] * scale, lines[room], house.rooms[room], texts[room])
    return "\n".join([*parts, "</svg>\n"])


def _listed(modules: list[Module]) -> list[str]:
    """The modules of a room in lines of text, those of each package in it by themselves."""
    groups: dict[str, list[str]] = {}
    for module in modules:
        path = module.name.split(".")[1:]
        if path:
            groups.setdefault(".".join(path[:-1]), []).append(path[-1])
    inner = set(groups) - {""}
    told = []
    for package, names in sorted(groups.items()):
        names = [name for name in names if package or name not in inner]
        text = f"{package}: {', '.join(names)}" if package else ", ".join(names)
        told += textwrap.wrap(text, LETTERS, subsequent_indent="    " if package else "")
    return told


def _box(
    room: str, y: float, height: float, lines: int, modules: list[Module], text: list[str]
) -> Iterator[str]:
    yield (
        f"<rect x='10' y='{y:.1f}' width='{WIDTH}' height='{height:.1f}' rx='4' fill='#eef3f8' "
        "stroke='#35506b' stroke-width='1.2'/>"
    )
    count = sum(1 for module in modules if module.name != room)
    about = next((module.about for module in modules if module.name == room), "").replace("`", "").rstrip(".")
    about = about.partition(";")[0]
    if len(about) > MOST:
        about = about[:MOST].rpartition(",")[0]
    yield _text(20, y + 18, 14, "#1d3247", room, "font-weight='bold'")
    yield _text(112, y + 18, 11, "#35506b", about)
    size = f"{count} modules, {lines:,} lines" if count else f"{lines:,} lines"
    yield _text(WIDTH, y + 18, 11, "#35506b", size, "text-anchor='end'")
    for k, line in enumerate(text):
        yield _text(36 if line.startswith(" ") else 20, y + 34 + LINE * k, 11, "#222", line.strip())


def _text(x: float, y: float, size: int, color: str, text: str, more: str = "") -> str:
    return f"<text x='{x}' y='{y:.1f}' {FONT} font-size='{size}' fill='{color}' {more}>{escape(text)}</text>"


def _lane(
    room: str,
    house: House,
    top: dict[str, float],
    lines: Mapping[str, float],
    scale: float,
    lane: dict[str, float],
    rooms: list[str],
) -> Iterator[str]:
    """The line of a room that is imported: dots where it is imported, an arrow where it stands."""
    x, right = lane[room], 10 + WIDTH
    users = [user for user in rooms if room in house.imports[user]]
    down = list(lane)

    def level(user: str) -> float:
        share = (down.index(room) + 1) / (len(down) + 2)
        return top[user] + lines[user] * scale * share

    end = top[room] + 10
    first = min(level(user) for user in users)
    yield f"<path d='M{x} {first:.1f} V{end:.1f} H{right + 6}' fill='none' stroke='#35506b'/>"
    yield f"<path d='M{right} {end:.1f} l8 -4 v8 z' fill='#35506b'/>"
    for user in users:
        yield f"<path d='M{right} {level(user):.1f} H{x}' stroke='#9bb0c4' stroke-width='0.8'/>"
        yield f"<circle cx='{x}' cy='{level(user):.1f}' r='2.6' fill='#35506b'/>"


def shown(drawing: Path = DRAWING) -> dict[str, object]:
    """What a drawing was made from."""
    found = re.search(r"<desc>(.*)</desc>", drawing.read_text(encoding="utf-8"))
    text = found[1] if found else "{}"
    for entity, letter in (("&quot;", '"'), ("&#x27;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, letter)
    made: dict[str, object] = json.loads(text)
    return made


def main() -> None:
    """Write the drawing, print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", nargs="?", type=Path, default=PACKAGE)
    parser.add_argument("-o", "--out", type=Path, default=DRAWING)
    asked = parser.parse_args()
    house = House.of(asked.package)
    asked.out.write_text(svg(house), encoding="utf-8")
    for what, count in house.counts().items():
        print(f"{count:>7,}  {what}")  # noqa: T201 - what the command is for


if __name__ == "__main__":
    main()
