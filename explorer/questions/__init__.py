"""What a page may ask, by name: each question is a function from what its body holds to an answer or a stream."""

from . import check, classroom, compare, explore, files, generate, learn, live, patch, residual, surgery
from .question import Question


def questions(code_upload: bool = False, is_class: bool = False) -> dict[str, Question]:
    """All questions by name; a file to check is taken only by an app with ``code_upload``, a pointing in a class."""
    upload = {"check": Question(check.checked, "homework")} if code_upload else {}
    return QUESTIONS | upload | (OF_A_CLASS if is_class else {})


QUESTIONS = {
    "models": Question(explore.models),
    "rights": Question(explore.rights),
    "open_model": Question(explore.open_model, "long"),
    "run": Question(explore.run),
    **{name: Question(explore.part_question(name)) for name in explore.PARTS},
    "shares": Question(residual.shares),
    "surgery_effect": Question(surgery.surgery_effect, "long"),
    "surgery_sweep": Question(surgery.surgery_sweep, "long"),
    "head_effects": Question(surgery.head_effects, "long"),
    "patch": Question(patch.patch, "long"),
    "patch_cell": Question(patch.patch_cell),
    "compare": Question(compare.comparison),
    "lesson": Question(learn.lesson),
    "token_map": Question(learn.token_map, "long"),
    "find_in_lessons": Question(learn.find_in_lessons),
    "look": Question(generate.look),
    "vocabulary": Question(generate.vocabulary),
    "written": Question(generate.written),
    "random_numbers": Question(generate.random_numbers),
    "whole_text": Question(generate.whole_text),
    "cache_times": Question(generate.cache_times, "long"),
    "write": Question(generate.write, "writing"),
    "strategies": Question(generate.strategies, "long"),
    "live_choices": Question(live.live_choices),
    "live_start": Question(live.live_start),
    "live_frames": Question(live.live_frames),
    "live_tell": Question(live.live_tell),
    "live_keep": Question(live.live_keep),
    "numbers": Question(files.numbers_file),
    "standalone": Question(files.standalone_page),
}
OF_A_CLASS = {
    "class_follow": Question(classroom.class_follow),
    "class_point": Question(classroom.class_point),
}
