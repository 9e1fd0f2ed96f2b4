"""Questions about a run, one a module, each a function ``question(run, **options)`` with its result.

`QUESTIONS` names them; `ask` answers one. Nothing of them is imported before it is asked.
"""

from .registry import QUESTIONS, Question, ask
from .result import Result
from .situation import Situation

__all__ = ["QUESTIONS", "Question", "Result", "Situation", "ask"]
