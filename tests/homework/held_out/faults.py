"""Faults in other people's files, written before the diagnosis was looked at again. See README.md beside this file."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

STYLES = ("compact", "verbose", "einsum", "fused", "sdpa", "objects", "course", "numpylike")


@dataclass(frozen=True)
class Fault:
    """``words``: what a true explanation matches. ``trains``: it leaves the pipeline as it is."""

    style: str
    name: str
    block: str
    truth: str
    words: str
    edits: tuple[tuple[str, ...], ...]
    trains: bool = False

    @property
    def lost(self) -> frozenset[str]:
        return frozenset({self.block} if self.trains else {self.block, "pipeline"})

    def explained_by(self, text: str) -> bool:
        return re.search(self.words, text, re.IGNORECASE | re.DOTALL) is not None


@dataclass(frozen=True)
class File:
    """A faulty file: its text, its faults, and the lines that the edits touched (numbered from 1), by fault."""

    name: str
    text: str
    faults: tuple[Fault, ...]
    lines: dict[str, set[int]]

    @property
    def lost(self) -> frozenset[str]:
        return frozenset().union(*(fault.lost for fault in self.faults))


@cache
def right(style: str) -> str:
    return Path(__file__).with_name("styles").joinpath(f"{style}.py.txt").read_text(encoding="utf-8")


def faulty(*faults: Fault) -> File:
    """The style's right file with these faults in it."""
    text, marks = right(faults[0].style), []
    for fault in faults:
        for old, new, *nth in fault.edits:
            at = _find(text, old, int(nth[0]) if nth else None)
            text = text[:at] + new + text[at + len(old) :]
            shift = len(new) - len(old)
            marks = [(f, a + shift * (a > at), b + shift * (b > at)) for f, a, b in marks]
            marks.append((fault.name, *_changed(old, new, at)))
    lines: dict[str, set[int]] = {fault.name: set() for fault in faults}
    for name, start, end in marks:
        lines[name] |= set(range(text.count("\n", 0, start) + 1, text.count("\n", 0, end) + 2))
    return File(f"{faults[0].style}: {' + '.join(fault.name for fault in faults)}", text, faults, lines)


def _find(text: str, old: str, nth: int | None) -> int:
    places = [match.start() for match in re.finditer(re.escape(old), text)]
    assert len(places) > (nth or 0), f"not there: {old!r}"
    assert nth is not None or len(places) == 1, f"there more than once: {old!r}"
    return places[nth or 0]


def _changed(old: str, new: str, at: int) -> tuple[int, int]:
    """Where the new text differs, without what both have in front and behind."""
    front = next((i for i, (a, b) in enumerate(zip(old, new)) if a != b), min(len(old), len(new)))
    behind = next((i for i, (a, b) in enumerate(zip(old[::-1], new[::-1])) if a != b), min(len(old), len(new)))
    return at + front, max(at + front, at + len(new) - behind)


SAMPLING = ("generate", "prefix generate")  # training uses neither


def _style(style: str, *rows) -> list[Fault]:
    return [
        Fault(style, name, block, truth, words, tuple(edits), trains[0] if trains else block in SAMPLING)
        for name, block, truth, words, edits, *trains in rows
    ]


