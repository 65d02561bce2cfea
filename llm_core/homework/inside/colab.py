"""What a notebook finds in Colab and nowhere else: ``google.colab``, ``get_ipython``. Here they do nothing."""

import sys
from types import ModuleType


class Nothing(ModuleType):
    """Any attribute, any call: nothing happens."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing(name)

    def __call__(self, *args: object, **kwargs: object) -> None:
        return None


def get_ipython() -> Nothing:
    return Nothing("ipython")


def pretend() -> None:
    """From here on notebooks can import what Colab has."""
    for name in ("google.colab", "google.colab.files", "google.colab.drive", "google.colab.userdata"):
        sys.modules.setdefault(name, Nothing(name))
    google = sys.modules.setdefault("google", ModuleType("google"))
    vars(google)["colab"] = sys.modules["google.colab"]
    for name in ("IPython", "IPython.display"):
        sys.modules.setdefault(name, Nothing(name))
