"""The lessons, in the order in which they build on each other."""

from .course import (
    attention,
    dropout,
    encoder_decoder,
    heads,
    llama,
    loop,
    museum,
    not_told,
    reshape,
    transformer,
    vectors,
)

MODULES = (transformer, vectors, reshape, heads, attention, loop, dropout, encoder_decoder, llama, not_told, museum)
LESSONS = {module.LESSON.id: module.LESSON for module in MODULES}
