"""Works out which variables and fields a template reads; runs inside the child process only.

The parent then sends just those: a prompt that prints titles does not carry a hundred descriptions across
the pipe, and a template cannot print what it does not name. The reading is on the safe side: whatever
cannot be followed (a whole item printed, given to a macro, compared) counts as "all fields".
"""

from __future__ import annotations

from dataclasses import dataclass, field

from jinja2 import nodes
from jinja2.meta import find_undeclared_variables

# (variable, is_element): the variable itself, or one element of the list that it is.
Ref = tuple[str, bool]
_NONE: frozenset[Ref] = frozenset()

_METHODS = frozenset(name for kind in (dict, list) for name in dir(kind) if not name.startswith("_"))
_SAME_LIST = frozenset(("list", "reverse"))
_SAME_LIST_BY_ATTRIBUTE = frozenset(("sort", "unique", "selectattr", "rejectattr", "groupby"))
_ONE_ELEMENT = frozenset(("first", "last", "random"))
_ONE_ELEMENT_BY_ATTRIBUTE = frozenset(("min", "max"))
_VALUE_BY_ATTRIBUTE = frozenset(("map", "join", "sum"))
_FIRST_ARGUMENT_IS_ATTRIBUTE = frozenset(("selectattr", "rejectattr", "groupby"))
_TESTS_OF_KIND = frozenset(
    ("defined", "undefined", "none", "mapping", "sequence", "iterable", "string", "number", "boolean")
)


@dataclass
class FieldUse:
    """What a template reads of one variable.

    Args:
        first_line: where the variable is first met.
        lines: each field read by name, of the variable or of its elements, with its first line.
        is_whole: all fields are needed.
        counts_keys: looped over, counted or tested, which for an object needs all its keys.
    """

    first_line: int
    lines: dict[str, int] = field(default_factory=dict)
    is_whole: bool = False
    counts_keys: bool = False


def field_uses(tree: nodes.Template, global_names: frozenset[str]) -> dict[str, FieldUse]:
    """What a template reads, by variable.

    Raises:
        TemplateSyntaxError: it uses a filter or test that does not exist.
    """
    reader = _Reader(find_undeclared_variables(tree) - global_names)
    known = -1
    while known != reader.size():  # a name bound below may be read above, in a loop
        known = reader.size()
        reader.visit(tree)
    return reader.uses


