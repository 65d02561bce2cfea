"""The lessons, in the order in which they build on each other."""

from .course import attention, dropout, heads, loop, masks, museum, reshape

MODULES = (reshape, heads, attention, masks, loop, dropout, museum)
LESSONS = {module.LESSON.id: module.LESSON for module in MODULES}
