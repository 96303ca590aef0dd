"""A filter (RFC 7644, section 3.4.2.2) as a condition of SQL, which means the same as the library's own evaluation.

Nothing that was sent becomes part of the statement: values are its arguments, and names are looked up in tables of ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from scim2_models import InvalidFilterException, ScimFilter, path

_Operator = path.CompareOperator
_ORDER: Mapping[path.CompareOperator, str] = {
    _Operator.gt: ">",
    _Operator.ge: ">=",
    _Operator.lt: "<",
    _Operator.le: "<=",
}
_PARTS: Mapping[path.CompareOperator, str] = {
    _Operator.co: "position({value} in {column}) > 0",
    _Operator.sw: "starts_with({column}, {value})",
    _Operator.ew: "right({column}, length({value})) = {value}",
}


class Id(str):
    """A column of ids."""


@dataclass(frozen=True, slots=True)
class Several:
    """An attribute with many values: where they come from, and the columns of one of them."""

    source: str
    columns: Mapping[str, str]

    def any(self, condition: str = "true") -> str:
        """Whether there is one for which the condition holds."""
        return f"exists (select from {self.source} where {condition})"

    def column(self, binding: path.AttributeBinding) -> str:
        """The column of a sub-attribute; without one, that of the value. Raises InvalidFilterException."""
        return _known(self.columns, binding.sub_field_name or "value", binding)


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the attributes of a resource stand, by their names in the models. `folded`: which of these columns stand in
    lower case as well, and where, so that an index serves.
    """

    one: Mapping[str, str]
    several: Mapping[str, Several]
    folded: Mapping[str, str]


@dataclass(slots=True)
class Condition(path.FilterVisitor[str]):
    """Writes the condition of a filter; `arguments` are what its placeholders stand for."""

    asked: ScimFilter[Any]
    columns: Columns
    arguments: list[object] = field(default_factory=list)

    def written(self) -> str:
        """The condition. Raises InvalidFilterException for what cannot be compared."""
        return self.visit(self.asked.ast)

    def visit_logical_expr(self, node: path.LogicalExpr) -> str:
        """Both, or one of them."""
        return "(" + f" {node.op.value} ".join(self.visit(each) for each in node.terms) + ")"

    def visit_not(self, node: path.Not) -> str:
        """No condition here is ever null, so that this is its contrary."""
        return f"not ({self.visit(node.expr)})"

    def visit_comparison(self, node: path.Comparison) -> str:
        """One attribute and a value; of several values, one that fits, and with `ne` none that does not."""
        binding = self.asked.resolve_comparison(node.attr_path)
        assert binding is not None
        value = path.coerce_value(binding, node.value, node.op)
        several = self.columns.several.get(binding.field_name)
        if several is None:
            return self.compared(self._column(binding), binding, node.op, value)
        return self._compared_with_several(several, binding, node.op, value)

    def _compared_with_several(
        self, several: Several, binding: path.AttributeBinding, operator: path.CompareOperator, value: Any
    ) -> str:
        if operator is _Operator.ne:
            return f"not {self._compared_with_several(several, binding, _Operator.eq, value)}"
        found = several.any(self.compared(several.column(binding), binding, operator, value))
        absent = operator is _Operator.eq and value is None
        return f"({found} or not {several.any()})" if absent else found

    def visit_present(self, node: path.Present) -> str:
        """Whether an attribute has a value."""
        binding = self.asked.resolve(node.attr_path)
        assert binding is not None
        several = self.columns.several.get(binding.field_name)
        if several is not None:
            return several.any(_there(several.column(binding)) if binding.sub_field_name else "true")
        inner = [
            column for name, column in self.columns.one.items() if name.startswith(f"{binding.field_name}.")
        ]
        if inner and binding.sub_field_name is None:
            return "(" + " or ".join(map(_there, inner)) + ")"
        return _there(self._column(binding))

    def visit_value_path(self, node: path.ValuePath) -> str:
        """One of several values that fits as a whole."""
        binding = self.asked.resolve(node.attr_path)
        assert binding is not None
        several = self.columns.several.get(binding.field_name)
        if several is None:
            raise InvalidFilterException(
                detail=f"{node.attr_path} has one value and cannot be selected from."
            )
        return several.any(_Inside(self, several, node.attr_path).visit(node.val_filter))

    def _column(self, binding: path.AttributeBinding) -> str:
        name = ".".join(filter(None, (binding.field_name, binding.sub_field_name)))
        return _known(self.columns.one, name, binding)

    def compared(
        self, column: str, binding: path.AttributeBinding, operator: path.CompareOperator, value: Any
    ) -> str:
        """A comparison that is true or false, and never null."""
        if value is None:
            return {_Operator.eq: f"({column}) is null", _Operator.ne: f"({column}) is not null"}.get(
                operator, "false"
            )
        if isinstance(column, Id):
            return self._by_id(column, operator, value)
        if isinstance(value, str):
            return self._by_text(column, binding, operator, value)
        if operator in _PARTS:
            return "false"
        return self._ordered(f"({column})", operator, self._argument(value, _type_of(value)))

    def _by_id(self, column: str, operator: path.CompareOperator, value: str) -> str:
        """Ids are looked up as such where one is given in full: an index finds them."""
        known = _as_id(value) if operator is _Operator.eq else None
        if known is not None:
            return f"{column} = {self._argument(known, 'uuid')}"
        return self._text(f"{column}::text", operator, self._argument(value, "text"))

    def _by_text(
        self, column: str, binding: path.AttributeBinding, operator: path.CompareOperator, value: str
    ) -> str:
        if binding.target_type in (bool, datetime):  # a part of the text of what is no text
            return "false"
        argument = self._argument(value, "text")
        if binding.case_exact:
            return self._text(f"({column})", operator, argument)
        folded = self.columns.folded.get(column, f"lower({column})")
        return self._text(folded, operator, f"lower({argument})")

    def _text(self, column: str, operator: path.CompareOperator, argument: str) -> str:
        if operator in _PARTS:
            return f"coalesce({_PARTS[operator].format(column=column, value=argument)}, false)"
        if operator in _ORDER:
            column, argument = f'{column} collate "C"', f'{argument} collate "C"'
        return self._ordered(column, operator, argument)

    def _ordered(self, column: str, operator: path.CompareOperator, argument: str) -> str:
        if operator is _Operator.ne:
            return f"({column} is distinct from {argument})"
        if operator is _Operator.eq:
            return f"({column} is not null and {column} = {argument})"  # as an index serves it
        return f"coalesce({column} {_ORDER[operator]} {argument}, false)"

    def _argument(self, value: object, kind: str) -> str:
        self.arguments.append(value)
        return f"${len(self.arguments)}::{kind}"


