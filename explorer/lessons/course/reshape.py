"""Lesson 1: reshape is not transpose. The homework's own example, and its memory; then any shape and any chain."""

import ast

from ..lesson import Control, Lesson, Message, Option, Panel, Question, Scene, Step, Tape
from ..questions import distinct
from ..source import code_from, code_of

MOST_CELLS, MOST_OPERATIONS = 256, 6
METHODS = ("view", "reshape", "transpose", "permute", "contiguous")
LETTERS = {1: "C", 2: "TC", 3: "BTC", 4: "BHTD"}  # what the sizes of a fresh tensor are called


def homework_example():
    import torch

    a = torch.arange(0, 3).repeat(4).reshape(1, 3, 4)
    swapped = a.transpose(1, 2)
    refilled = a.reshape(1, 4, 3)
    copied = swapped.contiguous()
    flat = copied.view(1, 12)
    return a, swapped, refilled, copied, flat


def flatten_without_copying(swapped):
    return swapped.view(1, 12)


class Moved:
    """A tensor together with a twin that holds, in each place, the number of the cell that was there first."""

    def __init__(self, name: str, x, twin, letters: tuple[str, ...], width: int, blocks: list):
        self.name, self.x, self.twin, self.letters, self.width, self.blocks = name, x, twin, letters, width, blocks

    @classmethod
    def start(cls, name: str, x, letters: tuple[str, ...]) -> "Moved":
        import torch

        return cls(name, x, torch.arange(x.numel()).reshape(x.shape), letters, x.shape[-1], [x])

    def then(self, name: str, method: str, *arguments) -> "Moved":
        """The tensor after one operation. Raises torch's own error."""
        x = getattr(self.x, method)(*arguments)
        twin = getattr(self.twin, method)(*arguments)
        return Moved(name, x, twin, self._letters_after(method, arguments, x), self.width, self.blocks)

    def _letters_after(self, method: str, arguments: tuple, x) -> tuple[str, ...]:
        """Letters move with their dimensions; torch knows no letters, so a reshape loses those of sizes it cuts."""
        letters = list(self.letters)
        if method == "transpose":
            i, j = arguments
            letters[i], letters[j] = letters[j], letters[i]
        elif method == "permute":
            letters = [letters[i] for i in (arguments if len(arguments) > 1 else arguments[0])]
        elif method in ("view", "reshape"):
            same = 0
            while same < min(len(x.shape), len(letters)) and x.shape[same] == self.x.shape[same]:
                same += 1
            letters = letters[:same] + [""] * (len(x.shape) - same)
        return tuple(letters)

    @property
    def block(self) -> int:
        """Which piece of memory it reads: 0 is the first tensor's own."""
        pointers = [x.untyped_storage().data_ptr() for x in self.blocks]
        if self.x.untyped_storage().data_ptr() not in pointers:
            self.blocks.append(self.x)
            return len(pointers)
        return pointers.index(self.x.untyped_storage().data_ptr())

    def panel(self, title: str = "", note: str = "") -> Panel:
        return Panel(
            name=self.name,
            values=self.x,
            letters=self.letters,
            title=title,
            color="origin",
            origin=self.twin,
            width=self.width,
            family="a",
            decimals=0,
            tape=self.tape(),
            note=note,
        )

    def tape(self) -> Tape:
        block = self.block
        return Tape(
            storage=storage_of(self.x),
            origin=storage_of(self.twin),
            strides=self.x.stride(),
            offset=self.x.storage_offset(),
            block=block,
        )

    def row(self, *index: int) -> str:
        return written(self.x[index].tolist())


def storage_of(x):
    """Everything that lies in the memory behind ``x``, in order."""
    size = x.untyped_storage().nbytes() // x.element_size()
    return x.as_strided((size,), (1,), 0)


def written(numbers: list[int] | tuple[int, ...]) -> str:
    return "[" + ", ".join(map(str, numbers)) + "]"


def build(scene: Scene) -> list[Step]:
    a, swapped, refilled, copied, flat = example()
    return [
        numbers_in_a_row(a),
        transposing(a, swapped),
        reshaping(a, swapped, refilled),
        side_by_side(swapped, refilled),
        view_fails(swapped),
        copying(swapped, copied),
        reshape_copies(swapped, copied, flat),
        your_turn(scene.inputs["shape"], scene.inputs["chain"]),
    ]


def example() -> list[Moved]:
    """What ``homework_example`` returns, each with its twin."""
    first = homework_example()[0]
    a = Moved.start("a", first, ("B", "T", "C"))
    swapped = a.then("swapped", "transpose", 1, 2)
    refilled = a.then("refilled", "reshape", 1, 4, 3)
    copied = swapped.then("copied", "contiguous")
    return [a, swapped, refilled, copied, copied.then("flat", "view", 1, 12)]


