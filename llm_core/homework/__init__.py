"""The homework companion: which blocks of a student's file are right, and what is wrong with the others.

python -m llm_core.homework my_llm_implementation.py
"""
