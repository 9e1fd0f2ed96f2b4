"""The drawing of the rooms shows what is there, and what is there is in order."""

from pathlib import Path

import pytest

from docs import rooms

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def house():
    return rooms.House.of(ROOT / "pcode")


def test_the_drawing_is_up_to_date(house):
    """Rooms, modules and arrows as they are, areas within a tenth; `make rooms` draws it anew."""
    drawn, now = rooms.shown()["rooms"], house.made_from()["rooms"]
    for room, there in now.items():
        assert drawn[room]["lines"] == pytest.approx(there["lines"], rel=0.1), "make rooms"
    for told in (drawn, now):
        for room in told.values():
            del room["lines"]
    assert drawn == now, "make rooms"
    assert list(drawn) == list(now), "make rooms"


def test_there_are_eleven_rooms_at_most_and_each_imports_only_those_drawn_below_it(house):
    order = list(house.rooms)
    assert len(order) <= 11
    for room, imported in house.imports.items():
        assert all(order.index(room) < order.index(below) for below in imported)


@pytest.mark.parametrize("package", ["pcode", "benchmarks"])
def test_no_modules_import_one_another(package):
    assert rooms.House.of(ROOT / package).circles == []


def written(folder, **files):
    package = folder / "small"
    for name, text in files.items():
        file = package / f"{name.replace('__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return rooms.House.of(package)


def test_imports_are_found_wherever_they_stand(tmp_path):
    house = written(
        tmp_path,
        a__one="from ..b import two\nfrom ..b.two import x\n",
        b__two="def f():\n    import small.c.three\n",
        c__three="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from small.d import four\n",
        d="from importlib import import_module\nfour = import_module('small.a.one')\n",
    )
    assert house.imports == {"a": ["b"], "b": ["c"], "c": ["d"], "d": []}
    assert list(house.rooms) == ["a", "b", "c", "d"]
    assert house.circles == [["a.one", "b.two", "c.three", "d"]]
    assert house.floors == 1


def test_floors_and_places_are_counted(tmp_path):
    house = written(
        tmp_path,
        a="from . import b, c\nname = f'eps{1}'\n",
        b="from . import c\n'beta' in 'M'\n",
        c="f'x{0} {1}'\n",
    )
    assert list(house.counts().values()) == [3, 3, 0, 0, 3, 5, 2]
