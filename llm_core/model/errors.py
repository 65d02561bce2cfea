"""The one error of reading and writing models."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be read or written; the message is one sentence for the user."""
