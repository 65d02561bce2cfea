"""Whether the app can listen, asked before Gradio is imported: that takes seconds."""

import os
import socket


def check_port(host: str, port: int) -> None:
    """Raises ``OSError`` for a port that is taken, or is none; as Gradio finds out, on this machine's own address."""
    try:
        with socket.socket() as probe:
            if os.name == "posix":  # elsewhere it would let two programs listen
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except (OSError, OverflowError):
        raise cannot_listen(host, port) from None


def cannot_listen(host: str, port: int) -> OSError:
    return OSError(f"cannot listen on {host}:{port}: if another program uses it, choose another --port")
