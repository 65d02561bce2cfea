"""What can be wrong with a question or a model, said in one sentence on the page."""

PROBLEMS = (ValueError, OSError, ImportError)


def sentence(error: Exception) -> str:
    if isinstance(error, ImportError):
        return f"The model cannot run here ({error}): install what requirements.txt lists, and start the app again."
    return str(error)
