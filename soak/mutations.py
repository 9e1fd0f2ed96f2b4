"""Changes at random: of values in a document, of texts, and of bytes."""

from __future__ import annotations

import copy
import datetime
import random
from typing import Any

WORDS = (
    "", " ", "a" * 5000, "\u00e9\u4e2d\U0001f600", "\u202eabc", "a\u0000b", "\u001b[31mred", "e\u0301", "nan",
    "../../../etc/passwd", "/dev/zero", "/dev/stdin", "/proc/self/mem", ".", "x.npz", "x.csv", "os:system",
    "sin(2*pi*t)", "1/0", "t**t**t**9", "(" * 500, "9" * 400, "1e999 ms", "10 ms", "input", "both", "tanh",
    "auto", "$\\frac{$", "[/]", "%s%n", "equilibrium", "M0", "energy", "DOP853", "__import__('os')", "\t",
    "a\nb",
)  # fmt: skip

NUMBERS = (
    0, 1, -1, 2, 3, 7, 10**6, 10**9, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63), 10**20, 10**399,
    0.0, -0.0, 0.5, -0.5, 1e-320, 1e-300, 1e-17, 1e17, 1e154, 1e300, 1.7e308, float("inf"), float("-inf"),
    float("nan"), True, False,
)  # fmt: skip

KEYS = (
    "name", "data", "clamp", "tau", "sizes", "file", "seed", "mask", "density", "what", "t", "values",
    "options", "samples", "", "a.b", "\u00e9", "x" * 3000, "0", "1", "99", "-1", "time_unit", "presentation",
    "hold",
)  # fmt: skip


def value(rng: random.Random, depth: int = 0) -> Any:
    """Some value that a key may, or may not, have."""
    kind = rng.randrange(9 if depth < 3 else 5)
    if kind < 2:
        return rng.choice(NUMBERS)
    if kind < 4:
        return rng.choice(WORDS)
    if kind == 4:
        return rng.choice((datetime.date(2020, 2, 29), datetime.time(1, 2), datetime.datetime(1, 1, 1)))
    if kind == 5:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind == 6:
        return {rng.choice(KEYS): value(rng, depth + 1) for _ in range(rng.randrange(3))}
    if kind == 7:
        nested: Any = rng.choice(NUMBERS)
        for _ in range(rng.choice((1, 2, 3, 20, 40, 150))):
            nested = [nested]
        return nested
    return [rng.choice(NUMBERS)] * rng.choice((1, 2, 5, 1000))


def document(rng: random.Random, given: dict[str, Any], changes: int) -> dict[str, Any]:
    """A document in which some values are others, are gone, or have other names."""
    made = copy.deepcopy(given)
    for _ in range(changes):
        node: Any = made
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = rng.choice(keys)
            deeper = isinstance(node[key], dict | list) and len(node[key]) and rng.random() < 0.75
            if not deeper:
                _change(rng, node, key)
                break
            node = node[key]
    return made


def _change(rng: random.Random, node: Any, key: Any) -> None:
    kind = rng.randrange(7)
    if kind == 0:
        del node[key]
    elif kind == 1 and isinstance(node, dict):
        node[rng.choice(KEYS)] = node.pop(key)
    elif kind == 2 and isinstance(node, dict):
        node[rng.choice(KEYS)] = value(rng)
    elif kind == 3 and isinstance(node, list):
        node[key:key] = [copy.deepcopy(node[key])] * rng.choice((1, 2, 50))
    elif kind == 4 and isinstance(node[key], int | float) and not isinstance(node[key], bool):
        node[key] = rng.choice(
            (
                -node[key],
                node[key] * 10**9,
                str(node[key]),
                [node[key]],
                node[key] / 2 if abs(node[key]) < 1e300 else 0,
            )
        )
    else:
        node[key] = value(rng)


def damaged(rng: random.Random, given: bytes) -> bytes:
    """Bytes of which some are others, are gone, or are there twice."""
    made = bytearray(given)
    for _ in range(rng.choice((1, 1, 1, 2, 5, 30))):
        at = rng.randrange(len(made) + 1)
        kind = rng.randrange(7)
        if kind <= 2 and at < len(made):
            made[at] ^= 1 << rng.randrange(8)
        elif kind == 3 and at < len(made):
            made[at] = rng.randrange(256)
        elif kind == 4:
            del made[at : at + rng.choice((1, 4, 100, 5000))]
        elif kind == 5:
            made[at:at] = rng.choice(
                (b"\x00", b"\xff" * 8, made[at : at + 64], "\u202e".encode(), b'"""', b"\r")
            )
        else:
            size = rng.choice((1, 8, 64, 512))
            made[at : at + size] = bytes([rng.choice((0, 255))]) * size
    return bytes(made[: rng.randrange(len(made) + 1)]) if rng.random() < 0.1 else bytes(made)
