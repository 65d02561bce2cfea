"""Activation patching beside TransformerLens, on the same weights: how equal, and how fast.

    pip install --no-deps --target FOLDER "transformer-lens<4" beartype better-abc einops fancy-einsum jaxtyping \\
        typeguard wadler-lindig
    PYTHONPATH=FOLDER python -m tests.benchmarks.bench_patching [--places] [--sample 100] 2>/dev/null

The shipped decoder and a random GPT-2 of 124 M parameters, two texts of 32 tokens. First the residual stream of both in
front of, within and behind every layer; then for each site the largest distance of the two maps, and the seconds of
both. Last, attribution patching: beside a plain forward and backward, and its rank correlation with the exact map.
``--places`` adds every head at every place, which takes minutes. TransformerLens runs the model once for each cell:
with ``--sample`` it does so many of a map, and its seconds are a cell's times their number; ours are those of a whole
map. Distances above the bar end it with status 1.
TransformerLens 4.0 removed HookedTransformer; it has a folder of its own, since it wants other versions than ours.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from llm_core import load_model, record
from llm_core.analysis.patching import STREAM, Patching, logit_difference
from llm_core.model.architectures import Decoder
from llm_core.model.config import ModelConfig

T, EQUAL = 32, 1e-4
GPT2 = ModelConfig(vocab_size=50257, block_size=1024, n_layer=12, n_head=12, n_embd=768)
SITES = {
    "resid_pre": "resid_pre",
    "resid_mid": "resid_mid",
    "resid_post": "resid_post",
    "attn_out": "attn_out",
    "mlp_out": "mlp_out",
    "z": "attn_head_out_all_pos",
    "q": "attn_head_q_all_pos",
    "k": "attn_head_k_all_pos",
    "v": "attn_head_v_all_pos",
    "pattern": "attn_head_pattern_all_pos",
}
BY_PLACE = "attn_head_out_by_pos"


def in_transformer_lens(model: Decoder):
    """The weights of ``model``, which is GPT-2's shape, in a HookedTransformer."""
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    c = model.config
    config = HookedTransformerConfig(
        n_layers=c.n_layer, n_heads=c.n_head, d_model=c.n_embd, d_head=c.head_width, d_mlp=c.hidden_width,
        d_vocab=c.vocab_size, n_ctx=c.block_size, act_fn="gelu_new", normalization_type="LN", device="cpu",
    )  # fmt: skip
    peer = HookedTransformer(config).eval()
    w = model.state_dict()
    theirs = {
        "embed.W_E": w["embedding.token_table.weight"],
        "pos_embed.W_pos": w["embedding.position_table.weight"],
        "ln_final.w": w["ln_f.weight"],
        "ln_final.b": w["ln_f.bias"],
        "unembed.W_U": w["embedding.token_table.weight"].T,
        "unembed.b_U": torch.zeros(c.vocab_size),
    }
    for i in range(c.n_layer):
        theirs |= {f"blocks.{i}.{name}": tensor for name, tensor in _block(w, f"blocks.{i}.", c).items()}
    missing = peer.load_state_dict({name: tensor.contiguous() for name, tensor in theirs.items()}, strict=False)
    assert not missing.unexpected_keys and all(n.endswith(("mask", "IGNORE")) for n in missing.missing_keys), missing
    return peer


def _block(w: dict[str, Tensor], at: str, c: ModelConfig) -> dict[str, Tensor]:
    H, D = c.n_head, c.head_width
    block = {f"{theirs}.{end}": w[f"{at}{ours}.{full}"] for theirs, ours in (("ln1", "ln_1"), ("ln2", "ln_2"))
             for end, full in (("w", "weight"), ("b", "bias"))}  # fmt: skip
    for name in "qkv":
        weight, bias = w[f"{at}attn.{name}_proj.weight"], w[f"{at}attn.{name}_proj.bias"]
        block[f"attn.W_{name.upper()}"] = weight.view(H, D, -1).transpose(1, 2)  # (H, C, D)
        block[f"attn.b_{name.upper()}"] = bias.view(H, D)
    block["attn.W_O"] = w[f"{at}attn.out_proj.weight"].view(-1, H, D).permute(1, 2, 0)  # (H, D, C)
    block["attn.b_O"] = w[f"{at}attn.out_proj.bias"]
    for theirs, ours in (("in", "up_proj"), ("out", "down_proj")):
        block[f"mlp.W_{theirs}"] = w[f"{at}mlp.{ours}.weight"].T
        block[f"mlp.b_{theirs}"] = w[f"{at}mlp.{ours}.bias"]
    return block


