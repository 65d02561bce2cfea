"""The command ``python -m llm_core.measure_mistakes``: see ``mistakes/measure.py``."""

from .mistakes.measure import main

if __name__ == "__main__":
    main()
