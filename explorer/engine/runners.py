"""A runner for each model that is asked for: many users, each of whom may look at another one.

A question names its model, so that no choice of one user is another's. Models are kept, the least recently used
dropped first; one whose file has changed is loaded anew, and one that was deleted is no longer there.
"""

import threading
from collections import OrderedDict

from .models import Models, version_of
from .runner import Runner

KEPT = 4  # beside the first
LONGEST = 200  # characters of a name


class Runners:
    """Runners by the name of their model; the ``first`` is what the app was started with."""

    def __init__(self, first: Runner, models: Models | None = None):
        self.first, self.models = first, models or Models(first)
        self._others, self._lock = OrderedDict(), threading.Lock()

    def get(self, name: str | None = "") -> Runner:
        """The runner of the model of that name, of ``models.choices()``; without a name, the first.

        Raises ``ValueError`` with one sentence for a name that is unknown.
        """
        if not name or name == str(self.first.model_name):
            return self.first
        name = str(name)[:LONGEST]
        folder = self.models.folder(name)
        version = version_of(folder)
        with self._lock:
            if (name, version) not in self._others:
                self._others[name, version] = Runner(name, folder, version, self.first.kept)
            self._others.move_to_end((name, version))
            while len(self._others) > KEPT:
                self._others.popitem(last=False)
            return self._others[name, version]
