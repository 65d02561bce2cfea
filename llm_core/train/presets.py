"""The models that ship: one size, one recipe, the same number of tokens; they differ in who may look at whom.

An encoder-decoder has its blocks in two stacks. One with cross-attention has more in a block of its decoder, so that
it has a block less in its encoder: with 6.97 M parameters, both are as large as the others.
"""

RECIPE = {
    "n_head": 8,
    "n_embd": 256,
    "block_size": 256,
    "steps": 4000,
    "cycles": 2,
    "batch_size": 16,
    "micro_batch_size": 16,
    "optimizer": "muon",
    "learning_rate": 8e-3,
    "final_lr_fraction": 0.02,
    "warmup_steps": 100,
    "eval_every": 100,
    "eval_batches": 16,
    "save_every": 50,
    "snapshots": 32,
}

# For a run of unknown length: its rate stays until the last fifth, and until then it can be prolonged.
WSD = {"cycles": 1, "learning_rate": 5e-3, "final_lr_fraction": 0.0, "decay_steps": 800}

# An encoder begins by looking at all places alike. Among 256 it had not found in 800 steps which of them matter; among
# 64 it finds them after 250. The tokens of a step stay as many.
SHORT_WINDOWS = {"block_size": 64, "batch_size": 64, "micro_batch_size": 64}

PRESETS = {
    "encoder": {"model": "encoder", "n_layer": 6, **RECIPE, **SHORT_WINDOWS},
    "decoder": {"model": "decoder", "n_layer": 6, **RECIPE},
    "encoder-decoder-prefix": {"model": "encoder-decoder-prefix", "encoder_layers": 3, "n_layer": 3, **RECIPE},
    "encoder-decoder-cross": {"model": "encoder-decoder-cross", "encoder_layers": 2, "n_layer": 3, **RECIPE},
}


def preset(name: str, schedule: str) -> dict:
    """What the model of that name is trained with, under a schedule."""
    return {**PRESETS[name], **(WSD if schedule == "wsd" else {})}
