"""Headscope: open http://127.0.0.1:7860 and see inside a real Transformer. ``python app.py --help`` for options."""

import signal


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the app is up, Ctrl-C ends it without a word
    from explorer.command import main as run

    run()


if __name__ == "__main__":
    main()
