"""What a model writes, for its card: ten texts, or ten filled-in places, unedited."""

import re
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from ..generation.sampling import fill_masks, generate
from ..model.architectures import Encoder, EncoderDecoder
from ..text.tokenizer import Tokenizer

PROMPTS = (
    "How to Fold a Paper Boat",
    "How to Grow Tomatoes on a Balcony",
    "How to Study for a Physics Exam",
    "How to Make Pancakes for a Crowd",
    "How to Clean a Dusty Keyboard",
    "How to Fall Asleep in a Noisy Room",
    "How to Teach a Puppy to Wait Quietly",
    "How to Write a Letter to an Old Friend",
    "How to Fix a Squeaky Bicycle",
    "How to Say Goodbye to a Colleague",
)
MASKED = (
    "Wash your hands with{mask} and water.",
    "Cut the paper in{mask} with scissors.",
    "Let the cake{mask} for an hour.",
    "Turn off the{mask} before you leave the house.",
    "Preheat the{mask} to 350 degrees.",
    "Drink plenty of{mask} every day.",
    "Plant the{mask} in a sunny place.",
    "Ask your{mask} before you take any medicine.",
    "Click on the{mask} to save the file.",
    "Be patient, and do not{mask} up.",
)
MOST = 160  # tokens of a sample; it ends before the window is full, too
SETTINGS = {"temperature": 0.8, "top_p": 0.95}


def samples(model: nn.Module, tokenizer: Tokenizer) -> str:
    """As Markdown. An encoder fills in what is masked; the others write the articles of ten titles, seeds 1 to 10."""
    if isinstance(model, Encoder):
        lines = [_filled(model, tokenizer, text) for text in MASKED]
        return "\n".join(["Unedited: the five likeliest tokens for the masked place; nothing is drawn.", "", *lines])
    settings = ", ".join(f"{name} {value}" for name, value in SETTINGS.items())
    drawn = enumerate(tqdm(PROMPTS, desc="samples", unit="text"), 1)
    texts = {title: (seed, written(model, tokenizer, title, seed)) for seed, title in drawn}
    num_staying = sum(stays_with(title, text) for title, (_, text) in texts.items())
    paragraphs = "\n\n".join(
        f"**{title}** (seed {seed})\n\n```text\n{text}\n```" for title, (seed, text) in texts.items()
    )
    return f"""\
Unedited. Each title with its seed; {settings}, at most {MOST} tokens.

Samples that stay with their title: {num_staying} of {len(texts)}. In them, at least half of the title's words of four
letters or more occur again (a word with the same first four letters counts).

{paragraphs}"""


def stays_with(title: str, text: str) -> bool:
    """True if ``text`` has at least half of the title's words of four letters or more; "folding" counts for "fold"."""
    starts = [word[:4] for word in re.findall(r"\w{4,}", title.lower())]
    found = {word[:4] for word in re.findall(r"\w{4,}", text.lower())}
    return 2 * sum(start in found for start in starts) >= len(starts)


def written(model: nn.Module, tokenizer: Tokenizer, title: str, seed: int) -> str:
    """The article that the model writes under a title."""
    settings: dict[str, Any] = {**SETTINGS, "seed": seed, "stop": tokenizer.end}
    if isinstance(model, EncoderDecoder):
        room = max(1, model.decoder.config.block_size - 1)
        title_ids = [tokenizer.encode(title)]
        ids = generate(model, title_ids, min(MOST, room), decoder_ids=[tokenizer.start], **settings)[0]
    else:
        start = [tokenizer.start, *tokenizer.encode(f"{title}\n")]
        room = max(1, model.config.block_size - len(start))
        ids = generate(model, [start], min(MOST, room), **settings)[0][len(start) :]
    return tokenizer.decode([id for id in ids if not tokenizer.is_special(id)]).strip()


def _filled(model: Encoder, tokenizer: Tokenizer, text: str) -> str:
    before, after = text.split("{mask}")
    ids = torch.tensor([*tokenizer.encode(before), tokenizer.mask, *tokenizer.encode(after)])
    best = fill_masks(model, ids, tokenizer.mask)[0].best_ids[:5]
    return f"- {before} **[mask]**{after} → {', '.join(repr(tokenizer.piece(id)) for id in best.tolist())}"
