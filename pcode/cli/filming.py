"""What `pcode animate` does: film a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..base.errors import InputError
from ..base.options import checked_options
from ..plotting.animation import animate, can_film, check_film, count_frames
from ..plotting.film import Film
from .loading import load_run
from .progress import counting_bar


def film_run(
    file: Path,
    out: Path | None,
    options: Mapping[str, Any],
    seconds: float,
    fps: int,
    allow_code: bool = False,
    presentation: int | None = None,
) -> Path:
    """Film the run in `file`; return its path.

    Raises
    ------
    InputError
        With the run's file, where the run cannot be filmed so.
    """
    target = out or file.parent / f"animation{'.mp4' if can_film('.mp4') else '.gif'}"
    check_film(target)
    count = count_frames(seconds, fps)
    chosen = checked_options(Film.__init__, options, "the film")
    run = load_run(file, allow_code, presentation)
    try:
        with counting_bar("filming", count) as tell:
            animate(run, target, seconds=seconds, fps=fps, tell=tell, **chosen)
    except InputError as error:
        raise (error if error.source else error.in_file(str(file))) from None
    return target
