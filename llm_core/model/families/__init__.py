"""Other people's models in our own readable core: one file a family.

A family's file says which ``model_type`` it reads (``MODEL_TYPES``), how its config.json reads as ours (``build``),
and what each of its tensors is in our model (``table``, and what to leave aside, ``IGNORED``).
"""