SINGLES: list[Fault] = [
    *_style(
        "compact",
        (
            "positions-reversed",
            "embedding",
            "positions run from T-1 down to 0",
            r"revers|backward|from the end|T ?[-−] ?1",
            [("torch.arange(idx.shape[1])", "torch.arange(idx.shape[1]).flip(0)")],
        ),
        (
            "scale-by-tokens",
            "attention",
            "scores are divided by the root of the number of tokens",
            r"(√|sqrt|root).{0,30}(T\b|tokens)|sequence's length",
            [("/ D**.5", "/ T**.5")],
        ),
        (
            "weights-transposed",
            "attention",
            "the weights are transposed before they meet the values",
            r"transpos|(queries|rows) and (keys|columns).*(swap|exchang)",
            [("self.attn_dropout(a) @ v", "self.attn_dropout(a).mT @ v")],
        ),
        (
            "attention-not-added",
            "block",
            "what attention made replaces the stream, is not added to it",
            r"(attention|attn|first).*(residual|not added|added to)",
            [("x = x + self.attn", "x = self.attn")],
        ),
        (
            "blocks-reversed",
            "transformer",
            "the last block runs first",
            r"(block|layer)s?.*(revers|order|last.*first)|revers.*(block|layer)",
            [('for b in self.transformer["h"]: x', 'for b in reversed(self.transformer["h"]): x')],
        ),
        (
            "shortest-for-all",
            "encoder mask",
            "every sequence has the length of the shortest",
            r"short|min|fewest",
            [("torch.arange(T) < n[:, None]", "torch.arange(T) < n.min() + 0 * n[:, None]", "0")],
        ),
        (
            "window",
            "decoder mask",
            "a row sees only itself and two before it",
            r"window|(itself|last|only|most).*(two|three|2|3)",
            [(".tril()", ".tril().triu(-2)")],
        ),
        (
            "second-last",
            "generate",
            "draws from the logits of the place before the last",
            r"second.*last|-2|−2|before the last",
            [("model(idx)[0][:, -1]", "model(idx)[0][:, -2]")],
        ),
        (
            "prefix-averaged",
            "prefix generate",
            "the hidden states are averaged over the prefix",
            r"mean|averag",
            [
                (
                    "h = model.encoder(prefix, return_hidden=True)",
                    "h = model.encoder(prefix, return_hidden=True).mean(1, True)",
                )
            ],
        ),
    ),
    *_style(
        "verbose",
        (
            "embeddings-multiplied",
            "embedding",
            "token and position are multiplied, not added",
            r"multipl|product|times",
            [("token_vectors + position_vectors", "token_vectors * position_vectors")],
        ),
        (
            "fourth-root",
            "attention",
            "scores are divided by the fourth root of D",
            r"(scal|divi|multipl).*(\d|root|√)",
            [("math.sqrt(head_size)", "head_size ** 0.25")],
        ),
        (
            "values-not-projected",
            "attention",
            "the values are x itself, self.v is not used",
            r"(value|\bv\b).*(\bx\b|input|projected)|self\.v",
            [("values = self.v(x)", "values = x")],
        ),
        (
            "input-added",
            "attention",
            "x is added to attention's output",
            r"(\bx\b|input|residual).*add|add.*(\bx\b|input|residual)",
            [("output = self.hidden_dropout(output)", "output = self.hidden_dropout(output) + x")],
        ),
        (
            "norms-swapped",
            "block",
            "ln_1 and ln_2 are exchanged",
            r"ln_1.*ln_2|ln_2.*ln_1|norms.*(swap|exchang)",
            [("self.ln_1(x)", "self.ln_2(x)"), ("self.ln_2(after_attention)", "self.ln_1(after_attention)")],
            True,  # two norms that start equal and are trained in each other's place
        ),
        (
            "last-block-left-out",
            "transformer",
            "the last block does not run",
            r"last (block|layer)|(block|layer)s?.*(not run|skip|left out|miss)",
            [('in self.transformer["h"]:', 'in self.transformer["h"][:-1]:')],
        ),
        (
            "past-or-real",
            "decoder mask",
            "visible is what is past or real, instead of both",
            r"\bor\b|union|either",
            [("min(query + 1, length)", "max(query + 1, length)")],
        ),
        (
            "one-token-short",
            "generate",
            "writes one token less than asked for",
            r"few|less|short|instead of",
            [("range(max_new_tokens)", "range(max_new_tokens - 1)", "0")],
        ),
        (
            "temperature-squared",
            "prefix generate",
            "divides by the temperature's square",
            r"temperature.*(squar|twice|²|\*\* ?2)|squar",
            [("last_logits / temperature", "last_logits / temperature**2", "1")],
        ),
    ),
    *_style(
        "einsum",
        (
            "last-positions",
            "embedding",
            "takes the table's last rows instead of its first",
            r"position.*(last|end|from)|last.*(rows|positions)",
            [("weight[:t]", "weight[-t:]")],
        ),
        (
            "softmax-over-batch",
            "attention",
            "the softmax runs over the batch",
            r"batch|(dim|axis|dimension) 0|over the sequences",
            [("sim.softmax(dim=-1)", "sim.softmax(dim=0)")],
        ),
        (
            "no-biases",
            "attention",
            "queries, keys and values are without their biases",
            r"bias",
            [(" + layer.bias.view(1, self.n_head, 1, -1)", "")],
        ),
        (
            "sigmoid",
            "attention",
            "a sigmoid instead of the softmax",
            r"sigmoid",
            [("sim.softmax(dim=-1)", "sim.sigmoid()")],
        ),
        (
            "residual-from-input",
            "block",
            "the MLP's result is added to the block's input, attention's result is lost",
            r"(attention|attn|first).*(lost|left out|not added|missing)|came in|block's input|adds? .*\bx\b",
            [("self.mlpf(self.ln_2(a)) + a", "self.mlpf(self.ln_2(a)) + x")],
        ),
        (
            "mean-over-padding-too",
            "transformer",
            "the summed loss is divided by all targets, padding too",
            r"padding|divided by (all|every)",
            [
                (
                    "targets.long(), ignore_index=-1)",
                    'targets.long(), ignore_index=-1, reduction="sum") / targets.numel()',
                )
            ],
        ),
        (
            "one-column-short",
            "encoder mask",
            "the last real token of each sequence is hidden",
            r"last (real )?(token|column)|one (column|token) (too few|less)|n ?[-−] ?1",
            [("< num_tokens[:, None])", "< num_tokens[:, None] - 1)", "0")],
        ),
        (
            "softmax-over-rows",
            "generate",
            "the softmax runs over the batch",
            r"batch|(dim|axis|dimension) 0|over the sequences|over the rows",
            [("temperature, dim=-1)", "temperature, dim=0)", "0")],
        ),
        (
            "decoder-is-encoder",
            "encoder-decoder",
            "the decoder is an Encoder, and sees the future",
            r"\bEncoder\b.*(instead|decoder|place)|causal|future",
            [("self.decoder = Decoder(", "self.decoder = Encoder(")],
        ),
    ),
    *_style(
        "fused",
        (
            "tokens-scaled",
            "embedding",
            "the token's vector is multiplied by the root of C",
            r"(token|vocab).*(scal|multipl|times|√|root|\d)",
            [("self.vocab_embeddings.weight)", "self.vocab_embeddings.weight) * math.sqrt(self.n_embd)")],
        ),
        (
            "queries-values-swapped",
            "attention",
            "queries and values are exchanged",
            r"(\bq\b|quer).*(\bv\b|value)|(\bv\b|value).*(\bq\b|quer)",
            [("q, k, v = qkv.split", "v, k, q = qkv.split")],
        ),
        (
            "dropout-in-eval",
            "attention",
            "the weights' dropout is on in eval mode too",
            r"eval|not training|always|training=",
            [("p=self.attn_dropout.p, training=self.training", "p=self.attn_dropout.p")],
            True,
        ),
        (
            "scale-multiplied",
            "attention",
            "scores are multiplied by the root of D instead of divided",
            r"multipl.*(√|sqrt|root|D|\d)",
            [("alpha=1.0 / math.sqrt(hs)", "alpha=math.sqrt(hs)")],
        ),
        (
            "half-mlp",
            "block",
            "only half of the MLP's result is added",
            r"half|0\.5",
            [("self.mlpf(self.ln_2(x)))", "self.mlpf(self.ln_2(x)), alpha=0.5)")],
        ),
        (
            "cache-normed-again",
            "transformer",
            "the cache goes through ln_f before it is put in front",
            r"(cache|hidden).*(norm|ln_f)|(norm|ln_f).*(cache|hidden)",
            [("(hidden_cache, x)", "(self.transformer.ln_f(hidden_cache), x)")],
        ),
        (
            "two-ahead",
            "decoder mask",
            "a row sees two tokens ahead",
            r"\b(two|2)\b",
            [
                (
                    "torch.arange(T).unsqueeze(1))\n        return torch",
                    "torch.arange(T).unsqueeze(1) + 2)\n        return torch",
                )
            ],
        ),
        (
            "logits-averaged",
            "generate",
            "draws from the mean of all places' logits",
            r"mean|averag",
            [("logits[:, i - 1].div", "logits.mean(dim=1).div")],
        ),
        (
            "first-row-for-all",
            "prefix generate",
            "every row gets the token drawn for the first",
            r"first (row|sequence|prefix)|same token|row 0",
            [("torch.multinomial(probs, 1).squeeze(1)", "torch.multinomial(probs, 1)[0]", "1")],
        ),
    ),
    *_style(
        "sdpa",
        (
            "embedding-detached",
            "embedding",
            "no gradient reaches the token table",
            r"gradient|detach|backward",
            [("self.vocab_embeddings(idx)", "self.vocab_embeddings(idx).detach()")],
        ),
        (
            "scale-by-heads",
            "attention",
            "scores are divided by the root of the number of heads",
            r"(scal|divi|multipl).*(\d|head|H\b)",
            [("dropout_p=rate)", "dropout_p=rate, scale=self.n_head**-0.5)")],
        ),
        (
            "mask-transposed",
            "attention",
            "the mask is transposed",
            r"transpos|rows and columns",
            [("attention_mask.bool()", "attention_mask.transpose(-2, -1).bool()")],
        ),
        (
            "heads-interleaved",
            "attention",
            "the heads' numbers are interleaved when they are merged",
            r"interleav|\(B, T, D, H\)|D, H",
            [("y.transpose(1, 2).flatten(2)", "y.permute(0, 2, 3, 1).flatten(2)")],
        ),
        (
            "no-second-norm",
            "block",
            "the MLP reads the stream without ln_2",
            r"ln_2|(without|no) (a |the )?(second )?norm",
            [("self.mlpf(self.ln_2(h))", "self.mlpf(h)")],
        ),
        (
            "zero-is-padding",
            "transformer",
            "the token 0 counts as padding",
            r"token 0|\b0\b.*(padding|real|count)|zero",
            [("idx.size(1) - padding.sum(dim=1)", "(idx > 0).sum(dim=1)")],
            True,  # no text of the pipeline has the byte 0
        ),
        (
            "lengths-reversed",
            "encoder mask",
            "each sequence gets the length of another: the batch is reversed",
            r"(revers|other|another|wrong).*(batch|sequence|length)|(batch|sequence|length).*(revers|other|another)",
            [("num_tokens.unsqueeze(1)", "num_tokens.flip(0).unsqueeze(1)")],
        ),
        (
            "exclusive-or",
            "decoder mask",
            "visible is what is either past or real, but not both",
            r"xor|either|not both|exactly one",
            [("mask & torch.ones_like", "mask ^ torch.ones_like")],
        ),
        (
            "logits-negated",
            "generate",
            "the least likely token is the likeliest: logits are negated",
            r"negat|minus|sign|least likely|opposite",
            [("torch.softmax(logits / temperature", "torch.softmax(-logits / temperature", "0")],
        ),
    ),
    *_style(
        "objects",
        (
            "positions-in-pairs",
            "embedding",
            "two neighbours share a position",
            r"half|two|pair|// ?2|share",
            [("torch.arange(length))", "torch.arange(length) // 2)")],
        ),
        (
            "softmax-twice",
            "attention",
            "the softmax is applied twice",
            r"twice|second softmax|two softmax|again",
            [("scores.softmax(dim=-1)", "scores.softmax(dim=-1).softmax(dim=-1)")],
        ),
        (
            "keys-from-queries",
            "attention",
            "the keys come from self.q",
            r"(\bk\b|key).*(self\.q|\bq\b|quer)|self\.k.*(never|not|unused)",
            [("(self.q, self.k, self.v)", "(self.q, self.q, self.v)")],
        ),
        (
            "dropout-before-projection",
            "attention",
            "the second dropout comes before the projection",
            r"before.*(c_proj|projection)|(c_proj|projection).*after",
            [("self.hidden_dropout(self.c_proj(mixed))", "self.c_proj(self.hidden_dropout(mixed))")],
            True,
        ),
        (
            "mlp-first",
            "block",
            "the MLP comes before attention",
            r"MLP.*(first|before)|order|attention.*(after|second)",
            [
                (
                    "x = x + self.attend(x, attention_mask)\n        return x + self.think(x)",
                    "x = x + self.think(x)\n        return x + self.attend(x, attention_mask)",
                )
            ],
        ),
        (
            "block-added-again",
            "transformer",
            "each block's result is added to what came in, once more",
            r"add.*(block|layer|stream|x\b)|(block|layer).*add|twice",
            [("x = block(x, mask)", "x = x + block(x, mask)")],
        ),
        (
            "label-smoothing",
            "transformer",
            "the loss smooths its labels",
            r"smooth",
            [("nn.CrossEntropyLoss(ignore_index=-1)", "nn.CrossEntropyLoss(ignore_index=-1, label_smoothing=0.1)")],
        ),
        (
            "two-more-tokens",
            "encoder-decoder",
            "the decoder has two tokens more instead of one",
            r"two|\+ ?2|one too many|one (token )?more",
            [("config.vocab_size += 1", "config.vocab_size += 2")],
        ),
        (
            "prefix-cut",
            "prefix generate",
            "the prefix's last token is not encoded",
            r"last.*(prefix|token)|prefix.*(last|short|without|cut)",
            [("model.encoder(prefix, return_hidden=True)", "model.encoder(prefix[:, :-1], return_hidden=True)")],
        ),
    ),
    *_style(
        "course",
        (
            "positions-subtracted",
            "embedding",
            "the position's vector is subtracted",
            r"subtract|minus|negat",
            [("tok_emb + pos_emb", "tok_emb - pos_emb")],
        ),
        (
            "values-from-keys",
            "attention",
            "the values come from self.k",
            r"(\bv\b|value).*(self\.k|\bk\b|key)|self\.v.*(never|not|unused)",
            [("v = self.v(x)", "v = self.k(x)")],
        ),
        (
            "first-mask-for-all",
            "attention",
            "every sequence gets the first sequence's mask",
            r"first (sequence|row|mask)|sequence 0",
            [("attention_mask == 0", "attention_mask[:1] == 0")],
        ),
        (
            "heads-reversed",
            "attention",
            "the heads are merged in the opposite order",
            r"heads?.*(revers|order|opposite)|revers.*head",
            [("y.transpose(1, 2).contiguous()", "y.flip(1).transpose(1, 2).contiguous()")],
        ),
        (
            "no-first-norm",
            "block",
            "attention reads the stream without ln_1",
            r"ln_1|(without|no) (a |the )?(first )?norm",
            [("self.attn(self.ln_1(x), attention_mask)", "self.attn(x, attention_mask)")],
        ),
        (
            "norm-before-blocks",
            "transformer",
            "ln_f comes before the blocks instead of behind them",
            r"(ln_f|norm).*(before|front)",
            [
                ('        x = self.transformer["ln_f"](x)\n        if return_hidden', "        if return_hidden"),
                ("        # blocks\n", '        # blocks\n        x = self.transformer["ln_f"](x)\n'),
            ],
        ),
        (
            "padding-on-the-left",
            "encoder mask",
            "the last columns are visible, as if padding stood in front",
            r"left|right|last|end|front",
            [("cols < num_tokens.view(-1, 1, 1, 1)", "cols >= max_tokens - num_tokens.view(-1, 1, 1, 1)")],
        ),
        (
            "columns-mirrored",
            "decoder mask",
            "the columns are mirrored",
            r"revers|flip|mirror",
            [("torch.tril(full_mask)", "torch.tril(full_mask).flip(-1)")],
        ),
        (
            "put-in-front",
            "generate",
            "the new token is put in front of the text",
            r"in front|before the|beginning",
            [("torch.cat((idx, idx_next), dim=1)", "torch.cat((idx_next, idx), dim=1)", "0")],
        ),
        (
            "starts-with-a-token",
            "prefix generate",
            "starts from a token 0 instead of from no token",
            r"start|begin|one (token )?(more|too many)|token 0|instead of",
            [
                (
                    "torch.empty((prefix.shape[0], 0), dtype=torch.long)",
                    "torch.zeros((prefix.shape[0], 1), dtype=torch.long)",
                )
            ],
            False,  # the pipeline asks for the shape
        ),
    ),
    *_style(
        "numpylike",
        (
            "position-by-token",
            "embedding",
            "the position's vector is looked up by the token's id",
            r"position.*\b(token|id)|\b(token|id).*position",
            [("P[np.arange(L)]", "P[idx % self.block_size]")],
        ),
        (
            "weights-not-transposed",
            "attention",
            "the linear layers' weights are used without their transpose",
            r"transpos",
            [("layer.weight.T) + layer.bias", "layer.weight) + layer.bias")],
        ),
        (
            "scale-by-root-over-heads",
            "attention",
            "scores are divided by the root of C over H",
            r"(scal|divi|multipl).*(\d|head|H\b|√)",
            [("np.sqrt(W // h)", "(np.sqrt(W) / h)")],
        ),
        (
            "renormalised",
            "attention",
            "after the dropout the weights are made to sum to 1 again",
            r"renormal|normal|sum to 1|sum.*again",
            [
                (
                    "        A = self.attn_dropout(A)\n",
                    "        A = self.attn_dropout(A)\n        A = A / A.sum(-1, keepdims=True)\n",
                )
            ],
            True,
        ),
        (
            "mask-not-passed-on",
            "block",
            "attention gets a mask of ones instead of the given one",
            r"mask",
            [("self.attn(self.ln_1(x), attention_mask)", "self.attn(self.ln_1(x), torch.ones_like(attention_mask))")],
        ),
        (
            "first-block-each-time",
            "transformer",
            "the first block runs L times",
            r"first (block|layer)|(block|layer) 0|same (block|layer)",
            [('self.transformer["h"][l]', 'self.transformer["h"][0]')],
        ),
        (
            "one-place-early",
            "transformer",
            "with a cache, targets meet the logits one place too early",
            r"earl|shift|place|P ?[-−] ?2",
            [("logits[:, P - 1 : logits.shape[1] - 1]", "logits[:, P - 2 : logits.shape[1] - 2]")],
        ),
        (
            "causal-encoder",
            "encoder mask",
            "the encoder's mask is causal",
            r"causal|future|j <= i|ahead|later",
            [
                (
                    "keep = j < n[:, None, None, None]\n",
                    "keep = (j < n[:, None, None, None]) & (j <= np.arange(L)[None, None, :, None])\n",
                )
            ],
        ),
        (
            "states-reversed",
            "encoder-decoder",
            "the encoder's states reach the decoder in reversed order",
            r"revers|order|backward|flip",
            [("self.decoder(ids, targets, states)", "self.decoder(ids, targets, states.flip(1))")],
        ),
        (
            "first-token-dropped",
            "generate",
            "each step drops the text's first token",
            r"first token|drop|cut|short|instead of",
            [("[idx, new]", "[idx[:, 1:], new]")],
        ),
    ),
]