class _Reader:
    """Follows variables through loops and assignments. Names are not scoped: more is read, never less."""

    def __init__(self, variables: set[str]) -> None:
        self._variables = variables
        self._bound: dict[str, frozenset[Ref]] = {}
        self.uses: dict[str, FieldUse] = {}

    def size(self) -> int:
        return sum(map(len, self._bound.values()))

    # Statements

    def visit(self, node: nodes.Node) -> None:
        match node:
            case nodes.For():
                self._bind(node.target, self._elements(self._read(node.iter)))
                if node.test is not None:
                    self._test(self._read(node.test))
                self._visit_all(node.body + node.else_)
            case nodes.If():
                self._test(self._read(node.test))
                self._visit_all(node.body + node.elif_ + node.else_)
            case nodes.Assign():
                self._bind(node.target, self._read(node.node))
            case nodes.With():
                for target, value in zip(node.targets, node.values, strict=True):
                    self._bind(target, self._read(value))
                self._visit_all(node.body)
            case nodes.TemplateData():
                pass
            case nodes.Expr():
                self._consume(self._read(node))
            case _:
                self._visit_all(node.iter_child_nodes())

    def _visit_all(self, children) -> None:
        for child in children:
            self.visit(child)

    def _bind(self, target: nodes.Node, refs: frozenset[Ref]) -> None:
        names = [node.name for node in target.find_all(nodes.Name)]
        names += [target.name] if isinstance(target, nodes.Name) else []
        if isinstance(target, nodes.NSRef):
            self._consume(refs)
        for name in names:
            self._bound[name] = self._bound.get(name, _NONE) | refs

    # Expressions: each gives the variables, or their elements, that its value may be

    def _read(self, node: nodes.Node) -> frozenset[Ref]:
        match node:
            case nodes.Name():
                return self._name(node)
            case nodes.Getattr():
                return self._field(self._read(node.node), node.attr, node.lineno)
            case nodes.Getitem():
                return self._item(node)
            case nodes.Filter() if node.node is not None:
                return self._filter(node)
            case nodes.Test() if node.name in _TESTS_OF_KIND:
                self._read(node.node)
                return _NONE
            case nodes.And() | nodes.Or():
                left, right = self._read(node.left), self._read(node.right)
                self._test(left)
                return left | right
            case nodes.Not():
                self._test(self._read(node.node))
                return _NONE
            case nodes.CondExpr():
                self._test(self._read(node.test))
                other = self._read(node.expr2) if node.expr2 is not None else _NONE
                return self._read(node.expr1) | other
            case _:
                for child in node.iter_child_nodes():
                    self._consume(self._read(child))
                return _NONE

    def _name(self, node: nodes.Name) -> frozenset[Ref]:
        refs = self._bound.get(node.name, _NONE)
        if node.name in self._variables:
            self.uses.setdefault(node.name, FieldUse(node.lineno))
            refs |= {(node.name, False)}
        return refs

    def _field(self, refs: frozenset[Ref], name: str, line: int) -> frozenset[Ref]:
        if name in _METHODS:  # user.items() needs the whole user
            self._consume(refs)
        else:
            for variable, _ in refs:
                self.uses[variable].lines.setdefault(name, line)
        return _NONE

    def _item(self, node: nodes.Getitem) -> frozenset[Ref]:
        refs = self._read(node.node)
        match node.arg:
            case nodes.Slice():
                self._consume(self._read(node.arg))
                return refs
            case nodes.Const(value=str() as name):
                return self._field(refs, name, node.lineno)
            case nodes.Const(value=int()):
                return self._elements(refs, counts_keys=False)
            case argument:  # an index or a key, who knows
                self._consume(self._read(argument))
                return self._elements(refs)

    def _filter(self, node: nodes.Filter) -> frozenset[Ref]:
        refs, name = self._read(node.node), node.name
        others = [self._read(argument) for argument in node.args]
        others += [self._read(keyword.value) for keyword in node.kwargs]
        if name in ("default", "d"):
            return refs.union(*others)
        for other in others:
            self._consume(other)
        if name in ("length", "count"):
            self._elements(refs)
            return _NONE
        if name in _SAME_LIST:
            return refs
        if name in _ONE_ELEMENT:
            return self._elements(refs)
        by = _SAME_LIST_BY_ATTRIBUTE | _ONE_ELEMENT_BY_ATTRIBUTE | _VALUE_BY_ATTRIBUTE
        if name not in by or not self._reads_attribute(node, refs):
            self._consume(refs)
            return _NONE
        if name in _SAME_LIST_BY_ATTRIBUTE:
            return refs
        return self._elements(refs) if name in _ONE_ELEMENT_BY_ATTRIBUTE else _NONE

    def _reads_attribute(self, node: nodes.Filter, refs: frozenset[Ref]) -> bool:
        """Notes the fields that ``attribute="..."`` names; False when that cannot be told."""
        given = [keyword.value for keyword in node.kwargs if keyword.key == "attribute"]
        if node.name in _FIRST_ARGUMENT_IS_ATTRIBUTE:
            given += node.args[:1]
        if len(given) != 1 or not isinstance(given[0], nodes.Const) or not isinstance(given[0].value, str):
            return False
        for path in given[0].value.split(","):
            self._field(refs, path.strip().partition(".")[0], node.lineno)
        return True

    # What happens to a value

    def _elements(self, refs: frozenset[Ref], *, counts_keys: bool = True) -> frozenset[Ref]:
        """The elements of a variable; elements of elements are not followed."""
        if counts_keys:
            self._test(refs)
        self._consume(frozenset(ref for ref in refs if ref[1]))
        return frozenset((variable, True) for variable, is_element in refs if not is_element)

    def _test(self, refs: frozenset[Ref]) -> None:
        for variable, is_element in refs:
            self.uses[variable].counts_keys = True
            self.uses[variable].is_whole |= is_element

    def _consume(self, refs: frozenset[Ref]) -> None:
        for variable, _ in refs:
            self.uses[variable].is_whole = True
