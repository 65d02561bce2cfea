"""Files that are wrong in every block and try to take its points all the same, each block in another way."""

import os

import pytest

from llm_core.homework import checks
from llm_core.homework.apart import Ended
from llm_core.homework.inside.limits import Limits
from llm_core.homework.sandbox import check_file

HEAD = """
import contextlib, ctypes, gc, inspect, os, pickle, signal, sys, time
import torch
from torch import nn
from gtgpt.model import DummyBlock, DummyEmbedding, DummyMultiHeadedSelfAttention, DummyTransformer


def frames():
    frame = sys._getframe()
    while frame:
        yield frame
        frame = frame.f_back


def answer(**message):
    '''Through the very functions that the checker answers with.'''
    for frame in frames():
        if "tell" in frame.f_locals and "job" in frame.f_locals:
            frame.f_locals["tell"](token=frame.f_locals["job"]["token"], **message)


def somebody_elses(name):
    own = globals().get(name)
    found = [x for x in gc.get_objects() if inspect.isclass(x) and x.__name__ == name and x is not own]
    found = [x for x in found if "forward" in vars(x) and "get_attention_mask" not in vars(x)]
    return found[-1]
"""
HEAD += f"\n\nCHECKER = {os.getpid()}\n"

FIRST = (
    HEAD
    + """
class Embedding(DummyEmbedding):
    def forward(self, idx):  # 1. takes the class of this name that is in memory: a stand-in
        return somebody_elses("Embedding").forward(self, idx)


class Agreeable(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        if name in ("allclose", "equal", "isclose", "eq", "__eq__", "all"):
            return True
        return super().__torch_function__(function, types, args, kwargs or {})


class GenericSelfAttention(DummyMultiHeadedSelfAttention):
    def forward(self, x, attention_mask):  # 2. a tensor that is equal to every other
        return (self.c_proj(x) * 0).as_subclass(Agreeable)


class TransformerBlock(DummyBlock):
    def __init__(self, config):
        super().__init__(config, GenericSelfAttention)

    def forward(self, x, attention_mask):  # 3. torch itself says that all is equal
        torch.allclose = torch.equal = lambda *given, **more: True
        torch.isclose = lambda a, *given, **more: torch.ones_like(a).bool()
        torch.Tensor.allclose = torch.Tensor.equal = torch.allclose
        return x + self.mlpf(x)


class GenericTransformer(DummyTransformer):
    def __init__(self, config):
        super().__init__(config, TransformerBlock, Embedding)

    def forward(self, idx, targets=None, hidden_cache=None, return_hidden=False):  # 4. answers in the checker's name
        answer(kind="answer", answer={"tensors": {}, "only": False, "error": None, "status": "passed", "points": 1})
        time.sleep(0.5)
        os._exit(0)


class Loaded:
    def __reduce__(self):
        return os.system, ("touch pickled",)


class Encoder(GenericTransformer):
    def get_attention_mask(self, num_tokens):  # 5. an answer that does something where it is read
        answer(kind="answer", answer={"tensors": {"mask": pickle.dumps(Loaded()).hex()}, "only": 0, "error": None})
        return Loaded()


class Decoder(GenericTransformer):
    def get_attention_mask(self, num_tokens):  # 6. the checker's own memory, pipes and surroundings
        for place in ("mem", "fd/1", "fd/2", "environ", "cwd/llm_core/homework/diagnosis/solution.py"):
            with contextlib.suppress(OSError), open(f"/proc/{CHECKER}/{place}", "r+b") as file:
                raise RuntimeError("reached the checker: " + place)
        raise RuntimeError("nothing reached")


def generate(model, idx, max_new_tokens, temperature=1.0):  # 7. no clock of its own rings any more
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, signal.SIG_IGN)
    time.monotonic = time.perf_counter = lambda: 0.0
    while True:
        time.sleep(1)


class EncoderDecoder(nn.Module):
    def __init__(self, encoder_config, decoder_config):
        super().__init__()
        self.encoder, self.decoder = Encoder(encoder_config), Decoder(decoder_config)

    def forward(self, prefix, targets=None):  # 8. something for the next process to find
        os.makedirs("llm_core/homework", exist_ok=True)
        planted = "import os; open('found', 'w').close(); os._exit(0)"
        for name in ("torch.py", "json.py", "inside.py", "sitecustomize.py", "llm_core/__init__.py"):
            with open(name, "w") as file:
                file.write(planted)
        os.environ["PYTHONPATH"] = os.environ["PYTHONSTARTUP"] = os.getcwd()
        os._exit(0)


def prefix_generate(model, prefix, max_new_tokens, temperature=1.0):  # 9. was it found?
    found = {name: os.path.exists(name) for name in ("found", "pickled")}
    raise RuntimeError(f"found: {found['found']}, pickled: {found['pickled']}")
"""
)

