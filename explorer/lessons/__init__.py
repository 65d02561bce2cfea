"""The lessons, in the order in which they build on each other."""

from .course import attention, block, dropout, heads, loop, masks, museum, reshape, training_step, writing

MODULES = (reshape, heads, attention, masks, loop, dropout, block, training_step, writing, museum)
LESSONS = {module.LESSON.id: module.LESSON for module in MODULES}
