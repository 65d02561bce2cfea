"""The command ``python -m llm_core.tokenizer``: see ``text/tokenizer.py``."""

from .text.tokenizer import main

if __name__ == "__main__":
    main()
