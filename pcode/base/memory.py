"""The C library's memory: large arrays that are freed are kept for the next ones.

By default glibc returns the memory of a large array to the system when it is freed, and the next array of its
size is paged in anew, which takes longer than to compute with it.
"""

from __future__ import annotations

import ctypes

# Options of mallopt, see malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3

# Bytes. Larger arrays are mapped, and given back; more free memory than this at the top of the heap, too.
LARGEST_KEPT, KEPT = 32 * 2**20, 256 * 2**20


def keep_freed_memory() -> None:
    """Have the C library keep freed memory, if it is one that can be told so."""
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version") and hasattr(library, "mallopt"):
        library.mallopt(_MMAP_THRESHOLD, LARGEST_KEPT)
        library.mallopt(_TRIM_THRESHOLD, KEPT)


def give_back() -> None:
    """Have the C library give free memory back to the system, if it is one that can be told so."""
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)
