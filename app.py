"""Headscope: open http://127.0.0.1:7860 and see inside a real Transformer. ``python app.py --help`` for options."""

from explorer.command import main

if __name__ == "__main__":
    main()
