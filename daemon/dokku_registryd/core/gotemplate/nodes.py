"""The nodes of a parsed template, and the errors of a template.

Nodes are frozen. `str()` of a node gives its source in the normal form that Go quotes
in error texts; positions count characters from the start of the template.
"""

from dataclasses import dataclass

from dokku_registryd.core.gotemplate import quoting


class LimitError(Exception):
    """One of our limits was reached. Shorten the template."""


class SyntaxFailure(Exception):  # noqa: N818 - becomes a TemplateError in the face
    """The template cannot be parsed. The message omits the name of the template."""


class ExecutionFailure(Exception):  # noqa: N818 - becomes a TemplateError in the face
    """A parsed template cannot be executed.

    Args:
        message: What is wrong.
        template: Name of the definition that was running.
        node: What was being evaluated.
    """

    def __init__(self, message: str, *, template: str, node: "Located") -> None:
        super().__init__(message)
        self.template = template
        self.node = node


@dataclass(frozen=True, slots=True)
class Identifier:
    """A function's name."""

    at: int
    name: str

    def __str__(self) -> str:
        """Return the name."""
        return self.name


@dataclass(frozen=True, slots=True)
class Dot:
    """The current value."""

    at: int

    def __str__(self) -> str:
        """Return the dot."""
        return "."


@dataclass(frozen=True, slots=True)
class Nil:
    """The constant without a type."""

    at: int

    def __str__(self) -> str:
        """Return the keyword."""
        return "nil"


@dataclass(frozen=True, slots=True)
class Field:
    """Fields of the current value: `.A.B`."""

    at: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        """Return every name with its dot."""
        return "".join(f".{name}" for name in self.names)


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable, with fields of it: `$x.A`."""

    at: int
    name: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the name, then every field with its dot."""
        return ".".join((self.name, *self.fields))


@dataclass(frozen=True, slots=True)
class Bool:
    """`true` or `false`."""

    at: int
    value: bool

    def __str__(self) -> str:
        """Return the keyword."""
        return "true" if self.value else "false"


@dataclass(frozen=True, slots=True)
class Number:
    """A number or a character; without a value where an `int` cannot hold it."""

    at: int
    text: str
    value: int | float | complex | None

    def __str__(self) -> str:
        """Return the number as it was written."""
        return self.text


@dataclass(frozen=True, slots=True)
class String:
    """A text constant."""

    at: int
    quoted: str
    value: bytes

    def __str__(self) -> str:
        """Return the constant as it was written."""
        return self.quoted


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each passing its value to the next, and variables for the result."""

    at: int
    variables: tuple[Variable, ...]
    is_assignment: bool
    commands: "tuple[Command, ...]"

    def __str__(self) -> str:
        """Return variables and commands without parentheses."""
        commands = " | ".join(map(str, self.commands))
        if not self.variables:
            return commands
        sign = "=" if self.is_assignment else ":="
        return f"{', '.join(map(str, self.variables))} {sign} {commands}"


@dataclass(frozen=True, slots=True)
class Chain:
    """Fields of a result: `(print 1).A`."""

    at: int
    operand: "Pipeline | Identifier"
    fields: tuple[str, ...]

    def __str__(self) -> str:
        """Return the operand, then every field with its dot."""
        return ".".join((in_parentheses(self.operand), *self.fields))


Term = Identifier | Dot | Nil | Field | Variable | Bool | Number | String | Pipeline
Operand = Term | Chain


@dataclass(frozen=True, slots=True)
class Command:
    """One operand, or a function with its arguments."""

    at: int
    operands: tuple[Operand, ...]

    def __str__(self) -> str:
        """Return the operands with blanks between them."""
        return " ".join(map(in_parentheses, self.operands))


@dataclass(frozen=True, slots=True)
class Text:
    """Text outside of actions."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Action:
    """A pipeline whose value is printed unless a variable takes it."""

    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Branch:
    """`if`, `with` or `range`."""

    keyword: str
    pipeline: Pipeline
    body: "Body"
    otherwise: "Body"


@dataclass(frozen=True, slots=True)
class Jump:
    """`break` or `continue`."""

    keyword: str


@dataclass(frozen=True, slots=True)
class Call:
    """`template`: another definition, executed here."""

    at: int
    name: str
    pipeline: Pipeline | None

    def __str__(self) -> str:
        """Return the whole action."""
        pipeline = f" {self.pipeline}" if self.pipeline else ""
        return f"{{{{template {quoting.quote_text(self.name)}{pipeline}}}}}"


Statement = Text | Action | Branch | Jump | Call
Body = tuple[Statement, ...]
Located = Operand | Command | Call


def in_parentheses(operand: Operand) -> str:
    """Return an operand's source as part of a command."""
    return f"({operand})" if isinstance(operand, Pipeline) else str(operand)