def numbers_in_a_row(a: Moved) -> Step:
    return Step(
        title="A tensor is a row of numbers and a way to read it",
        text="`a` looks like a table of 3 tokens (rows) with 4 numbers each. In memory it is one row of 12 numbers: "
        "the tape under it. The strides say how to read it: the next token is 4 places further, the next number 1 "
        "place.",
        show=[a.panel("each row is a token with its own color")],
        code=[code_of(homework_example, "a = torch.arange")],
    )


def transposing(a: Moved, swapped: Moved) -> Step:
    right = swapped.x.stride()
    return Step(
        title="transpose changes how the tape is read",
        text="The rows of `a` have become the columns of `swapped`: every token stays in one piece. The tape is the same, "
        "number for number. Only the strides have changed places, so this costs nothing, however large the tensor is.",
        show=[a.panel(), swapped.panel("the tokens are now columns", note="Same memory as `a`: nothing was moved.")],
        code=[code_of(homework_example, "swapped = a.transpose")],
        question=Question(
            prompt=f"The strides of `a` are {a.x.stride()}. What are those of `a.transpose(1, 2)`?",
            options=[
                Option(str(right), True, "The sizes trade places, and so do the strides."),
                Option(str(a.x.stride()), False, "Then it would read the tape as `a` does, and would be `a`."),
                Option(
                    str(swapped.x.contiguous().stride()),
                    False,
                    "Those belong to a fresh tensor of this shape. Transposing makes none: it reads the old tape.",
                ),
            ],
            before=[a.panel("each row is a token with its own color")],
        ),
    )


def reshaping(a: Moved, swapped: Moved, refilled: Moved) -> Step:
    return Step(
        title="reshape rereads the tape from the start",
        text="`refilled` has the shape of the transposed tensor, but not its content. reshape takes the numbers as they lie "
        "on the tape and fills the new rows one by one. Look at the colors: each row now mixes two tokens.",
        show=[a.panel(), refilled.panel("scrambled", note="Same memory as `a`, in the order of the tape.")],
        code=[code_of(homework_example, "refilled = a.reshape")],
        question=Question(
            prompt="What is the first row, `a.reshape(1, 4, 3)[0, 0]`?",
            options=distinct(
                Option(refilled.row(0, 0), True, "The first three numbers of the tape."),
                Option(
                    swapped.row(0, 0),
                    False,
                    "That is the first row of the transpose: the first number of every token.",
                ),
                Option(
                    written(a.x[0, 0, 1:].tolist()),
                    False,
                    "reshape starts at the beginning of the tape, not past its end.",
                ),
                Option(written(a.x[0, 1, :3].tolist()), False, "That is the start of the second token."),
            ),
        ),
    )


def side_by_side(swapped: Moved, refilled: Moved) -> Step:
    return Step(
        title="Same shape, different tensors",
        text="Both have the shape (1, 4, 3), and Python complains about neither: this is why the mistake survives. "
        "`swapped` keeps each token in one column; in `refilled` every column holds pieces of all three.",
        show=[swapped.panel("transpose: one token per column"), refilled.panel("reshape: mixed")],
        code=[code_of(homework_example, "swapped = a.transpose", "refilled = a.reshape")],
        question=Question(
            prompt="Each column should be one token. Which picture is right, A or B?",
            options=[
                Option("A", False, "Follow one color: in A it is spread over several columns."),
                Option("B", True, "Each column has one color. B is the transpose."),
            ],
            before=[unnamed(refilled, "A"), unnamed(swapped, "B")],
        ),
    )


def unnamed(moved: Moved, name: str) -> Panel:
    """The same picture without a hint at how it was made."""
    return Panel(
        name=name,
        values=moved.x,
        letters=("",) * moved.x.dim(),
        color="origin",
        origin=moved.twin,
        width=moved.width,
        family="a",
        decimals=0,
    )


