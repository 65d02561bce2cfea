"""What is wrong with a block: our solution with known faults switched on, against what the student's block does.

solution.py      the nine blocks, right or with faults switched on
faults.py        what each fault is called, and what the student is told
grammar/         each block in stages, with what people write in place of what is right: faults that nobody listed
diagnose.py      which faults, or ways of the grammar, agree with a block in everything that the probes see
places.py        one run of a block: where a fault shows first, and in which line
substitution.py  the smallest piece that must be replaced for the rest to come out right
shown.py         numbers as a report has them
patterns.py      a student's attention with trained weights
"""
