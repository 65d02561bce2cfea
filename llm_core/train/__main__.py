"""The command ``python -m llm_core.train``."""

from .command import main

if __name__ == "__main__":
    main()
