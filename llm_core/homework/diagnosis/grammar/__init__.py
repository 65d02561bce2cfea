"""A grammar of operations: each block as stages, and for each stage what people write instead of what is right.

A *pick* is one deviation, "scale=√T". Any set of picks gives a block, so that combinations that nobody listed can be
compared with a student's, and told in the words of their parts. Known mistakes (``faults.py``) are the shortest names
for some of them.
"""

from .ways import Way, ways_of, with_picks

__all__ = ["Way", "ways_of", "with_picks"]
