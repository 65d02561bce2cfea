"""Headscope: open http://127.0.0.1:7860 and see inside a real Transformer. ``python app.py --help`` for options."""

import argparse
import sys

from explorer.runner import Runner
from explorer.server import build, launch_options


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python app.py", description="See inside a real Transformer, in the browser.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 lets other machines in")
    parser.add_argument("--port", type=int, default=7860, help="port to listen on (default: 7860)")
    parser.add_argument(
        "--model", default="decoder", metavar="NAME", help="a shipped model, a folder, or a Hub id (default: decoder)"
    )
    parser.add_argument("--share", action="store_true", help="also make a public link, through Gradio's servers")
    return parser.parse_args(arguments)


runner = Runner()
demo = build(runner)


def main() -> None:
    args = parse_arguments()
    runner.model_name = args.model
    runner.warm_up()
    try:
        _, url, shared = demo.launch(
            server_name=args.host,
            server_port=args.port,
            share=args.share,
            prevent_thread_lock=True,
            **launch_options(runner),
        )
    except OSError as error:
        sys.exit(f"error: cannot listen on {args.host}:{args.port}: {error}")
    print(f"Headscope is at {shared or url}  (Ctrl-C ends it)", flush=True)
    demo.block_thread()


if __name__ == "__main__":
    main()
