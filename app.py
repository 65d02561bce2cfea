"""Headscope: open http://127.0.0.1:7860 and see inside a real Transformer. ``python app.py --help`` for options."""

import argparse
import sys

from explorer.engine.place import BYTES, DEVICES, Place
from explorer.engine.runner import SHIPPED, Runner
from explorer.engine.shelf import Shelf
from explorer.live.runs import AT_ONCE, LIVE
from explorer.questions.check import may_take_code
from explorer.server import build, serve


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python app.py", description="See inside a real Transformer, in the browser.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 lets other machines in")
    parser.add_argument("--port", type=int, default=7860, help="port to listen on (default: 7860)")
    parser.add_argument(
        "--model", default=SHIPPED, metavar="NAME", help=f"a shipped model, a folder, or a Hub id (default: {SHIPPED})"
    )
    parser.add_argument(
        "--models",
        type=lambda names: [name.strip() for name in names.split(",") if name.strip()],
        metavar="A,B,C",
        help="what can be chosen beside the shipped models: folders, files or Hub ids (default: the runs of runs/)",
    )
    parser.add_argument(
        "--device", default="auto", choices=DEVICES, help="where models of other libraries compute (default: auto)"
    )
    parser.add_argument(
        "--dtype", default="float32", choices=BYTES, help="the numbers they compute in (default: float32)"
    )
    parser.add_argument("--share", action="store_true", help="also make a public link, through Gradio's servers")
    parser.add_argument(
        "--allow-code-upload", action="store_true", help="let the page “Check your code” run homework files of yours"
    )
    parser.add_argument(
        "--train-at-once",
        type=int,
        default=AT_ONCE,
        metavar="N",
        help=f"tiny models that train at a time, of all pages together (default: {AT_ONCE})",
    )
    parser.add_argument(
        "--root-path",
        metavar="PATH",
        help="the path under which a proxy shows the app, such as /headscope, or its whole URL "
        "(default: the variable GRADIO_ROOT_PATH, or none)",
    )
    parser.add_argument("--dev", action="store_true", help="for work on the browser half: browsers cache nothing")
    return parser.parse_args(arguments)


shelf = Shelf(Runner())
demo = build(shelf)


def shelf_of(args: argparse.Namespace) -> Shelf:
    """The models that the arguments speak of. ``ValueError`` for one that is not there, or a device."""
    place = Place(args.device, args.dtype)
    place.check()
    if args.model == SHIPPED and args.models is None:
        shelf.first.place = place  # for what is opened later
        return shelf
    return Shelf(Runner(args.model, place=place), listed=args.models)


def main() -> None:
    args = parse_arguments()
    LIVE.at_once = args.train_at_once
    try:
        chosen = shelf_of(args)
        if LIVE.at_once < 1:
            raise ValueError("--train-at-once is at least 1")
        if args.allow_code_upload:
            may_take_code(args.host, args.share)
        is_as_built = chosen is shelf and not args.allow_code_upload
        app = demo if is_as_built else build(chosen, args.allow_code_upload)
        options = {"prefix": args.root_path, "code_upload": args.allow_code_upload, "dev": args.dev}
        serve(app, chosen, args.host, args.port, args.share, **options)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
