"""In place of the homework's checks, for tests of what is around them: a block passes if a function has its name."""

from llm_core.homework.checks import result


def judge(student, names, tell, progress=None) -> None:
    """``def embedding(): ...`` in the file decides over "embedding", and so on; others are not started."""
    defined = student.answers.names()
    for name in names:
        if progress:
            progress(name)
        tell(result(name, "passed" if name.replace(" ", "_").replace("-", "_") in defined else "not started"))
