"""Drawing tokens, and joining encoder and decoder, in stages.

What a pick does not need is not computed: a tensor that the right run makes too is no trace of a deviation.
"""

import torch
from torch import Tensor, nn

from ...inside.standins import Names

_DRAW = (
    "softmax(logits of the last position / temperature) gives the probabilities; draw one token for each row from them."
)
_FEED = "Append each new token to the old ones, and give the model all of them again."
_COUNT = "Draw max_new_tokens tokens; generate returns the text followed by them, prefix_generate only the new ones."

_DRAWING: dict[str, tuple[str, dict]] = {
    "place": (
        _DRAW,
        {
            "first": ("The first position's logits are read.", "first-position"),
            "second last": "You read the second-to-last position (-2); the last one predicts the next token.",
            "mean": "You average the logits of all positions; the next token is predicted at the last one.",
            "sum": "You add up the logits of all positions; the next token is predicted at the last one.",
        },
    ),
    "temperature": (
        _DRAW,
        {
            "multiplied": ("The temperature multiplies.", "temperature-multiplied"),
            "ignored": ("The temperature is not used.", "temperature-ignored"),
            "squared": "You divide by the temperature squared: it is applied twice.",
            "root": "You divide by the root of the temperature.",
            "added": "You add the temperature to the logits, which changes nothing; divide by it.",
            "one more": "You divide by 1 + temperature.",
            "after": "You divide the probabilities by the temperature, not the logits: the draw does not change.",
        },
    ),
    "chances": (
        _DRAW,
        {
            "batch": "Your softmax runs over the batch (dimension 0), not over the vocabulary.",
            "twice": "The softmax runs twice.",
            "negated": "Your logits have the wrong sign (negated): the least likely token is drawn most.",
            "squared": "You square the probabilities.",
            "uniform": "Every token has the same chance: the logits do not count.",
            "linear": "The logits are taken as probabilities without a softmax.",
            "top 2": "You draw from the two likeliest tokens only (top-k).",
            "top 3": "You draw from the three likeliest tokens only (top-k).",
            "sigmoid": "You take a sigmoid of the logits instead of a softmax.",
        },
    ),
    "drawn": (
        _DRAW,
        {
            "argmax": ("The likeliest token is always taken.", "always-argmax"),
            "argmin": "You always take the least likely token.",
            "first row": "Every row gets the token that was drawn for the first row.",
        },
    ),
    "fed": (
        _FEED,
        {
            "prompt": ("New tokens are not fed back.", "not-fed-back"),
            "last": ("Only the last token is given.", "only-last-token-seen"),
            "without last": "The model is given the text without its newest token.",
            "last two": "The model is given the last two tokens only.",
            "front": "The new token is put before the text, not after it.",
            "reversed": "The model is given the text backward.",
        },
    ),
    "count": (
        _COUNT,
        {
            "less": "You draw one token fewer than max_new_tokens.",
            "more": "You draw one token more than max_new_tokens.",
            "one": "Only one token is drawn, whatever max_new_tokens says.",
            "same": "One token is drawn, and repeated.",
        },
    ),
}

SAMPLING: dict[str, tuple[str, dict]] = {
    **_DRAWING,
    "returned": (
        _COUNT,
        {
            "new": "You return the new tokens alone; the prompt belongs before them.",
            "drop": "Each step drops the text's first token: what you return is cut to the length of the prompt.",
            "prompt": "You return the prompt as it came: the new tokens are lost.",
            "last": "You return the last token only.",
        },
    ),
}

