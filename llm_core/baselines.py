"""The command ``python -m llm_core.baselines``: see ``train/baselines.py``."""

from .train.baselines import main

if __name__ == "__main__":
    main()
