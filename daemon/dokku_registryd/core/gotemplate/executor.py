"""Executes parsed definitions. The last step of `gotemplate.render`."""

from collections.abc import Mapping
from dataclasses import dataclass

from dokku_registryd.core.gotemplate import nodes, printing, quoting, values
from dokku_registryd.core.gotemplate.budget import Budget
from dokku_registryd.core.gotemplate.evaluator import Evaluator
from dokku_registryd.core.gotemplate.values import Value

_BREAK = "break"


def execute(definitions: Mapping[str, nodes.Body], name: str, data: Value) -> Budget:
    """Execute a definition, and return its output with what it cost.

    Raises:
        ExecutionFailure: With Go's words.
        LimitError: It takes too much.
    """
    budget = Budget()
    evaluator = Evaluator(budget, name, [("$", data)])
    _Execution(definitions, budget, evaluator).body(data, definitions[name])
    return budget


@dataclass(frozen=True, slots=True)
class _Execution:
    """One running definition."""

    definitions: Mapping[str, nodes.Body]
    budget: Budget
    evaluator: Evaluator

    def body(self, dot: Value, body: nodes.Body) -> str | None:
        """Execute statements; return the jump that ended them early."""
        self.budget.enter()
        jump = None
        for statement in body:
            self.budget.spend()
            jump = self._statement(dot, statement)
            if jump:
                break
        self.budget.leave()
        return jump

    def _statement(self, dot: Value, statement: nodes.Statement) -> str | None:
        match statement:
            case nodes.Text(content=content):
                self.budget.write(content)
            case nodes.Action(pipeline=pipeline):
                value = self.evaluator.pipeline(dot, pipeline)
                if not pipeline.variables:
                    self.budget.has_gap |= value == b""
                    self.budget.write(printing.print_one(value))
            case nodes.Call():
                self._call(dot, statement)
            case nodes.Jump(keyword=keyword):
                return keyword
            case nodes.Branch():
                return self._branch(dot, statement)
        return None

    def _branch(self, dot: Value, branch: nodes.Branch) -> str | None:
        scope = len(self.evaluator.variables)
        value = self.evaluator.pipeline(dot, branch.pipeline)
        if branch.keyword == "range":
            jump = self._range(dot, branch, value)
        elif values.is_true(value):
            jump = self.body(value if branch.keyword == "with" else dot, branch.body)
        else:
            jump = self.body(dot, branch.otherwise)
        del self.evaluator.variables[scope:]
        return jump

    def _range(self, dot: Value, branch: nodes.Branch, value: Value) -> str | None:
        count = self._count(branch, value)
        if count <= 0:
            return self.body(dot, branch.otherwise)
        scope = len(self.evaluator.variables)
        for number in range(count):
            self.budget.spend()
            item = values.Byte(number) if isinstance(value, values.Byte) else number
            for variable in branch.pipeline.variables:
                self.evaluator.assign(variable.name, item)
            jump = self.body(item, branch.body)
            del self.evaluator.variables[scope:]
            if jump == _BREAK:
                break
        return None

    def _count(self, branch: nodes.Branch, value: Value) -> int:
        """Return how often a range repeats; Go's strings cannot be ranged over here."""
        if value is None:
            return 0
        count = values.as_integer(value)
        if count is None:
            shown = quoting.decode(printing.print_one(value))
            self.evaluator.fail(f"range can't iterate over {shown}")
        if len(branch.pipeline.variables) > 1:
            self.evaluator.fail(
                f"can't use {count} to iterate over more than one variable"
            )
        return count

    def _call(self, dot: Value, call: nodes.Call) -> None:
        self.evaluator.node = call
        body = self.definitions.get(call.name)
        if body is None:
            quoted = quoting.quote_text(call.name)
            self.evaluator.fail(f"template {quoted} not defined")
        data = None
        if call.pipeline is not None:
            data = self.evaluator.pipeline(dot, call.pipeline)
        inner = Evaluator(self.budget, call.name, [("$", data)])
        _Execution(self.definitions, self.budget, inner).body(data, body)