def texts(V: int) -> tuple[Tensor, Tensor]:
    """Random tokens repeated, and the same with one of the first half exchanged: an induction task."""
    half = torch.randint(V, (1, T // 2), generator=torch.Generator().manual_seed(3))
    clean, corrupted = half.repeat(1, 2), half.repeat(1, 2)
    corrupted[0, 5] = (clean[0, 5] + 1000) % V
    return clean, corrupted


def seconds(call: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    found = call()
    return time.perf_counter() - start, found


def rank_correlation(a: Tensor, b: Tensor) -> float:
    """Spearman's: the correlation of the ranks."""
    ranks = torch.stack([x.flatten().argsort().argsort().double() for x in (a, b)])
    return torch.corrcoef(ranks)[0, 1].item()


def their_map(function: str) -> Callable:
    """What makes a map in TransformerLens, which has no name for the stream behind a layer."""
    from transformer_lens import patching

    if function != "resid_post":
        return getattr(patching, f"get_act_patch_{function}")
    return partial(
        patching.generic_activation_patch,
        patch_setter=patching.layer_pos_patch_setter,
        activation_name=function,
        index_axis_names=("layer", "pos"),
    )


def their_cells(
    make: Callable, subject: tuple, sizes: dict[str, int], sample: int | None
) -> tuple[float, list, Tensor]:
    """What TransformerLens finds at ``sample`` cells of a map, or at all: the seconds of a whole map, the indices of
    the cells by axis, and their values (N,)."""
    import pandas as pd

    how = dict(make.keywords)
    axes = how.pop("index_axis_names")
    cells = torch.cartesian_prod(*(torch.arange(sizes[axis]) for axis in axes))  # (all, axes)
    chosen = cells[torch.randperm(len(cells), generator=torch.Generator().manual_seed(0))[:sample]]
    table = pd.DataFrame(chosen.numpy(), columns=list(axes))
    slow, values = seconds(partial(make.func, *subject, **how, index_df=table))
    in_order = sorted(range(len(axes)), key=lambda i: axes[i] == "pos")  # as ours are
    return slow * len(cells) / len(chosen), [chosen[:, i] for i in in_order], values


def compare(name: str, model: Decoder, with_places: bool, sample: int | None) -> float:
    """Prints all, and returns the largest distance."""
    peer = in_transformer_lens(model)
    clean, corrupted = texts(model.config.vocab_size)
    with torch.no_grad():
        best = model(clean)[0, -1].topk(2).indices.tolist()
        _, cache = peer.run_with_cache(clean)
    patching = Patching(model, clean, corrupted, logit_difference(*best))
    metric = lambda logits: logits[0, -1, best[0]] - logits[0, -1, best[1]]  # noqa: E731
    print(f"{name}: metric {patching.corrupted:.3f} -> {patching.clean:.3f}")
    total, exact, worst = [0.0, 0.0], {}, stream(model, clean, cache)
    subject = (peer, corrupted, cache, metric)
    L, H = model.config.n_layer, model.config.n_head
    sizes = {"layer": L, "head": H, "head_index": H, "pos": T}
    for site, function in (SITES | ({"z by place": BY_PLACE} if with_places else {})).items():
        fast, ours = seconds(partial(patching.exact, site.split()[0], places=function == BY_PLACE))
        with torch.no_grad():
            slow, cells, theirs = their_cells(their_map(function), subject, sizes, sample)
        exact[site] = ours
        distance = (ours.values[tuple(cells)] - theirs).abs().max().item()
        total, worst = [total[0] + slow, total[1] + fast], max(worst, distance)
        print(f"  {site:12} differs by {distance:.1e}   {slow:8.2f} s / {fast:7.2f} s = {slow / fast:.2f}", flush=True)
    print(f"  together {total[0]:.2f} s / {total[1]:.2f} s = {total[0] / total[1]:.2f}   (at least 1)")
    attribution(model, patching, corrupted, exact)
    return worst


@torch.no_grad()
def stream(model: Decoder, ids: Tensor, cache: Mapping[str, Tensor]) -> float:
    """Prints how far the residual stream of a text lies from the peer's in any layer, and returns the most."""
    with record(model, [f"blocks.*.{name}" for name in STREAM]) as trace:
        model(ids)
    found = {
        name: max(
            (trace[f"blocks.{i}.{name}"] - cache[f"blocks.{i}.hook_{name}"]).abs().max().item()
            for i in range(model.config.n_layer)
        )
        for name in STREAM
    }
    for name, distance in found.items():
        print(f"  the stream itself, {name:10} differs by {distance:.1e} in {model.config.n_layer} layers")
    return max(found.values())


def attribution(model: Decoder, patching: Patching, corrupted: Tensor, exact: dict) -> None:
    def plain() -> None:
        model(corrupted)[0, -1].max().backward()
        model.zero_grad()

    plain(), patching.by_gradients()  # warm
    slow = min(seconds(plain)[0] for _ in range(5))
    fast, found = min((seconds(patching.by_gradients) for _ in range(5)), key=lambda one: one[0])
    print(
        f"  by gradients {fast * 1e3:.0f} ms, forward and backward {slow * 1e3:.0f} ms: {fast / slow:.2f}   (at most 3)"
    )
    for site, estimated in found.items():
        print(f"    {site:10} rank correlation {rank_correlation(estimated.values, exact[site].values):.3f}")


def random_gpt2() -> Decoder:
    torch.manual_seed(0)
    return Decoder(GPT2).eval()


MODELS = {
    "decoder": lambda: ("the shipped decoder", load_model("decoder")),
    "gpt2": lambda: ("GPT-2, 124 M, random", random_gpt2()),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Patching maps beside those of TransformerLens.")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--places", action="store_true", help="every head at every place, too")
    parser.add_argument("--sample", type=int, help="cells of a map that TransformerLens does; else all")
    parser.add_argument("--threads", type=int, default=1, help="on a busy machine more than one says nothing")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    worst = max(compare(*MODELS[name](), args.places, args.sample) for name in args.models)
    print(f"all differ by {worst:.1e}   (at most {EQUAL:.0e})")
    sys.exit(worst > EQUAL)


if __name__ == "__main__":
    main()
