"""Starting and ending the app, and what it says when it cannot start."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from explorer.engine.payload import unpack
from explorer.examples import EXAMPLES, EXPLORED, example_file

from ..screen import Screen
from ..serving import ROOT, App, free_port, running_app

SECONDS = 300


def python(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)


TORCH = """
import threading
print("torch is wanted by", threading.current_thread().name, flush=True)
raise ImportError("torch was taken away")
"""


@pytest.fixture(scope="module")
def app_without_torch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app on a machine on which ``import torch`` fails, after it has said who wanted that."""
    folder = tmp_path_factory.mktemp("taken")
    (folder / "torch.py").write_text(TORCH)
    with running_app(env={"PYTHONPATH": str(folder)}) as app:
        yield app


def example_tokens(screen: Screen, index: int) -> list[str]:
    header, _ = unpack(example_file(index).read_bytes())
    return screen.labels([token["text"] for token in header["tokens"]])


def test_building_the_app_does_not_import_torch(app_without_torch: App):
    assert "torch is wanted" not in app_without_torch.printed
    assert httpx.get(app_without_torch.url).status_code == 200
    end = time.monotonic() + 60
    while "torch is wanted by warm-up" not in app_without_torch.printed:  # while the page is up already
        assert time.monotonic() < end, app_without_torch.printed
        time.sleep(0.1)
    assert "torch is wanted by MainThread" not in app_without_torch.printed


def test_without_torch_the_examples_are_shown_and_running_is_answered_in_a_sentence(
    page, problems, app_without_torch: App
):
    problems.expect("422")  # the panel of the pipeline asks for its tensors
    screen = Screen(page, app_without_torch.url).open()
    page.click('[data-view="tabs_view"] [data-name="pipeline"]')
    page.wait_for_selector('[data-view="pipeline_view"][data-error^="The model cannot run here (torch was taken"]')
    assert screen.tokens() == example_tokens(screen, 0)
    assert screen.prompt.input_value() == EXAMPLES[EXPLORED]
    screen.choose_example(4)
    assert screen.tokens() == example_tokens(screen, 4)

    seq = screen.seq()
    page.click("#run")
    assert screen.problem().startswith("The model cannot run here (torch was taken away)")
    assert not screen.is_busy()
    page.click('a[data-page="generate"]')
    page.click("#write")
    assert screen.problem("generate_view").startswith("The model cannot run here (torch was taken away)")
    assert (screen.seq(), screen.tokens()) == (seq, example_tokens(screen, 4))
    assert "Traceback" not in app_without_torch.printed

    problems.expect("net::ERR")  # from here on, there is no server
    app_without_torch.kill()
    page.click("#run")
    page.wait_for_selector('[data-view="prompt_view"][data-error^="The server does not answer"]')
    page.wait_for_selector(".hs-busy", state="hidden")
    assert (screen.seq(), screen.tokens()) == (seq, example_tokens(screen, 4))


def test_ctrl_c_ends_the_app_cleanly():
    with running_app() as app:
        assert app.interrupt() == 0
        assert "Traceback" not in app.printed
        assert f"Headscope is at {app.url}" in app.printed


def test_an_end_while_models_train_and_texts_run_leaves_nothing(tmp_path):
    with running_app(env={"TMPDIR": str(tmp_path)}) as app:
        for page in ("page-one", "page-two"):
            choices = {"page": page, "choices": {"n_layer": 2}}
            httpx.post(f"{app.url}ask/live_start", json=choices, timeout=60).raise_for_status()
        body = {"text": "How to", "written": [], "count": 200, "seed": 1}
        with httpx.stream("POST", f"{app.url}ask/write", json=body, timeout=60) as stream:
            assert stream.status_code == 200
            assert app.interrupt(signal.SIGTERM) == 0
        assert not list(tmp_path.glob("headscope-live-*"))
        assert "Traceback" not in app.printed and "terminate" not in app.printed


@pytest.mark.parametrize("seconds", [0.6, 1.5])
def test_ctrl_c_during_the_start_is_silent(tmp_path, seconds):
    app = App(tmp_path / "app.log")
    time.sleep(seconds)
    app.interrupt()
    assert "Traceback" not in app.printed


def test_a_port_that_is_taken_is_one_sentence(app: App):
    done = python("app.py", "--port", str(app.port))
    said = f"error: cannot listen on 127.0.0.1:{app.port}: if another program uses it, choose another --port\n"
    assert (done.stderr, done.returncode) == (said, 1)


def test_a_model_that_is_not_there_is_one_sentence():
    done = python("app.py", "--model", "nonsense", "--port", str(free_port()))
    assert done.stderr.startswith("error: no model 'nonsense': give a folder, a Hub id (owner/name), or a shipped name")
    assert done.stderr.count("\n") == 1 and done.returncode == 1


def test_help_documents_every_option():
    done = python("app.py", "--help")
    assert done.returncode == 0
    for option in ("--host", "--port", "--model", "--share", "--train-at-once"):
        assert option in done.stdout


def test_the_result_of_an_unknown_key_is_a_sentence(page, app: App):
    answer = page.request.get(app.url + "payload/nothing")
    assert (answer.status, answer.text()) == (404, "This result is no longer kept: press Run again.")
