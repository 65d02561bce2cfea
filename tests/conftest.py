"""The same numbers in every run; and, when the homework's tests have run, their points."""

import pytest
import torch


def pytest_configure(config: pytest.Config) -> None:
    torch.set_num_threads(1)  # tiny models: a second thread costs more than it gives
    config.addinivalue_line("markers", "points(n): what the homework gives for this block")


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.default_generator.manual_seed(0)  # torch.manual_seed spends a millisecond on GPUs


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if marker := item.get_closest_marker("points"):
            item.user_properties.append(("points", marker.args[0]))


def pytest_terminal_summary(terminalreporter) -> None:
    """A block that fails, in its set-up or in its call, gives its points away."""
    reports = [r for outcome in ("passed", "failed", "error") for r in terminalreporter.getreports(outcome)]
    points = {r.nodeid: dict(getattr(r, "user_properties", ())).get("points", 0) for r in reports}
    lost = sum(points[nodeid] for nodeid in {r.nodeid for r in reports if r.failed})
    if possible := sum(points.values()):
        terminalreporter.write_line(f"Homework: {possible - lost} of {possible} points")
