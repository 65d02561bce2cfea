"""One command makes what follows from the models, and knows what is stale."""

import json

import pytest

from explorer import assets
from explorer.assets import FOLLOWS, main, stale


@pytest.fixture
def made(tmp_path, monkeypatch) -> list[tuple]:
    """Two models that ship, one of a run, and the commands that were executed."""
    monkeypatch.setattr(assets, "ASSETS", tmp_path / "assets")
    monkeypatch.setattr(assets, "MADE", tmp_path / "assets" / "made.json")
    monkeypatch.setattr(assets, "LOSSES", tmp_path / "loss.png")
    for folder in ("assets/models/decoder", "assets/models/encoder", "run/model"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "model.safetensors").write_bytes(folder.encode())
        (tmp_path / folder / "README.md").write_text(folder)
    (tmp_path / "run" / "loss.png").write_bytes(b"a picture")
    (tmp_path / "run" / "run.json").write_text('{"data": ["some.jsonl", "more.jsonl"]}')
    executed = []
    monkeypatch.setattr(assets, "execute", lambda *command: executed.append(command))
    return executed


def run(*arguments: object) -> int | str:
    with pytest.raises(SystemExit) as end:
        main([*map(str, arguments)])
    return end.value.code


def test_what_ships_is_made_with_the_models_that_ship():
    assert stale() == []


def test_all_is_stale_before_it_is_made(made, capsys):
    assert run("--check") == 1
    told = "stale: timeline/decoder, timeline/encoder, lens, examples, first_sight, experiments, lessons"
    assert told in capsys.readouterr().out
    assert made == []
    assert run() == 1  # timelines are made of runs
    assert [module for (module,) in made] == list(FOLLOWS.values())
    assert stale() == ["timeline/decoder", "timeline/encoder", "lens"]


def test_the_model_of_a_run_ships_with_all_that_follows(made, tmp_path):
    run()
    made.clear()
    assert run("--run", f"decoder={tmp_path / 'run'}") == 1
    timeline = ("llm_core.timeline", tmp_path / "run", "--out", tmp_path / "assets" / "timeline", "--name", "decoder")
    lens = ("llm_core.tune_lens", "--data", "some.jsonl")
    assert made == [timeline, lens, *((module,) for module in FOLLOWS.values())]
    assert (tmp_path / "assets/models/decoder/model.safetensors").read_bytes() == b"run/model"
    assert (tmp_path / "assets/models/decoder/README.md").read_text() == "run/model"
    assert (tmp_path / "loss.png").read_bytes() == b"a picture"
    assert stale() == ["timeline/encoder"]
    made.clear()
    assert run("--run", f"encoder={tmp_path / 'run'}") == 0
    assert len(made) == 1 and stale() == []  # what the decoder makes is fresh
    assert set(json.loads(assets.MADE.read_text())) == {"timeline/decoder", "timeline/encoder", "lens", *FOLLOWS}


def test_a_run_without_a_model_is_one_sentence(made, tmp_path):
    (tmp_path / "run" / "model" / "README.md").unlink()
    assert run("--run", f"decoder={tmp_path / 'run'}") == (
        f"error: {tmp_path / 'run'} holds no model with a card: give the folder of a run that has reached its last step"
    )
    assert made == []


def test_what_fails_is_told():
    with pytest.raises(ValueError, match=r"python -m llm_core\.nothing has failed"):
        assets.execute("llm_core.nothing")
