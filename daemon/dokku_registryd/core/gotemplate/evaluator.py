"""Evaluates pipelines: from parsed template to result.

An error names the node that was looked at last, which is not always the one that is
to blame; `Evaluator.node` follows Go in that.
"""

from dataclasses import dataclass
from typing import NoReturn

from dokku_registryd.core.gotemplate import functions, nodes, values
from dokku_registryd.core.gotemplate.budget import Budget, check_length
from dokku_registryd.core.gotemplate.values import Value

_PRINTING = frozenset({"print", "printf", "println"})
_Piped = tuple[Value, ...]
"""The value of the previous command, if there is one."""


@dataclass(slots=True)
class Evaluator:
    """The variables of one running definition."""

    budget: Budget
    name: str
    variables: list[tuple[str, Value]]
    node: nodes.Located | None = None

    def fail(self, message: str) -> NoReturn:
        """Raise an error at the node that was visited last."""
        if self.node is None:
            raise TypeError(message)
        raise nodes.ExecutionFailure(message, template=self.name, node=self.node)

    def assign(self, name: str, value: Value) -> None:
        """Assign a value to the innermost variable of a name."""
        self.variables[self._place(name)] = (name, value)

    def _place(self, name: str) -> int:
        for place in reversed(range(len(self.variables))):
            if self.variables[place][0] == name:
                return place
        return self.fail(f"undefined variable: {name}")

    def pipeline(self, dot: Value, pipeline: nodes.Pipeline) -> Value:
        """Return a pipeline's value; its variables stay until the caller drops them."""
        self.node = pipeline
        self.budget.enter()
        value: Value = None
        piped: _Piped = ()
        for command in pipeline.commands:
            value = self._command(dot, command, piped)
            piped = (value,)
        for variable in pipeline.variables:
            if pipeline.is_assignment:
                self.assign(variable.name, value)
            else:
                self.variables.append((variable.name, value))
        self.budget.leave()
        return value

    def _command(self, dot: Value, command: nodes.Command, piped: _Piped) -> Value:
        self.budget.spend()
        first = command.operands[0]
        has_arguments = len(command.operands) > 1 or bool(piped)
        match first:
            case nodes.Identifier():
                return self._function(dot, first, command, piped)
            case nodes.Field() | nodes.Chain():
                return self._fields(dot, first, has_arguments=has_arguments)
            case nodes.Variable(fields=fields) if fields:
                return self._fields(dot, first, has_arguments=has_arguments)
            case nodes.Variable(name=name):
                self.node = first
                self._place(name)
            case nodes.Pipeline():
                pass
            case _:
                self.node = first
        if has_arguments:
            self.fail(f"can't give argument to non-function {first}")
        if isinstance(first, nodes.Nil):
            self.fail("nil is not a command")
        return self._operand(dot, first)

    def _operand(self, dot: Value, operand: nodes.Operand) -> Value:
        self.budget.spend()
        self.node = operand
        match operand:
            case nodes.Dot():
                return dot
            case nodes.Identifier():
                return self._function(dot, operand, operand, ())
            case nodes.Pipeline():
                return self.pipeline(dot, operand)
            case nodes.Field() | nodes.Variable() | nodes.Chain():
                return self._fields(dot, operand, has_arguments=False)
        return self._constant(operand)

    def _constant(
        self, constant: nodes.Bool | nodes.String | nodes.Number | nodes.Nil
    ) -> Value:
        if isinstance(constant, nodes.Nil):
            return None
        if constant.value is None:
            self.fail(f"{constant} overflows int")
        return constant.value

    def _fields(
        self,
        dot: Value,
        node: nodes.Field | nodes.Variable | nodes.Chain,
        *,
        has_arguments: bool,
    ) -> Value:
        self.node = node
        match node:
            case nodes.Field(names=names):
                value = dot
            case nodes.Variable(name=name, fields=names):
                value = self.variables[self._place(name)][1]
            case nodes.Chain(operand=operand, fields=names):
                value = self._operand(dot, operand)
        for position, name in enumerate(names, start=1):
            is_last = position == len(names)
            value = self._field(value, name, has_arguments=is_last and has_arguments)
        return value

    def _field(self, value: Value, name: str, *, has_arguments: bool) -> Value:
        self.budget.spend()
        if value is None:
            return None
        found = value.field(name) if isinstance(value, values.Data) else None
        if found is None:
            kind = values.type_name(value)
            self.fail(f"can't evaluate field {name} in type {kind}")
        if has_arguments:
            self.fail(f"{name} has arguments but cannot be invoked as function")
        return found

    def _function(
        self,
        dot: Value,
        identifier: nodes.Identifier,
        command: nodes.Command | nodes.Identifier,
        piped: _Piped,
    ) -> Value:
        self.node = identifier
        name = identifier.name
        function = functions.FUNCTIONS[name]
        operands = command.operands[1:] if isinstance(command, nodes.Command) else ()
        self._check_count(name, function, len(operands) + len(piped))
        if name in {"and", "or"}:
            given = self._settle(dot, operands, piped, until=name == "or")
        else:
            given = (*self._arguments(dot, name, operands), *piped)
        if name == "printf":
            self._check_format(given[0])
        if name in _PRINTING and b"" in given:
            self.budget.has_gap = True
        try:
            if name == "call":
                functions.refuse_call(given[0], operands)
            value = function.call(given)
        except functions.CallError as error:
            self.node = command
            self.fail(f"error calling {name}: {error}")
        texts = [text for text in (value, *given) if isinstance(text, bytes)]
        check_length(max(map(len, texts), default=0))
        self.budget.spend(sum(map(len, texts)))
        return value

    def _arguments(
        self, dot: Value, name: str, operands: tuple[nodes.Operand, ...]
    ) -> list[Value]:
        given: list[Value] = []
        for operand in operands:
            is_format = name == "printf" and not given
            if is_format:
                self._check_format_operand(operand)
            given.append(self._operand(dot, operand))
            if is_format:
                self._check_format(given[0])
        return given

    def _check_format_operand(self, operand: nodes.Operand) -> None:
        self.node = operand
        if isinstance(operand, nodes.Nil):
            self.fail("cannot assign nil to string")
        if isinstance(operand, nodes.Bool | nodes.Number):
            self.fail(f"expected string; found {operand}")

    def _check_format(self, value: Value) -> None:
        if value is None:
            self.fail("invalid value; expected string")
        if not isinstance(value, bytes):
            kind = values.type_name(value)
            self.fail(f"wrong type for value; expected string; got {kind}")

    def _settle(
        self,
        dot: Value,
        operands: tuple[nodes.Operand, ...],
        piped: _Piped,
        *,
        until: bool,
    ) -> tuple[Value, ...]:
        """Return values up to the one that decides `and` or `or`, if one does."""
        given: list[Value] = []
        for operand in operands:
            given.append(self._operand(dot, operand))
            if values.is_true(given[-1]) is until:
                return tuple(given)
        return (*given, *piped)

    def _check_count(self, name: str, function: functions.Function, count: int) -> None:
        if function.most is None and count < function.least:
            want = f"at least {function.least}"
        elif function.most is not None and count != function.most:
            want = str(function.most)
        else:
            return
        self.fail(f"wrong number of args for {name}: want {want} got {count}")
