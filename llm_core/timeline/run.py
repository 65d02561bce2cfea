"""What a timeline records of a whole run: each of its snapshots, its losses, and when heads took up their roles."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..analysis.roles import ROLES, Roles
from ..model.architectures import Encoder
from ..model.checkpoints import CONFIG, Model, load_model, num_parameters, tokenizer_name
from ..text.tokenizer import Tokenizer, load_tokenizer
from ..train.data import TokenStore
from ..train.loop import architecture_of, batches_for, evaluate
from ..train.measures import rows_in_epoch
from ..train.run_state import HISTORY_FILE, History, read_settings
from ..train.schedule import cycle_starts, snapshot_steps
from .moment import GAPS, SETTINGS, kinds_of_attention, measure_roles, record_prompt, write_sample
from .prompts import TITLE, Prompt, prompts_for

MOST_SNAPSHOTS = 32
HELD_OUT_ROWS = 32  # windows or articles that the held-out loss is measured on, at every step the same
CURVE_START, CURVE_REST = 100, 200  # points of the loss curve: so many are kept as they are, the rest are means
MARKED = ("previous token", "prefix matching", "induction")


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """All that is recorded of one snapshot."""

    prompts: list[dict[str, np.ndarray]]
    roles: dict[str, Roles]
    sample: str | list[dict]
    loss: float  # nats per held-out target
    num_targets: int


def snapshots(run: Path) -> dict[int, Path]:
    """Step -> model folder, in order; one that is not whole yet is left out.

    Of more than a timeline has room for, those nearest to the steps at which a run of this length keeps them.
    """
    found = {int(path.parent.name): path.parent for path in (run / "snapshots").glob(f"[0-9]*/{CONFIG}")}
    steps = set(found)
    if len(steps) > MOST_SNAPSHOTS:
        steps = {min(found, key=lambda at: abs(at - step)) for step in snapshot_steps(max(found), MOST_SNAPSHOTS)}
    return {step: found[step] for step in sorted(steps)}


def record_run(run: Path) -> tuple[dict, list[dict[str, np.ndarray]]]:
    """All that ``timeline.json`` says but names of files, and of each prompt its arrays with the N steps in front.

    The run must have ``snapshots``. Raises ``CheckpointError`` for one that is damaged.
    """
    folders = snapshots(run)
    steps, last = list(folders), folders[max(folders)]
    tokenizer, model = load_tokenizer(tokenizer_name(last)), load_model(last)
    settings = read_settings(run, "steps", "block_size", "seed")
    history = History(run / HISTORY_FILE).read()
    prompts, batches = prompts_for(model, tokenizer), _held_out(run, settings, model, tokenizer)
    moments = [_moment(load_model(folder), prompts, batches, tokenizer) for folder in folders.values()]
    arrays = [_stacked([moment.prompts[k] for moment in moments]) for k in range(len(prompts))]
    scores = {kind: _scores([moment.roles[kind] for moment in moments]) for kind in moments[0].roles}
    info = {
        "architecture": architecture_of(model),
        "masked": isinstance(model, Encoder),
        "vocab_size": tokenizer.n_vocab,
        "num_parameters": num_parameters(model),
        "tokenizer": tokenizer_name(last),
        "stacks": [asdict(kind) for kind in kinds_of_attention(model)],
        "steps": steps,
        "tokens": tokens_at(steps, history),
        "restarts": _restarts(settings, max(steps)),
        "held_out": {
            "loss": [round(one.loss, 5) if math.isfinite(one.loss) else None for one in moments],
            "num_targets": moments[0].num_targets,
            "num_windows": _rows(batches),
        },
        "curve": thinned(history),
        "roles": [asdict(role) for role in ROLES],
        "scores": scores,
        "marks": find_marks(steps, scores),
        "sample": _describe_samples(model, [one.sample for one in moments]),
        "pieces": {id: tokenizer.piece(id) for id in _ids_in(prompts, arrays)},
        "prompts": [_describe(prompt, model, tokenizer) for prompt in prompts],
    }
    return info, arrays


def _restarts(settings: dict, last: int) -> list[int]:
    """The steps at which the learning rate rose anew, as far as the run has come."""
    return [step for step in cycle_starts(settings["steps"], settings.get("cycles", 1)) if 0 < step < last]


def _held_out(run: Path, settings: dict, model: Model, tokenizer: Tokenizer):
    store = TokenStore(run / "tokens" / "validation")
    return batches_for(model, store, settings["block_size"], tokenizer, settings["seed"])


def _rows(batches) -> int:
    return min(HELD_OUT_ROWS, rows_in_epoch(batches))


def _moment(model: Model, prompts: list[Prompt], batches, tokenizer: Tokenizer) -> Moment:
    B = math.gcd(_rows(batches), 8)
    loss, num_targets = evaluate(model, batches, _rows(batches) // B, B)
    return Moment(
        prompts=[record_prompt(model, prompt) for prompt in prompts],
        roles=measure_roles(model, tokenizer),
        sample=write_sample(model, tokenizer),
        loss=loss,
        num_targets=num_targets,
    )


def _stacked(steps: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """In the order of the dimensions, which safetensors takes for granted."""
    return {key: np.ascontiguousarray(np.stack([step[key] for step in steps])) for key in steps[0]}


def _scores(moments: list[Roles]) -> dict[str, dict]:
    """Role -> its baseline, and its scores as [N][L][H]: four decimals, which the marks are found with too."""
    return {
        name: {
            "baseline": round(baseline, 6),
            "scores": [np.round(one.scores[name].double().numpy(), 4).tolist() for one in moments],
        }
        for name, baseline in moments[0].baselines.items()
    }


def find_marks(steps: list[int], scores: dict[str, dict]) -> list[dict]:
    """Since when the heads that wear one of the ``MARKED`` badges at the end have worn it without a break."""
    thresholds = {role.name: role.threshold for role in ROLES}
    marks = []
    for kind, roles in scores.items():
        for role in [name for name in MARKED if name in roles]:
            base = roles[role]["baseline"]
            worn = (np.array(roles[role]["scores"]) - base) / (1 - base) >= thresholds[role]  # (N, L, H)
            since = len(steps) - np.logical_and.accumulate(worn[::-1]).sum(0)  # (L, H), N: not worn at the end
            marks += [
                {"stack": kind, "layer": layer, "head": head, "role": role, "step": steps[since[layer, head]]}
                for layer, head in np.argwhere(since < len(steps)).tolist()
            ]
    return sorted(marks, key=lambda mark: mark["step"])


def tokens_at(steps: list[int], history: list[dict]) -> list[int]:
    """Tokens seen at each step; between two lines of the history they grow evenly."""
    seen = {0: 0} | {entry["step"]: entry["tokens"] for entry in history if "tokens" in entry}
    known = sorted(seen)
    return np.rint(np.interp(steps, known, [seen[step] for step in known])).astype(int).tolist()


def thinned(history: list[dict]) -> list[list[float]]:
    """[step, tokens, training loss], at most 300: the first as they were logged, the later ones means of neighbours."""
    logged = [[entry["step"], entry["tokens"], entry["loss"]] for entry in history if "loss" in entry]
    first, rest = logged[:CURVE_START], logged[CURVE_START:]
    groups = np.array_split(np.array(rest), min(CURVE_REST, len(rest))) if rest else []
    means = [group.mean(0).tolist() for group in groups]
    return [[round(step), round(tokens), round(loss, 4)] for step, tokens, loss in first + means]


def _describe_samples(model: Model, samples: list) -> dict:
    if isinstance(model, Encoder):
        return {"prompt": GAPS, "fills": samples}
    return {"prompt": TITLE, **SETTINGS, "texts": samples}


def _describe(prompt: Prompt, model: Model, tokenizer: Tokenizer) -> dict:
    """A prompt for the screen."""
    return {
        "title": prompt.title,
        "sentence": prompt.sentence,
        "own": "encoder" if isinstance(model, Encoder) else "decoder",
        "tokens": [_token(id, tokenizer) for id in prompt.ids],
        "source": [_token(id, tokenizer) for id in prompt.source],
        "prefix": len(prompt.source) if getattr(model, "conditioning", None) == "prefix" else 0,
        "places": prompt.places,
        "truth": prompt.truth,
    }


def _token(id: int, tokenizer: Tokenizer) -> dict:
    is_special = tokenizer.is_special(id)
    is_partial = not is_special and "\ufffd" in tokenizer.decode([id])  # a part of a character
    return {"id": id, "text": tokenizer.piece(id), "special": is_special, "partial": is_partial}


def _ids_in(prompts: list[Prompt], arrays: list[dict[str, np.ndarray]]) -> list[int]:
    """Every token that a prediction or a truth names."""
    named = {int(id) for one in arrays for id in np.unique(one["next.ids"])}
    return sorted(named | {id for prompt in prompts for id in prompt.truth if id is not None})