_JOIN = "The encoder's hidden states are the decoder's hidden_cache; the decoder's own tokens are the targets."
_MEMORY = {
    "mean": "The encoder's hidden states are averaged over the prefix: the decoder gets only one position.",
    "last": "Only the last of the encoder's hidden states reaches the decoder.",
    "first": "Only the first of the encoder's hidden states reaches the decoder.",
    "cut": "The encoder is not given the prefix's last token.",
    "cut front": "The encoder is not given the prefix's first token.",
    "reversed": "The encoder's hidden states reach the decoder in reversed order.",
    "prefix reversed": "The encoder is given the prefix backward.",
    "zero": "The decoder gets zeros in place of the encoder's hidden states.",
    "none": "Nothing from the encoder reaches the decoder: hidden_cache is missing.",
    "doubled": "The encoder's hidden states are doubled.",
    "pair": "encoder(...) is called without return_hidden=True: it returns (logits, loss), not the hidden states.",
}

PREFIX: dict[str, tuple[str, dict]] = {
    **_DRAWING,
    "memory": (_JOIN, _MEMORY),
    "encoder": (_JOIN, {"every time": ("The encoder runs for every token.", "encoded-every-time")}),
    "returned": (
        _COUNT,
        {
            "prefix too": ("The prefix is returned too.", "prefix-returned"),
            "last": "You return the last token only.",
            "start too": "You start from a token 0 and return it too: one token more than asked for.",
            "start": "You start from a token 0 instead of from no token; it is not returned.",
            "start with prefix": "You start from the prefix's last token instead of from no token.",
            "prefix first too": "Your text starts from the prefix, which is returned too: start from no token, (B, 0).",
            "prefix first": "Your text starts from the prefix instead of from no token, (B, 0).",
            "flat": "Your text starts with shape (0,), and the model takes (B, T): start from no token, (B, 0).",
        },
    ),
}


def generate(names: Names, pick: dict[str, str]) -> None:
    @torch.no_grad()
    def generate(model, idx, max_new_tokens, temperature=1.0):
        text = _written(lambda tokens: model(tokens)[0], idx, max_new_tokens, temperature, pick)
        T = idx.shape[1]
        made = {
            "new": lambda: text[:, T:],
            "drop": lambda: _cropped(model, idx, max_new_tokens, temperature, pick),
            "prompt": lambda: idx,
            "last": lambda: text[:, -1:],
        }
        return made[pick["returned"]]() if "returned" in pick else text

    names.generate = generate


def _cropped(model, idx: Tensor, steps: int, temperature: float, pick: dict[str, str]) -> Tensor:
    torch.manual_seed(1)
    for _ in range(steps):
        idx = torch.cat([idx[:, 1:], _drawn(model(idx)[0], temperature, pick)], dim=1)
    return idx


def _written(ask, tokens: Tensor, steps: int, temperature: float, pick: dict[str, str]) -> Tensor:
    how, prompt = pick.get("fed"), tokens
    counts = {"less": steps - 1, "more": steps + 1, "one": 1, "same": 1}
    for _ in range(counts.get(pick.get("count", ""), steps)):
        seen = {
            "prompt": lambda: prompt,
            "last": lambda: tokens[:, -1:],  # noqa: B023
            "without last": lambda: tokens[:, :-1],  # noqa: B023
            "last two": lambda: tokens[:, -2:],  # noqa: B023
            "reversed": lambda: tokens.flip(1),  # noqa: B023
        }
        logits = ask(seen[how]() if how in seen else tokens)
        new = _drawn(logits, temperature, pick)
        tokens = torch.cat([new, tokens] if how == "front" else [tokens, new], dim=1)
    return torch.cat([tokens, tokens[:, -1:].expand(-1, steps - 1)], dim=1) if pick.get("count") == "same" else tokens


def _drawn(logits: Tensor, temperature: float, pick: dict[str, str]) -> Tensor:
    """(B, T, V) -> (B, 1)"""
    places = {
        "first": lambda: logits[:, 0],
        "second last": lambda: logits[:, -2],
        "mean": lambda: logits.mean(1),
        "sum": lambda: logits.sum(1),
    }
    last = places[pick["place"]]() if "place" in pick else logits[:, -1]
    scaled = {
        "multiplied": lambda: last * temperature,
        "ignored": lambda: last,
        "squared": lambda: last / temperature**2,
        "root": lambda: last / temperature**0.5,
        "added": lambda: last + temperature,
        "one more": lambda: last / (1 + temperature),
        "after": lambda: last,
    }
    last = scaled[pick["temperature"]]() if "temperature" in pick else last / temperature
    chances = _chances(last, pick.get("chances"))
    if pick.get("drawn") in ("argmax", "argmin"):
        return getattr(chances, pick["drawn"])(-1, keepdim=True)
    new = torch.multinomial(chances, 1)
    return new[:1].expand_as(new) if pick.get("drawn") == "first row" else new