_PAIRS = {
    "compact": [
        ("scale-by-tokens", "weights-transposed"),
        ("positions-reversed", "attention-not-added"),
        ("blocks-reversed", "window"),
        ("second-last", "prefix-averaged"),
    ],
    "verbose": [
        ("fourth-root", "values-not-projected"),
        ("values-not-projected", "input-added"),
        ("embeddings-multiplied", "last-block-left-out"),
        ("norms-swapped", "temperature-squared"),
    ],
    "einsum": [
        ("no-biases", "sigmoid"),
        ("softmax-over-batch", "no-biases"),
        ("residual-from-input", "mean-over-padding-too"),
        ("one-column-short", "decoder-is-encoder"),
    ],
    "fused": [
        ("queries-values-swapped", "scale-multiplied"),
        ("dropout-in-eval", "scale-multiplied"),
        ("half-mlp", "two-ahead"),
        ("tokens-scaled", "first-row-for-all"),
    ],
    "sdpa": [
        ("scale-by-heads", "heads-interleaved"),
        ("mask-transposed", "heads-interleaved"),
        ("embedding-detached", "zero-is-padding"),
        ("lengths-reversed", "logits-negated"),
    ],
    "objects": [
        ("softmax-twice", "keys-from-queries"),
        ("keys-from-queries", "dropout-before-projection"),
        ("block-added-again", "label-smoothing"),
        ("mlp-first", "two-more-tokens"),
    ],
    "course": [
        ("values-from-keys", "first-mask-for-all"),
        ("values-from-keys", "heads-reversed"),
        ("no-first-norm", "norm-before-blocks"),
        ("padding-on-the-left", "put-in-front"),
    ],
    "numpylike": [
        ("scale-by-root-over-heads", "renormalised"),
        ("weights-not-transposed", "scale-by-root-over-heads"),
        ("first-block-each-time", "one-place-early"),
        ("causal-encoder", "states-reversed"),
    ],
}

_BY_NAME = {(fault.style, fault.name): fault for fault in SINGLES}
PAIRS: list[tuple[Fault, Fault]] = [
    (_BY_NAME[style, one], _BY_NAME[style, other]) for style, pairs in _PAIRS.items() for one, other in pairs
]


def files(style: str | None = None) -> list[File]:
    """All faulty files: singles, then pairs."""
    every = [faulty(fault) for fault in SINGLES] + [faulty(*pair) for pair in PAIRS]
    return [file for file in every if style is None or file.faults[0].style == style]
