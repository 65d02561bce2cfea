"""What a file defines, read from its text: which blocks are written, which are blank, and what has slipped.

outline = Outline.of(source)
outline.is_written("attention")     whether it computes anything
outline.slip("attention")           "GenericSelfAttention has foward instead of forward", and its line
"""

import ast
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .inside.probes import TESTED
from .reading import Broken

METHODS = {
    "embedding": "forward",
    "attention": "forward",
    "block": "forward",
    "transformer": "forward",
    "encoder mask": "get_attention_mask",
    "decoder mask": "get_attention_mask",
    "encoder-decoder": "forward",
}
ARGUMENTS = {  # how a method is known that has left its class
    "embedding": {"idx"},
    "attention": {"x", "attention_mask"},
    "transformer": {"idx", "hidden_cache"},
    "encoder mask": {"num_tokens"},
    "decoder mask": {"num_tokens"},
    "encoder-decoder": {"prefix", "targets"},
}
BASES = {
    "embedding": "DummyEmbedding",
    "attention": "DummyMultiHeadedSelfAttention",
    "block": "DummyBlock",
    "transformer": "DummyTransformer",
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Slip:
    """A name that is not where the homework has it."""

    sentence: str
    line: int


@dataclass
class Outline:
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    tree: ast.Module = field(default_factory=lambda: ast.Module([], []))
    assigned: set[str] = field(default_factory=set)  # names that something else gives
    given: dict[tuple[str, str], Function] = field(default_factory=dict)  # (class, method) that stand outside the class

    broken: dict[str, Slip] = field(default_factory=dict)  # what stands in cells that are no Python

    @classmethod
    def of(cls, source: bytes | str, broken: Sequence[Broken] = ()) -> "Outline":
        """Empty for what is no Python: importing it tells why."""
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return cls()
        found = cls(tree=tree, broken={name: Slip(cell.sentence, cell.line) for cell in broken for name in cell.names})
        for node in tree.body:
            for part in ast.walk(node) if isinstance(node, ast.If | ast.Try | ast.With) else [node]:
                found._take(part)
        return found

    def _take(self, part: ast.AST) -> None:
        if isinstance(part, ast.ClassDef):
            self.classes[part.name] = _continued(part, self.classes.get(part.name))
        elif isinstance(part, Function):
            self.functions[part.name] = part
            self.given |= {(owner, part.name): part for owner in _handed_to(part)}
        elif isinstance(part, ast.Assign | ast.AnnAssign | ast.ImportFrom):
            self.assigned |= set(_bound(part))
        for owner, method, function in _given(part):
            self.given[owner, method] = self.functions.get(function, _CALLING)

    def is_written(self, block: str) -> bool:
        name = TESTED[block]
        if name in self.assigned and name not in self.classes and name not in self.functions:
            return True
        if block not in METHODS:
            return name in self.functions and _computes(self.functions[name])
        if name not in self.classes:
            return False
        init = self._method(name, "__init__", inherited=False)
        if init is not None and not _computes(init):
            return False
        written = self._method(name, METHODS[block])
        if block == "block":  # its forward is given: a class that is built right is enough
            return init is not None if written is None else _computes(written)
        own = any(isinstance(node, Function | ast.Assign | ast.AnnAssign) for node in self.classes[name].body)
        own |= any(owner == name for owner, _ in self.given) or self._is_mixed(name)
        return own and written is not None and _computes(written)

    def _method(self, name: str, method: str, inherited: bool = True) -> Function | None:
        """Of a class, or of what it is made from in this file."""
        for owner in self._descent(name) if inherited else [name]:
            if (owner, method) in self.given:
                return self.given[owner, method]
            for node in self.classes[owner].body:
                if isinstance(node, Function) and node.name == method:
                    return node
                if isinstance(node, ast.Assign) and method in _bound(node):
                    return _CALLING
        return None

    def _descent(self, name: str) -> list[str]:
        """The class and what it is made from in this file, in the order in which a method is looked for."""
        found, left = [], [name]
        while left:
            if (owner := left.pop(0)) in self.classes and owner not in found:
                found.append(owner)
                left = [*self._bases(owner), *left]
        return found

    def _bases(self, name: str) -> list[str]:
        return [base.id for base in self.classes[name].bases if isinstance(base, ast.Name)]

    def _is_mixed(self, name: str) -> bool:
        """Whether a class of the student's own is among its bases, as none of the homework is."""
        return any(base in self.classes and base not in TESTED.values() for base in self._bases(name))

    def line_of(self, block: str, fault: str) -> int | None:
        """Of a fault that no tensor shows: how often a loop runs, what is built. ``fault``: its name."""
        stage, _, value = fault.partition("=")
        if stage == "count":
            loops = ast.walk(self.functions.get(TESTED[block], self.tree))
            return next((node.lineno for node in loops if isinstance(node, ast.For | ast.While)), None)
        init = self._method(TESTED[block], "__init__") if block == "encoder-decoder" else None
        if init is None or stage not in ("models", "vocabulary", "no-end-of-text"):
            return None
        wanted = "encoder" if value in ("decoder twice", "exchanged", "configs", "encoder", "both") else "decoder"
        named = [part for part in ast.walk(init) if isinstance(part, ast.Attribute)]
        whole = [part for part in ast.walk(self.classes[TESTED[block]]) if isinstance(part, ast.Attribute)]
        changed = [part for part in whole if isinstance(part.ctx, ast.Store)]  # by a helper of the class, too
        sizes = [part.lineno for part in [*changed, *named] if part.attr == "vocab_size"]
        made = [part.lineno for part in named if part.attr == wanted and isinstance(part.ctx, ast.Store)]
        return next(iter(made if stage == "models" else [*sizes, *made]), None)

    def gap(self, after: int, line: int) -> int:
        """The line of a step that is missing behind one line and in front of another (or is not: the same line twice).

        A statement there that only hands a tensor on (``x = y``); at a loop's end the loop's line, else the other.
        """
        around = [node for node in ast.walk(self.tree) if isinstance(node, Function) and _spans(node, after)]
        if not around:
            return line
        inside = list(ast.walk(around[-1]))
        bare = [part.lineno for part in inside if isinstance(part, ast.Assign) and isinstance(part.value, ast.Name)]
        last = around[-1].body[-1]
        if line == after and isinstance(last, ast.Return) and isinstance(last.value, ast.Name):
            bare.append(last.lineno)
        idle = [number for number in sorted(bare) if after < number and (number < line or line == after)]
        loops = [part for part in inside if isinstance(part, ast.For | ast.While) and _spans(part, after)]
        return idle[0] if idle else line if all(_spans(loop, line) for loop in loops) else after

    def end_of(self, block: str) -> int | None:
        """The line in which a block's result leaves it, for code that shows no tensors (NumPy's)."""
        name = TESTED[block]
        written = self._method(name, METHODS[block]) if block in METHODS else self.functions.get(name)
        returns = [part.lineno for part in ast.walk(written) if isinstance(part, ast.Return)] if written else []
        return max(returns, default=None)

    # --- slips ---------------------------------------------------------------------------------------------------

    def slip(self, block: str) -> Slip | None:
        """Of a block that is not written under its name."""
        return next(self._slips(block), None)

    def _slips(self, block: str) -> Iterator[Slip]:
        name = TESTED[block]
        if name in self.broken:
            yield self.broken[name]
        if block not in METHODS:
            yield from self._other_function(name)
            return
        if name not in self.classes:
            yield from self._other_class(block, name)
            return
        yield from self._other_method(block, name)

    def _other_function(self, name: str) -> Iterator[Slip]:
        if name in self.functions:
            return
        free = {other: node for other, node in self.functions.items() if other not in TESTED.values()}
        for close in difflib.get_close_matches(name, free, 1, 0.75):
            yield Slip(f"There is no function {name}, but one that is called {close}: is that it?", free[close].lineno)
        for owner in self.classes.values():
            for node in _functions(owner.body):
                if node.name == name and _computes(node):
                    told = f"{name} is inside {owner.name}, by its indentation: it should be a function of its own."
                    yield Slip(told, node.lineno)

    def _other_class(self, block: str, name: str) -> Iterator[Slip]:
        free = {other: node for other, node in self.classes.items() if other not in TESTED.values()}
        for other in difflib.get_close_matches(name, free, 1, 0.75):
            yield Slip(f"There is no class {name}, but one that is called {other}: is that it?", free[other].lineno)
        for other, node in free.items():
            made_from = [base.id for base in node.bases if isinstance(base, ast.Name)]
            if BASES.get(block) in made_from:
                yield Slip(f"There is no class {name}; {other} is made from {BASES[block]}: is that it?", node.lineno)

    def _other_method(self, block: str, name: str) -> Iterator[Slip]:
        """A method of another name; one that stands beside the class, or inside another method."""
        method, owner = METHODS[block], self.classes[name]
        if self._method(name, method, inherited=False) is not None:
            return
        own = {node.name: node for node in owner.body if isinstance(node, Function) and _computes(node)}
        for close in difflib.get_close_matches(method, [n for n in own if not n.startswith("__")], 1, 0.7):
            told = f"{name} has a method {close} and no {method}: is that a slip of the pen?"
            yield Slip(told, own[close].lineno)
        for node in [*self.functions.values(), *(inner for outer in own.values() for inner in _functions(outer.body))]:
            arguments = {argument.arg for argument in node.args.args}
            is_it = node.name == method and "self" in arguments and ARGUMENTS.get(block, set()) <= arguments
            if is_it and owner.lineno < node.lineno and self._nearest(node.lineno) == name:
                told = f"{method} is not in {name}, by its indentation: it belongs under the class, four spaces in."
                yield Slip(told, node.lineno)

    def _nearest(self, line: int) -> str:
        """The class that begins last before this line."""
        before = [node for node in self.classes.values() if node.lineno < line]
        return max(before, key=lambda node: node.lineno).name if before else ""


def _spans(node: ast.stmt, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def _bound(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Assign | ast.AnnAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            yield from (part.id for part in ast.walk(target) if isinstance(part, ast.Name))
    elif isinstance(node, ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in node.names)


def _given(node: ast.AST) -> Iterator[tuple[str, str, str | None]]:
    """(class, method, name of the function) of ``Decoder.forward = forward`` and ``setattr(Decoder, "forward", f)``."""
    match node:
        case ast.Assign(targets=targets, value=value):
            function = value.id if isinstance(value, ast.Name) else None
            for target in targets:
                if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                    yield target.value.id, target.attr, function
        case ast.Expr(ast.Call(ast.Name("setattr"), [ast.Name(owner), ast.Constant(str(method)), value])):
            yield owner, method, value.id if isinstance(value, ast.Name) else None


def _handed_to(function: Function) -> Iterator[str]:
    """Classes that a decorator is given, as ``@add_to_class(Decoder)``: it puts the function there."""
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call):
            yield from (argument.id for argument in decorator.args if isinstance(argument, ast.Name))


def _continued(node: ast.ClassDef, before: ast.ClassDef | None) -> ast.ClassDef:
    """``class Decoder(Decoder)``, as notebooks go on with a class in another cell, has what it had before."""
    if before is None or not any(isinstance(base, ast.Name) and base.id == node.name for base in node.bases):
        return node
    whole = ast.ClassDef(node.name, before.bases, [], [*node.body, *before.body], node.decorator_list)
    return ast.copy_location(whole, node)


def _functions(body: list[ast.stmt]) -> Iterator[Function]:
    for statement in body:
        if isinstance(statement, Function):
            yield statement
            yield from _functions(statement.body)


def _computes(function: Function) -> bool:
    """Whether it does anything: no blank, no ``pass``, no ``return None``, no call of ``super().__init__()`` alone."""
    raised = {id(part) for raised in ast.walk(function) if isinstance(raised, ast.Raise) for part in ast.walk(raised)}
    body = [part for statement in function.body for part in ast.walk(statement)]
    return any(isinstance(part, ast.Call | ast.BinOp | ast.Subscript) and id(part) not in raised for part in body)


_CALLING = next(_functions(ast.parse("def method(): return call()").body))  # what stands for a method that is assigned
