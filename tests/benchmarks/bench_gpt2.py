"""A GPT-2 of 124 million parameters, random weights, as a folder that transformers saved: what it costs to look at it.

    python -m tests.benchmarks.bench_gpt2

64 tokens. Ours and the peer take turns, so that a busy moment of the machine meets both; printed are medians, their
ratio, and the bar. From Enter to the views of attention the clock is the page's own, in Chromium, and a plain forward
of transformers runs between two texts, while the app rests. Memory is the most that the app ever had, beyond the
weights in float32.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
from playwright.sync_api import sync_playwright
from tokenizers import ByteLevelBPETokenizer
from transformers import GPT2Config, GPT2LMHeadModel

from llm_core import load_model, load_tokenizer, record
from tests.benchmarks.bench_generation import NEW, PROMPT, contestants
from tests.benchmarks.bench_recording import compare, interleaved
from tests.benchmarks.bench_screen import TEXT_TIMER, WORDS
from tests.ui.browser import FLAGS, chromium_path
from tests.ui.screen import VIEWS, Screen
from tests.ui.serving import App, running_app

T = 64


def saved(folder: Path) -> GPT2LMHeadModel:
    """The model as people have it, weights and tokenizer."""
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(bos_token_id=None, eos_token_id=None)).eval()
    model.save_pretrained(folder)
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator([WORDS] * 3, vocab_size=400)
    tokenizer.save(str(folder / "tokenizer.json"))
    return model


def texts(folder: Path, count: int) -> list[str]:
    """Different ones of T tokens."""
    tokenizer = load_tokenizer(folder)
    found = [tokenizer.decode(tokenizer.encode(f"{i} times {WORDS} " + f"{WORDS} " * 9)[:T]) for i in range(count)]
    if any(len(tokenizer.encode(text)) != T for text in found):
        raise SystemExit(f"a text has not {T} tokens")
    return found


def most_memory(app: App) -> int:
    """Bytes that the app had at most."""
    lines = Path(f"/proc/{app.process.pid}/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def wait_for_text(screen: Screen, text: str) -> float:
    """Milliseconds from Enter to the views of attention."""
    screen.prompt.fill(text)
    screen.page.evaluate(TEXT_TIMER, [*VIEWS, "roles_view"])
    screen.prompt.press("Enter")
    return screen.page.evaluate("globalThis.took")


def measure_screen(folder: Path, theirs: GPT2LMHeadModel, rounds: int) -> None:
    ids = torch.randint(theirs.config.vocab_size, (1, T))
    waits, plain = [], []
    with running_app("--model", str(folder)) as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        screen = Screen(browser.new_page(viewport={"width": 1440, "height": 900}), app.url).open()
        for text in texts(folder, rounds + 2):
            waits.append(wait_for_text(screen, text))
            screen.page.wait_for_timeout(300)  # what is computed ahead in idle moments
            start = time.perf_counter()
            theirs(ids)
            plain.append(1000 * (time.perf_counter() - start))
        used = most_memory(app)
        browser.close()
    took, forward = median(waits[2:]), median(plain[2:])
    print(f"Enter to attention / plain   {took:8.0f} ms /{forward:7.0f} ms = {took / forward:.2f}   (at most 3)")
    weights = 4 * sum(parameter.numel() for parameter in theirs.parameters())
    print(f"memory beyond the weights    {(used - weights) / 1e6:8.0f} MB   (at most 700)")


def measure_core(folder: Path, theirs: GPT2LMHeadModel, rounds: int) -> None:
    ours, ids = load_model(folder), torch.randint(theirs.config.vocab_size, (1, T))

    def recorded() -> None:
        with record(ours):
            ours(ids)

    compare("recorded / plain", "at most 1.2", recorded, lambda: ours(ids), rounds)
    took = interleaved(contestants(ours, theirs, ids[:, :PROMPT], "greedy"), max(2, rounds // 4))
    rates = {name: NEW / seconds for name, seconds in took.items()}
    ratio = rates["ours"] / rates["theirs"]
    print(
        f"generate, tokens/s        {rates['ours']:8.1f}    /{rates['theirs']:7.1f}    = {ratio:.2f}   (at least 1.2)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Time a GPT-2 of 124 M parameters.")
    parser.add_argument("--rounds", type=int, default=12)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, torch.inference_mode():
        theirs = saved(Path(name))
        measure_core(Path(name), theirs, args.rounds)
        measure_screen(Path(name), theirs, args.rounds)


if __name__ == "__main__":
    main()
