"""Where the app stands behind a proxy: under which path, and how a request's path reads below it."""

from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send


def root_path(given: str) -> str:
    """``--root-path`` without the last slash. Raises ``ValueError`` for what is neither a path nor a URL."""
    if not given.startswith(("/", "http://", "https://")):
        raise ValueError(f"--root-path {given} is neither a path such as /headscope nor a URL such as https://me.org/x")
    return given.rstrip("/")


class RootPath:
    """Behind a proxy a path may come with the app's prefix or without: from here on, it has it, as ASGI wants it."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if prefix := urlsplit(scope.get("root_path", "")).path.rstrip("/"):
            path = scope["path"]
            has_it = path == prefix or path.startswith(f"{prefix}/")
            scope = {**scope, "root_path": prefix, "path": path if has_it else prefix + path}
        await self.app(scope, receive, send)


def path_of(scope: Scope) -> str:
    """The path below the app's prefix."""
    return scope["path"].removeprefix(scope.get("root_path", "")) or "/"
