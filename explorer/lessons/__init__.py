"""The lessons, in the order in which they build on each other."""

from .course import (
    attention,
    block,
    dropout,
    encoder_decoder,
    heads,
    induction,
    llama,
    loop,
    masks,
    museum,
    not_told,
    reshape,
    training_step,
    transformer,
    vectors,
    writing,
)

MODULES = (
    transformer,
    vectors,
    reshape,
    heads,
    attention,
    masks,
    loop,
    dropout,
    block,
    training_step,
    writing,
    encoder_decoder,
    llama,
    induction,
    not_told,
    museum,
)
LESSONS = {module.LESSON.id: module.LESSON for module in MODULES}
