"""What is wrong with a block: our solution with known faults switched on, against what the student's block does.

solution.py  the nine blocks, right or with faults switched on
faults.py    what each fault is called, and what the student is told
watching.py  every operation of code that runs, with its line
probes.py    the same questions to a student's block, the right one and each fault
walks.py     one run of a block: where a fault shows first
diagnose.py  which faults agree with a block in everything that the probes see
shown.py     numbers as a report has them
patterns.py  a student's attention with trained weights
"""
