"""What runs in the process that has the student's code: it answers questions with tensors, and knows no right answer.

Nothing here imports from outside this folder, so that the process can do without the rest: neither the solution nor
the comparison is in its memory, nor where it may look.
"""
