"""Norm before or after: two small decoders that differ in nothing else, trained on the sample articles, at two rates.

python -m explorer.lessons.training.norms        trains them anew and writes assets/norms.json
"""

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from llm_core.paths import ASSETS

from ..mistakes.effects import ARTICLES

if TYPE_CHECKING:
    from llm_core import ModelConfig
    from llm_core.train.config import TrainConfig

FILE = ASSETS / "norms.json"
ORDERS = {"norm before": False, "norm after": True}  # name -> the config's post_norm
RATES = (0.001, 0.008)
STEPS, EVERY = 240, 40
HELD_OUT = 5  # every which article is not trained on


def sizes(post_norm: bool) -> "ModelConfig":
    """Bytes as tokens: a small vocabulary, so that nearly all weights are in the blocks."""
    from llm_core import ModelConfig

    return ModelConfig(vocab_size=260, block_size=64, n_layer=8, n_head=4, n_embd=32, post_norm=post_norm)


def config(rate: float) -> "TrainConfig":
    from llm_core.train.config import TrainConfig

    return TrainConfig(
        steps=STEPS,
        batch_size=8,
        micro_batch_size=8,
        warmup_steps=STEPS // 12,
        learning_rate=rate,
        eval_every=EVERY,
        eval_batches=8,
        save_every=STEPS,
        log_every=STEPS,
    )


def measure(rate: float, post_norm: bool) -> dict[str, list]:
    """{"steps", "loss"}: held-out loss on the way, in nats per byte."""
    from llm_core.mistakes.measure import train

    with tempfile.TemporaryDirectory() as folder:
        run = train(None, stores(Path(folder)), config(rate), sizes(post_norm))
    return {"steps": run["steps"], "loss": run["loss"]}


def stores(folder: Path) -> list:
    """What is trained on, and what is held out."""
    from llm_core.text.articles import Article
    from llm_core.text.tokenizer import BYTES, load_tokenizer
    from llm_core.train.data import TokenStore

    rows = [json.loads(line) for line in ARTICLES.read_text(encoding="utf-8").splitlines()]
    articles = [Article(row["title"], "", row["text"]) for row in rows]
    parts = {
        "train": [a for i, a in enumerate(articles) if i % HELD_OUT],
        "held-out": articles[::HELD_OUT],
    }
    return [TokenStore.build(part, load_tokenizer(BYTES), folder / name) for name, part in parts.items()]


@cache
def measured() -> dict:
    return json.loads(FILE.read_text(encoding="utf-8"))


def main() -> None:
    runs = {f"{rate:g}": {name: measure(rate, after) for name, after in ORDERS.items()} for rate in RATES}
    FILE.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
    for rate, orders in runs.items():
        print(rate, {name: run["loss"][-1] for name, run in orders.items()})


if __name__ == "__main__":
    main()