def _chances(last: Tensor, how: str | None) -> Tensor:
    made = {
        "batch": lambda: last.softmax(0),
        "twice": lambda: last.softmax(-1).softmax(-1),
        "negated": lambda: (-last).softmax(-1),
        "squared": lambda: last.softmax(-1) ** 2,
        "uniform": lambda: torch.ones_like(last),
        "linear": lambda: last,
        "top 2": lambda: last.where(last >= last.topk(2)[0][:, -1:], torch.tensor(-torch.inf)).softmax(-1),
        "top 3": lambda: last.where(last >= last.topk(3)[0][:, -1:], torch.tensor(-torch.inf)).softmax(-1),
        "sigmoid": last.sigmoid,
    }
    return made[how]() if how else last.softmax(-1)


def prefix_generate(names: Names, pick: dict[str, str]) -> None:
    @torch.no_grad()
    def prefix_generate(model, prefix, max_new_tokens, temperature=1.0):
        memory = _remembered(model.encoder, prefix, pick.get("memory"))
        start = _start(prefix, pick.get("returned"))

        def ask(tokens: Tensor) -> Tensor:
            if pick.get("encoder") == "every time":
                model.encoder(prefix, return_hidden=True)
            return model.decoder(tokens, hidden_cache=memory)[0]

        text = _written(ask, start, max_new_tokens, temperature, pick)
        made = {
            "prefix too": lambda: torch.cat([prefix, text], dim=1),
            "last": lambda: text[:, -1:],
            "start": lambda: text[:, 1:],
            "start with prefix": lambda: text[:, 1:],
            "prefix first": lambda: text[:, prefix.shape[1] :],
        }
        return made[pick["returned"]]() if pick.get("returned") in made else text

    names.prefix_generate = prefix_generate


def _start(prefix: Tensor, how: str | None) -> Tensor:
    if how in ("start too", "start"):
        return torch.zeros_like(prefix[:, :1])
    if how in ("prefix first", "prefix first too"):
        return prefix
    if how == "flat":
        return prefix.new_empty(0)
    return prefix[:, -1:] if how == "start with prefix" else prefix[:, :0]


def _remembered(encoder, prefix: Tensor, how: str | None) -> Tensor | None:
    given = {
        "cut": lambda: prefix[:, :-1],
        "cut front": lambda: prefix[:, 1:],
        "prefix reversed": lambda: prefix.flip(1),
    }
    hidden = encoder(given[how]() if how in given else prefix, return_hidden=how != "pair")  # (B, P, C)
    made = {
        "mean": lambda: hidden.mean(1, keepdim=True),
        "last": lambda: hidden[:, -1:],
        "first": lambda: hidden[:, :1],
        "reversed": lambda: hidden.flip(1),
        "zero": lambda: 0 * hidden,
        "none": lambda: None,
        "doubled": lambda: 2 * hidden,
        "detached": lambda: hidden.detach(),
        "normed": lambda: nn.functional.layer_norm(hidden, hidden.shape[-1:]),
    }
    return made[how]() if how in made else hidden


# --- encoder and decoder -----------------------------------------------------------------------------------------

