"""What pcode has to bear: files changed at random, each either read or refused in one line.

``python -m soak`` is the long form, of which the tests have a short one. Each part is a function of a number
of cases and a seed that returns a `Tally`; `PARTS` in `soak.__main__` has them by name.
"""
