"""The command ``headscope``, or ``python app.py``: parse options, serve.

What is large is imported when the options are read, so that ``--help`` and Ctrl-C are answered at once.
"""

import argparse
import atexit
import os
import signal
import sys
from typing import NoReturn

from llm_core.heap import share_freed_memory

from .classroom import TRAININGS_EACH, Classroom
from .engine.place import BYTES, DEVICES, Place
from .engine.runner import SHIPPED, Runner
from .engine.shelf import Shelf
from .live.runs import AT_ONCE, LIVE

HERE, EVERYWHERE = "127.0.0.1", "0.0.0.0"
NO_CODE = "--classroom takes no code: leave out --allow-code-upload"


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="headscope", description="See inside a real Transformer, in the browser.")
    _add_address(parser)
    parser.add_argument(
        "--model", default=SHIPPED, metavar="NAME", help=f"a shipped model, a folder, or a Hub id (default: {SHIPPED})"
    )
    parser.add_argument(
        "--models",
        type=lambda names: [name.strip() for name in names.split(",") if name.strip()],
        metavar="A,B,C",
        help="models to offer besides the shipped ones: folders, files, or Hub ids (default: the runs in runs/)",
    )
    parser.add_argument(
        "--device", default="auto", choices=DEVICES, help="where models from other libraries run (default: auto)"
    )
    parser.add_argument(
        "--dtype", default="float32", choices=BYTES, help="the number type they compute in (default: float32)"
    )
    parser.add_argument("--share", action="store_true", help="also make a public link, through Gradio's servers")
    parser.add_argument(
        "--allow-code-upload", action="store_true", help="let the page “Check your code” run your homework files"
    )
    parser.add_argument(
        "--train-at-once",
        type=int,
        default=AT_ONCE,
        metavar="N",
        help=f"how many tiny models train at a time, over all pages (default: {AT_ONCE})",
    )
    parser.add_argument(
        "--root-path",
        metavar="PATH",
        help="the path under which a proxy shows the app, such as /headscope, or its whole URL "
        "(default: the variable GRADIO_ROOT_PATH, or none)",
    )
    parser.add_argument(
        "--proxy-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name under which a proxy shows the app, such as me.org (default: that in --root-path, if it is a URL)",
    )
    parser.add_argument(
        "--classroom",
        action="store_true",
        help="for a class on one network: prints an address and a QR code to join, and a link with which the teacher "
        "points everyone at a page; sets limits for each visitor, turns off code upload, and offers only the models "
        "that ship and those of --models",
    )
    parser.add_argument("--dev", action="store_true", help="for work on the browser half: browsers cache nothing")
    args = parser.parse_args(arguments)
    if args.host is None:
        args.host = EVERYWHERE if args.classroom else HERE
    return args


def _add_address(parser: argparse.ArgumentParser) -> None:
    host, port = os.environ.get("GRADIO_SERVER_NAME"), os.environ.get("GRADIO_SERVER_PORT", "7860")
    parser.add_argument(
        "--host",
        default=host,
        help=f"address to listen on; {EVERYWHERE} lets other machines in (default: {host or HERE}; with --classroom "
        f"{host or EVERYWHERE})",
    )
    parser.add_argument("--port", type=int, default=port, help="port to listen on (default: %(default)s)")


def shelf_of(args: argparse.Namespace) -> Shelf:
    """The models that the arguments speak of. ``ValueError`` for one that is not there, or a device."""
    place = Place(args.device, args.dtype)
    place.check()
    listed = args.models or [] if args.classroom else args.models
    return Shelf(Runner(args.model, place=place), listed=listed)


def main() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # while it starts there is nothing to tidy up
    args = parse_arguments()
    share_freed_memory()
    LIVE.at_once = args.train_at_once
    try:
        if LIVE.at_once < 1:
            raise ValueError("--train-at-once must be at least 1")
        serve_with(args)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    finally:
        signal.signal(signal.SIGINT, before)


def serve_with(args: argparse.Namespace) -> None:
    from .port import check_port
    from .proxy import root_path
    from .questions.check import may_take_code
    from .stubs import no_stubs

    if args.allow_code_upload:
        if args.classroom:
            raise ValueError(NO_CODE)
        may_take_code(args.host, args.share)
    prefix = None if args.root_path is None else root_path(args.root_path)
    check_port(args.host, args.port)
    classroom = Classroom() if args.classroom else None
    LIVE.each = TRAININGS_EACH if classroom else None
    shelf = shelf_of(args)
    if not shelf.first.is_shipped:
        shelf.first.run("How to")  # what cannot be loaded is said before anything else is
    with no_stubs():
        from .server import build, serve  # and with it Gradio

    serve(
        build(shelf, args.allow_code_upload),
        shelf,
        args.host,
        args.port,
        args.share,
        prefix=prefix,
        names=args.proxy_host,
        code_upload=args.allow_code_upload,
        dev=args.dev,
        classroom=classroom,
    )
    end()


def end() -> NoReturn:
    """What is registered for the end, and no more: PyTorch aborts if its threads are torn down within a step."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(0)