JOINED: dict[str, tuple[str, dict]] = {
    "vocabulary": (
        "decoder_config.vocab_size + 1: the last token is the end of the text. The encoder's stays as it is.",
        {
            "same": ("There is no token for the end of the text.", "no-end-of-text"),
            "two": "The decoder has two tokens more than its config says: one is right, the end of the text.",
            "both": "The encoder's vocabulary grows too: only the decoder has an end of text.",
            "encoder": "The encoder's vocabulary grows instead of the decoder's.",
            "less": "The decoder's vocabulary is one token smaller than its config says, instead of larger.",
        },
    ),
    "models": (
        "self.encoder is an Encoder, self.decoder a Decoder.",
        {
            "decoder twice": "Your encoder is a Decoder: it cannot see ahead.",
            "encoder twice": "Your decoder is an Encoder: it is not causal, and sees the future.",
            "configs": "The configs are exchanged: the encoder gets decoder_config, the decoder encoder_config.",
            "exchanged": "Encoder and Decoder are exchanged: your encoder is a Decoder, your decoder an Encoder.",
        },
    ),
    "memory": (
        _JOIN,
        {
            **_MEMORY,
            "none": ("The encoder's states are not used.", "encoder-unused"),
            "detached": ("The encoder's states are detached.", "encoder-detached"),
            "normed": "The encoder's hidden states are normed once more.",
        },
    ),
    "tokens": (
        _JOIN,
        {
            "prefix": ("The decoder reads the prefix.", "prefix-decoded"),
            "without last": "The decoder is given the targets without their last token.",
            "without first": "The decoder is given the targets without their first token.",
            "none": "The decoder is given no tokens, even when there are targets.",
            "shifted": "The decoder's tokens are shifted: a token 0 comes first, and the last target is missing.",
            "padding 0": "Padding in the targets becomes the token 0 before the decoder sees it: it needs the -1.",
        },
    ),
    "targets": (
        _JOIN,
        {
            "lost": "The targets do not reach the decoder: there is no loss.",
            "shifted": "The targets are shifted by one before the decoder's loss, which already shifts them.",
            "reversed": "The decoder is given the targets backward.",
        },
    ),
    "order": (_JOIN, {"exchanged": "Prefix and targets are exchanged: the encoder reads the targets."}),
}


def encoder_decoder(names: Names, pick: dict[str, str]) -> None:
    class EncoderDecoder(nn.Module):
        def __init__(self, encoder_config, decoder_config):
            super().__init__()
            how, models = pick.get("vocabulary"), pick.get("models")
            decoder_config.vocab_size += {"same": 0, "two": 2, "less": -1, "encoder": 0}.get(how or "", 1)
            encoder_config.vocab_size += how in ("both", "encoder")
            kinds = names.Encoder, names.Decoder
            first, second = {
                "decoder twice": kinds[1:] * 2,
                "encoder twice": kinds[:1] * 2,
                "exchanged": kinds[::-1],
            }.get(models or "", kinds)
            configs = encoder_config, decoder_config
            one, two = configs[::-1] if models == "configs" else configs
            self.encoder, self.decoder = first(one), second(two)

        def forward(self, prefix, targets=None):
            if pick.get("order") == "exchanged" and targets is not None:
                prefix, targets = targets, prefix
            memory = _remembered(self.encoder, prefix, pick.get("memory"))
            if targets is None:
                return self.decoder(prefix[:, :0], None, memory)
            how, tokens = pick.get("targets"), self._tokens(prefix, targets)
            wanted = {
                "lost": lambda: None,
                "shifted": lambda: targets.roll(-1, 1),
                "reversed": lambda: targets.flip(1),
            }
            return self.decoder(tokens, wanted[how]() if how else targets, memory)

        def _tokens(self, prefix, targets):
            made = {
                "prefix": lambda: prefix,
                "without last": lambda: targets[:, :-1],
                "without first": lambda: targets[:, 1:],
                "none": lambda: targets[:, :0],
                "shifted": lambda: torch.cat([0 * targets[:, :1], targets[:, :-1]], dim=1),
                "padding 0": lambda: targets.clamp(min=0),
            }
            return made[pick["tokens"]]() if "tokens" in pick else targets

    names.EncoderDecoder = EncoderDecoder
