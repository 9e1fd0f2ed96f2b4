"""How fast pcode is, beside what could be put together without it, and at what accuracy.

``python -m benchmarks`` measures and prints a table; ``python -m benchmarks.work_precision`` draws the
figure. Every measurement is a process of its own, so that its memory is its own and a time limit can
end it. Nothing here is part of the package.
"""
