"""Where the project's own files lie: in a clone beside the packages, in an installation inside this one.

What is trained stays with the clone, or else in the folder in which the command was started.
"""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent  # from where Python finds both packages
IS_CLONE = (ROOT / "assets" / "sample_articles.jsonl").is_file()
ASSETS = ROOT / "assets" if IS_CLONE else PACKAGE / "assets"
MODELS = ASSETS / "models"  # those that ship
RUNS = (ROOT if IS_CLONE else Path.cwd()) / "runs"  # models that were trained here