def view_fails(swapped: Moved) -> Step:
    message = refusal(lambda: flatten_without_copying(swapped.x)) or ""
    return Step(
        title="view refuses",
        text="`.view()` promises never to copy. Flattening `swapped` would need places 0, 4, 8, 1, 5 … of the tape: no "
        "single stride steps through them, so torch stops. This error is a friend: reshape would have said nothing.",
        show=[swapped.panel(), Message(text=f"RuntimeError: {message}", words=in_plain_words(message, swapped.x))],
        code=[code_of(flatten_without_copying, "swapped.view")],
        question=Question(
            prompt="What does `swapped.view(1, 12)` give?",
            options=[
                Option("an error", True, "A view must step through memory evenly, and here no stride does."),
                Option(
                    written(swapped.x.reshape(12).tolist()),
                    False,
                    "That is the right order, but getting it needs a copy, and a view never copies.",
                ),
                Option(
                    written(storage_of(swapped.x).tolist()),
                    False,
                    "That is the tape as it lies. It would be the numbers of `a`, not those of `swapped`.",
                ),
            ],
        ),
    )


def copying(swapped: Moved, copied: Moved) -> Step:
    return Step(
        title="contiguous makes a new tape",
        text="`.contiguous()` writes the numbers into new memory, in the order in which `swapped` is read. The table is the "
        "same, but the tape is new. Now the strides fall from left to right again, and `.view()` works.",
        show=[swapped.panel(), copied.panel(note="New memory: 12 numbers were copied.")],
        code=[code_of(homework_example, "copied = swapped.contiguous")],
        question=Question(
            prompt="What do the first four places of the new tape hold?",
            options=distinct(
                Option(
                    written(storage_of(copied.x)[:4].tolist()),
                    True,
                    "Row by row of the transposed table: first number of token 0, 1, 2, then the second of token 0.",
                ),
                Option(
                    written(storage_of(swapped.x)[:4].tolist()),
                    False,
                    "That is the old tape. Copying writes the numbers in the order in which they are read.",
                ),
                Option(written(copied.x[0, :, 0].tolist()), False, "That is a column; memory is filled row by row."),
            ),
        ),
    )


def reshape_copies(swapped: Moved, copied: Moved, flat: Moved) -> Step:
    reshaped = swapped.then("swapped.reshape(1, 12)", "reshape", 1, 12)
    same = bool((reshaped.x == flat.x).all())
    return Step(
        title="reshape is a view if possible, otherwise a copy",
        text="`flat` is a view of `copied`. Calling reshape on `swapped` gives the same twelve numbers, because it quietly "
        "makes that copy itself. Where memory does not allow a view, view fails and reshape copies; it never tells you which of "
        "the two happened. Only a wrong number of elements stops both.",
        show=[
            flat.panel("copied.view(1, 12)", note="Same memory as `copied`."),
            reshaped.panel("one call", note=f"New memory. Equal to `flat`: {same}."),
        ],
        code=[code_of(homework_example, "flat = copied.view")],
    )


def your_turn(shape_text: str, chain: str) -> Step:
    """Any small shape, any chain. Raises ``ValueError`` with torch's message in plain words."""
    shape = read_shape(shape_text)
    calls = read_chain(chain)
    stages = run_chain(shape, calls)
    source = f"a = torch.arange({stages[0].x.numel()}).reshape({', '.join(map(str, shape))})\n"
    source += "\n".join(
        f"{after.name} = {before.name}.{called(method, arguments)}"
        for before, after, (method, arguments) in zip(stages, stages[1:], calls)
    )
    return Step(
        title="Your turn",
        text="Choose a shape and chain `view`, `reshape`, `transpose`, `permute` and `contiguous`. Predict the colors before "
        "you press Enter: does a token stay in one piece? What do the strides say?",
        show=[stage.panel(note=memory_note(stage, stages)) for stage in stages],
        code=[code_from(source, "what you wrote", *([stages[-1].name + " ="] if calls else []))],
    )


def memory_note(stage: Moved, stages: list[Moved]) -> str:
    if stage is stages[0]:
        return ""
    sharing = [other.name for other in stages[: stages.index(stage)] if other.block == stage.block]
    return f"Same memory as `{sharing[0]}`." if sharing else "New memory: the numbers were copied."


def read_shape(text: str) -> tuple[int, ...]:
    """ "1, 3, 4" -> (1, 3, 4); ``ValueError`` for what is no shape, or too much to look at."""
    import torch

    try:
        shape = tuple(int(part) for part in text.replace("(", "").replace(")", "").split(",") if part.strip())
    except ValueError:
        raise ValueError(f"Shape: {text!r} must be whole numbers with commas between them, such as 1, 3, 4") from None
    if not 1 <= len(shape) <= 4:
        raise ValueError(f"Shape: {len(shape)} sizes; between 1 and 4 can be drawn")
    if message := refusal(lambda: torch.empty(shape, device="meta")):
        raise ValueError(f"Shape: {in_plain_words(message, None)} torch says: “{message}”")
    cells = torch.Size(shape).numel()
    if cells == 0:
        raise ValueError("Shape: a size of 0 leaves no number to look at (torch allows it: the tensor is empty)")
    if cells > MOST_CELLS:
        raise ValueError(f"Shape: {cells:,} numbers are more than can be followed by eye; choose at most {MOST_CELLS}")
    return shape


