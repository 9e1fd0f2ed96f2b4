"""A film of a run into a file: MP4 by ffmpeg, or GIF by Pillow."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from matplotlib.animation import FFMpegWriter
from PIL import Image

from ..base import checks
from ..base.errors import InputError
from ..base.files import replacing
from ..run.result import Run
from ..run.select import of_run
from .film import DPI, Film
from .moments import film_moments

# Longest film, in seconds, and most pictures a second.
LONGEST, FASTEST = 600.0, 60

Tell = Callable[[int], None]


def can_film(suffix: str) -> bool:
    """Whether films can be written in a format: ".gif" always, ".mp4" where ffmpeg is found."""
    return suffix == ".gif" or (suffix == ".mp4" and shutil.which("ffmpeg") is not None)


def count_frames(seconds: float, fps: int) -> int:
    """Pictures of a film, two at least.

    Raises
    ------
    InputError
        If it is too long, or has no length, or the pictures follow one another too fast.
    """
    seconds, fps = checks.number("--seconds", seconds), checks.whole("--fps", fps)
    if not 0.0 < seconds <= LONGEST:
        raise InputError("--seconds", f"must be more than 0 and at most {LONGEST:g}, not {seconds:g}")
    if not 1 <= fps <= FASTEST:
        raise InputError("--fps", f"must be 1 to {FASTEST} pictures a second, not {fps}")
    return max(2, round(seconds * fps))


def check_film(path: Path) -> None:
    """Raise InputError unless a film can be written to `path`."""
    suffix = path.suffix.lower()
    if suffix not in (".mp4", ".gif"):
        raise InputError("-o", f"must end in .mp4 or .gif, not {path.suffix or 'nothing'!r}", str(path))
    if not can_film(suffix):
        raise InputError(
            "-o", "needs ffmpeg, which is not found; install it, or give a name in .gif", str(path)
        )
    if not path.parent.is_dir():
        raise InputError("-o", "there is no such folder to write to", str(path.parent))


@of_run
def animate(
    run: Run,
    path: str | os.PathLike[str],
    *,
    seconds: float = 8.0,
    fps: int = 10,
    tell: Tell | None = None,
    **options: Any,
) -> None:
    """Write a film of a run: the phase plane with its drifting nullclines, the energy and the network.

    Parameters
    ----------
    run : Run
    path : str or path
        Ends in .mp4, which takes ffmpeg, or in .gif. The file is there once it is complete.
    seconds : float
    fps : int
        Pictures a second. They are spread over the phase as `film_moments` says.
    tell : callable, optional
        Called with the number of pictures drawn so far.
    **options
        Of `pcode.plotting.film.Film`: x, y, rest, phase, sample.

    Raises
    ------
    InputError
        If the file cannot be written, the film has no length, or the run has no such plane, phase or sample.
    """
    target = checks.path("path", path)
    if tell is not None:
        checks.function("tell", tell)
    check_film(target)
    count = count_frames(seconds, fps)
    film = Film(run, **options)
    moments = film_moments(film.run, count, film.phase)
    with replacing(target) as temporary:
        write = _write_mp4 if target.suffix.lower() == ".mp4" else _write_gif
        write(film, moments, fps, temporary, tell or (lambda _: None))


def _write_gif(film: Film, moments: list[float], fps: int, path: Path, tell: Tell) -> None:
    """Pictures of one palette, taken from the last one and the one in the middle."""
    samples = []
    for k in (len(moments) // 2, len(moments) - 1):
        film.show(moments[k])
        samples.append(Image.fromarray(film.pixels()))
    both = Image.new("RGB", (samples[0].width, 2 * samples[0].height))
    for k, sample in enumerate(samples):
        both.paste(sample, (0, k * sample.height))
    palette = both.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)

    def pictures() -> Iterator[Image.Image]:
        for k, moment in enumerate(moments):
            if k == 0 or moment != moments[k - 1]:
                film.show(moment)
                picture = Image.fromarray(film.pixels()).quantize(palette=palette, dither=Image.Dither.NONE)
            yield picture
            tell(k + 1)

    frames, durations = pictures(), _durations(len(moments), fps)
    with path.open("wb") as file:
        next(frames).save(file, "GIF", save_all=True, append_images=frames, duration=durations, loop=0)


def _durations(count: int, fps: int) -> list[int]:
    """Milliseconds that each picture stands; the last one longer, so that it can be read."""
    return [round(1000 / fps)] * (count - 1) + [max(1500, round(1000 / fps))]


def _write_mp4(film: Film, moments: list[float], fps: int, path: Path, tell: Tell) -> None:
    writer = FFMpegWriter(
        fps=fps, codec="h264", extra_args=["-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    )
    try:
        with writer.saving(film.figure, str(path), DPI):
            for k, moment in enumerate(moments):
                if k == 0 or moment != moments[k - 1]:
                    film.show(moment)
                writer.grab_frame()
                tell(k + 1)
    except (BrokenPipeError, subprocess.CalledProcessError):
        raise OSError(errno.EIO, "ffmpeg could not write it", str(path)) from None
