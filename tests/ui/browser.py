"""A Chromium for the browser tests: one that is on the system, or else one that is installed now.

The variable HEADSCOPE_CHROMIUM names a certain one. A machine on which none can be had fails the tests, with one
sentence that says what was tried.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import sync_playwright

LIGHT = ("chromium-headless-shell", "chrome-headless-shell")  # without a window: a page costs them half the time
NAMES = (*LIGHT, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
PLACES = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "~/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "%ProgramFiles%/Google/Chrome/Application/chrome.exe",
    "%ProgramFiles(x86)%/Google/Chrome/Application/chrome.exe",
    "%LocalAppData%/Google/Chrome/Application/chrome.exe",
    "%ProgramFiles(x86)%/Microsoft/Edge/Application/msedge.exe",
)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
INSTALL_SECONDS = 1200


def chromium_path() -> str:
    """The executable of a Chromium that starts. Raises ``RuntimeError`` if there is none and none can be installed."""
    if named := os.environ.get("HEADSCOPE_CHROMIUM"):
        if not starts(named):
            raise RuntimeError(f"HEADSCOPE_CHROMIUM={named} does not start: give the path of a Chromium or Chrome")
        return named
    if found := find():
        return found
    problems = []
    for command in ways_to_install():
        problems.append(tried(command))
        if found := find():
            return found
    raise RuntimeError(
        "the browser tests need Chromium or Chrome: install one, or set HEADSCOPE_CHROMIUM to its path; "
        f"installing it here did not work ({'; '.join(problems)})"
    )


def find() -> str | None:
    return next(filter(starts, candidates()), None)


def candidates() -> Iterator[str]:
    yield from filter(None, map(shutil.which, NAMES))
    for place in PLACES:
        yield os.path.expandvars(os.path.expanduser(place))
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    yield own


def starts(path: str) -> bool:
    """Whether ``path`` is a browser, and not the stub that some systems put there, or one that lacks a library."""
    if not Path(path).is_file():
        return False
    if sys.platform == "win32":
        return True  # there, --version opens a window
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def ways_to_install() -> Iterator[list[str]]:
    """Commands to try in turn."""
    is_root = sys.platform.startswith("linux") and os.geteuid() == 0
    own = [sys.executable, "-m", "playwright", "install"]
    yield [*own, *(["--with-deps"] if is_root else []), "chromium"]
    if is_root and shutil.which("apt-get"):
        yield ["sh", "-c", f"apt-get update && apt-get install -y {LIGHT[0]}"]


def tried(command: list[str]) -> str:
    """Run ``command`` and say in a line how it ended."""
    name = " ".join(command[1:])
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=INSTALL_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{name}: {type(error).__name__}"
    lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
    return f"{name}: exit status {done.returncode}, {lines[-1]}"
