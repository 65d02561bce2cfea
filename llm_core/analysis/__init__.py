"""What models do, measured: every number that the app shows, as a function of tensors.

lens.py         what each layer would predict                  attribution.py  a logit as the sum of its parts
roles.py        what every head does on standard tests         patterns.py     what attention patterns alone say
surgery.py      switch parts off, freeze them, paint masks     effects.py      what that does to the loss
patching.py     what brings the answer back                    circuits.py     which heads' weights fit together
costs.py        what a forward takes                           tables.py       numbers of heads as rows
embeddings.py   where the rows of a token table lie
"""

from ..lazily import handed_on

__all__ = [
    "Attribution",
    "Edit",
    "Effect",
    "Lens",
    "Patching",
    "PatchingMap",
    "Roles",
    "Sweep",
    "badges",
    "composition_scores",
    "copying_scores",
    "edits_from",
    "head_roles",
    "interventions",
    "kl_divergence",
    "logit_attribution",
    "logit_attributions",
    "logit_difference",
    "logit_lens",
    "mean_activations",
    "paired_effect",
    "probability",
    "received",
    "rollout",
    "sweep",
]

__getattr__, __dir__ = handed_on(
    __name__,
    {
        "attribution": ["Attribution", "logit_attribution", "logit_attributions"],
        "circuits": ["composition_scores", "copying_scores"],
        "effects": ["Effect", "Sweep", "mean_activations", "paired_effect", "sweep"],
        "lens": ["Lens", "logit_lens"],
        "patching": ["Patching", "PatchingMap", "kl_divergence", "logit_difference", "probability"],
        "patterns": ["received", "rollout"],
        "roles": ["Roles", "badges", "head_roles"],
        "surgery": ["Edit", "edits_from", "interventions"],
    },
)