def read_chain(text: str) -> list[tuple[str, tuple]]:
    """ "transpose(1, 2).reshape(1, 4, 3)" -> [("transpose", (1, 2)), ...]; only these five methods, only numbers."""
    text = text.strip().removeprefix("a").lstrip(".").strip()
    if not text:
        return []
    wrong = ValueError(
        f"Chain: {text!r} must be calls such as transpose(1, 2).reshape(1, 4, 3), of {', '.join(METHODS)}"
    )
    try:
        node: ast.expr = ast.parse(f"a.{text}", mode="eval").body
        calls: list[tuple[str, tuple]] = []
        while not isinstance(node, ast.Name):
            match node:
                case ast.Call(func=ast.Attribute(value=owner, attr=name), args=args, keywords=[]) if name in METHODS:
                    calls.append((name, tuple(map(ast.literal_eval, args))))
                    node = owner
                case _:
                    raise wrong
    except (SyntaxError, ValueError, AttributeError, RecursionError, MemoryError):
        raise wrong from None
    if len(calls) > MOST_OPERATIONS:
        raise ValueError(f"Chain: {len(calls)} operations; at most {MOST_OPERATIONS} fit the picture")
    return calls[::-1]


def run_chain(shape: tuple[int, ...], calls: list[tuple[str, tuple]]) -> list[Moved]:
    """The tensor and what each operation makes of it; ``ValueError`` where torch refuses."""
    import torch

    numbers = torch.arange(torch.Size(shape).numel())
    stages = [Moved.start("a", numbers.reshape(shape), tuple(LETTERS[len(shape)]))]
    for name, (method, arguments) in zip("bcdefg", calls):
        try:
            stages.append(stages[-1].then(name, method, *arguments))
        except (RuntimeError, TypeError, IndexError, OverflowError) as error:
            message = str(error).splitlines()[0]
            words = in_plain_words(message, stages[-1].x)
            raise ValueError(f"{called(method, arguments)}: {words} torch says: “{message}”") from None
        if not 1 <= stages[-1].x.dim() <= 4:
            raise ValueError(f"{called(method, arguments)}: a tensor of 1 to 4 dimensions can be drawn")
    return stages


def called(method: str, arguments: tuple) -> str:
    return f"{method}({', '.join(map(repr, arguments))})"


def refusal(action) -> str | None:
    """The first line of what torch says when it refuses; None if it does not."""
    try:
        action()
    except (RuntimeError, TypeError, IndexError, OverflowError) as error:
        return str(error).splitlines()[0]
    return None


PLAIN = {
    "view size is not compatible": "A view never moves numbers, and this shape cannot be read off the tape with one "
    "stride for each dimension. Make a copy first with .contiguous(), or let .reshape() make it.",
    "is invalid for input of size": "The sizes of a shape multiplied must equal the number of elements ({size}).",
    "Dimension out of range": "There is no such dimension: this tensor has {dimensions}, counted from 0.",
    "duplicate dims": "permute names every dimension exactly once; one is named twice.",
    "permute(": "permute names every dimension exactly once; there are {dimensions} here.",
    "only one dimension can be inferred": "-1 means: work this size out. Only one size can be -1.",
    "negative dimension": "A size counts something, so it cannot be negative.",
    "invalid shape dimension": "A size counts something, so it cannot be negative (-1 alone means: work it out).",
    "invalid combination of arguments": "These are not the numbers that the operation takes.",
    "verflow": "That is more numbers than a computer can address.",
}


def in_plain_words(message: str, x) -> str:
    """What a message of torch means, for somebody who meets it for the first time."""
    found = next((words for part, words in PLAIN.items() if part in message), "torch cannot do this step.")
    return found if x is None else found.format(size=x.numel(), dimensions=x.dim())


def controls(_runner) -> list[Control]:
    steps = (8,)
    return [
        Control(name="shape", label="Shape", kind="text", value="1, 3, 4", info="of torch.arange(…)", steps=steps),
        Control(
            name="chain",
            label="Then",
            kind="text",
            value="transpose(1, 2).reshape(1, 3, 4)",
            info="chained calls",
            steps=steps,
        ),
    ]


LESSON = Lesson(
    id="reshape",
    title="Reshape is not transpose",
    summary="Two operations that give the same shape but not the same tensor.",
    build=build,
    num_steps=8,
    controls=controls,
    uses_text=False,
)