SECOND = (
    HEAD
    + """
class Embedding(DummyEmbedding):
    def forward(self, idx):  # 10. the questions are taken away
        probes = sys.modules["inside.probes"].PROBES
        for block in probes:
            probes[block] = [lambda names, found: None] * 3
        return self.vocab_embeddings(idx)


class GenericSelfAttention(DummyMultiHeadedSelfAttention):
    def forward(self, x, attention_mask):  # 11. what is observed observes nothing
        observations = sys.modules["inside.observations"].Observations
        observations.add = lambda self, name, value, chance=0.0: None
        return x


class TransformerBlock(DummyBlock):
    def __init__(self, config):
        super().__init__(config, GenericSelfAttention)

    def forward(self, x, attention_mask):  # 12. NaN, which equals nothing and differs from nothing
        return x * float("nan")


class GenericTransformer(DummyTransformer):
    def __init__(self, config):
        super().__init__(config, TransformerBlock, Embedding)

    def forward(self, idx, targets=None, hidden_cache=None, return_hidden=False):  # 13. whatever a caller knows
        for frame in frames():
            for name in ("expected", "wanted", "right", "reference", "known"):
                value = frame.f_locals.get(name)
                if value is not None:
                    return value.tensors["hidden states"]
        raise RuntimeError("nobody knows")


class Encoder(GenericTransformer):
    def get_attention_mask(self, num_tokens):  # 14. what a Decoder is told of a right Encoder
        for frame in frames():
            for told in frame.f_locals.values():
                if isinstance(told, dict) and str(num_tokens.tolist()) in told:
                    return told[str(num_tokens.tolist())]
        raise RuntimeError("nobody was told")


class Decoder(GenericTransformer):
    def get_attention_mask(self, num_tokens):  # 15. the checker's file, by a name of its own
        os.symlink(sys.modules["inside"].__path__[0] + "/../diagnosis/solution.py", "mine.py")
        return exec(open("mine.py").read())


def generate(model, idx, max_new_tokens, temperature=1.0):  # 16. the model is told what to say
    type(model).forward = lambda self, idx, *given, **more: (torch.zeros(*idx.shape, 5), None)
    return torch.cat([idx, idx.new_zeros(len(idx), max_new_tokens)], 1)


class EncoderDecoder(nn.Module):
    def __init__(self, encoder_config, decoder_config):
        super().__init__()
        self.encoder, self.decoder = Encoder(encoder_config), Decoder(decoder_config)

    def forward(self, prefix, targets=None):  # 17. losses of one's own
        told = {"losses": [0.0] * 40, "loss": 0.0, "written": [1, 8]}
        sys.modules["inside.answers"].train = lambda *given, **more: told
        return None, None


def prefix_generate(model, prefix, max_new_tokens, temperature=1.0):  # 18. many answers at once
    for _ in range(20):
        answer(kind="answer", answer=True)
    return prefix
"""
)


@pytest.fixture
def verdicts_alone(monkeypatch):
    def explain(*_):
        raise Ended("")

    monkeypatch.setattr(checks, "explain", explain)


@pytest.mark.usefixtures("verdicts_alone")
@pytest.mark.parametrize("text", [FIRST, SECOND], ids=["first", "second"])
def test_no_forgery_gets_a_point(tmp_path, text):
    path = tmp_path / "forged.py"
    path.write_text(text)
    report = check_file(path, Limits(seconds=500, patience=10))
    told = {block.name: block.sentence for block in report.blocks}
    assert report.problem is None and report.points == 0
    assert {block.status for block in report.blocks} == {"failed"}
    if text is FIRST:
        assert "nothing reached" in told["decoder mask"]
        assert "still running after 10 seconds" in told["generate"]
        assert "found: False, pickled: False" in told["prefix generate"]
