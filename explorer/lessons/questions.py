"""Help for writing questions."""

from .lesson import Option


def distinct(*options: Option) -> list[Option]:
    """Without wrong options that happen to read like another one, as small numbers do."""
    kept: list[Option] = []
    for option in sorted(options, key=lambda option: not option.right):
        if all(option.text != other.text for other in kept):
            kept.append(option)
    return kept