class _Inside(path.FilterVisitor[str]):
    """Writes what a filter says of one value of several, such as `type eq "work"` in `emails[type eq "work"]`."""

    def __init__(self, outer: Condition, several: Several, attribute: path.AttrPath) -> None:
        self._outer = outer
        self._several = several
        self._attribute = attribute

    def visit_logical_expr(self, node: path.LogicalExpr) -> str:
        """Both, or one of them."""
        return "(" + f" {node.op.value} ".join(self.visit(each) for each in node.terms) + ")"

    def visit_not(self, node: path.Not) -> str:
        """The contrary."""
        return f"not ({self.visit(node.expr)})"

    def visit_comparison(self, node: path.Comparison) -> str:
        """A sub-attribute and a value."""
        binding = self._bound(node.attr_path)
        value = path.coerce_value(binding, node.value, node.op)
        return self._outer.compared(self._several.column(binding), binding, node.op, value)

    def visit_present(self, node: path.Present) -> str:
        """Whether a sub-attribute has a value."""
        return _there(self._several.column(self._bound(node.attr_path)))

    def _bound(self, named: path.AttrPath) -> path.AttributeBinding:
        whole = path.AttrPath(self._attribute.attr, named.attr, self._attribute.uri)
        binding = self._outer.asked.resolve(whole)
        assert binding is not None
        return binding


def _known(columns: Mapping[str, str], name: str, binding: path.AttributeBinding) -> str:
    found = columns.get(name)
    if found is None:
        raise InvalidFilterException(
            detail=f"{binding.urn} cannot be filtered by. Compare another attribute."
        )
    return found


def _there(column: str) -> str:
    return f"coalesce(({column})::text <> '', false)"


def _as_id(value: str) -> UUID | None:
    try:
        found = UUID(value)
    except ValueError:
        return None
    return found if str(found) == value else None


def _type_of(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "timestamptz" if isinstance(value, datetime) else "text"
