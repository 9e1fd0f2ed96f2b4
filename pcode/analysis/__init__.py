"""Questions about a run, one a module; each is a function ``question(run, **options)`` with its result.

`QUESTIONS` names them; `ask` answers one. Nothing of them is imported before it is asked.
"""

from ..run.snapshot import Snapshot
from .registry import QUESTIONS, Question, ask
from .result import Result

__all__ = ["QUESTIONS", "Question", "Result", "Snapshot", "ask"]
