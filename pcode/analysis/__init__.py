"""Questions about a run, one a module; each is a function ``question(run, **options)`` with its result.

`QUESTIONS` names them; `ask` answers one, and imports it then. Below them are planes, manifolds, spectra and
settling. It imports `simulation` and what is below, no figure.
"""

from ..run.snapshot import Snapshot
from .registry import QUESTIONS, Question, ask
from .result import Result

__all__ = ["QUESTIONS", "Question", "Result", "Snapshot", "ask"]
