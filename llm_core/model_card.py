"""The command ``python -m llm_core.model_card``: see ``train/model_card.py``."""

from .train.model_card import main

if __name__ == "__main__":
    main()
