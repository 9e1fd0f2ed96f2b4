"""What draws the answer to a question: the function of its name in the module of its name in this folder."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from ..analysis.registry import QUESTIONS


def _found() -> dict[str, Callable[..., Any]]:
    there = [name for name in QUESTIONS if Path(__file__).with_name(f"{name}.py").is_file()]
    return {name: getattr(import_module(f".{name}", __package__), name) for name in there}


FIGURES = _found()
