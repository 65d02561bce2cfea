"""The command ``python -m llm_core.timeline``."""

from .command import main

if __name__ == "__main__":
    main()
