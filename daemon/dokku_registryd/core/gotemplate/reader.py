"""Reads tokens one by one for the parser, and rejects unexpected ones."""

from dataclasses import dataclass, field
from typing import Final, NoReturn

from dokku_registryd.core.gotemplate import lexer, nodes, quoting
from dokku_registryd.core.gotemplate.lexer import Kind, Token

MAIN: Final = "template"
"""The name of the main definition, the text itself."""
DEPTH_LIMIT: Final = 50
"""Maximum nesting of actions and parentheses; far below Python's own limit."""


@dataclass(slots=True)
class Stream:
    """The tokens, the next one to read, and the nesting depth."""

    tokens: list[lexer.Token]
    index: int = 0
    depth: int = 0

    def enter(self) -> None:
        """Enter a level."""
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise nodes.LimitError(f"is nested more than {DEPTH_LIMIT} levels deep")

    def leave(self) -> None:
        """Leave a level."""
        self.depth -= 1


@dataclass(slots=True)
class Reader:
    """The state of one definition; all definitions share a stream."""

    stream: Stream
    variables: list[str] = field(default_factory=lambda: ["$"])
    action_line: int = 0
    furthest: int = -1
    """Errors name the line of the last token that this definition has read."""

    def peek(self) -> Token:
        """Return the next token without consuming it."""
        self.furthest = max(self.furthest, self.stream.index)
        return self.stream.tokens[self.stream.index]

    def next(self) -> Token:
        """Consume the next token; the last one can be consumed again."""
        token = self.peek()
        if self.stream.index + 1 < len(self.stream.tokens):
            self.stream.index += 1
        return token

    def peek_solid(self) -> Token:
        """Skip blanks, then return the next token without consuming it."""
        while self.peek().kind is Kind.BLANK:
            self.next()
        return self.peek()

    def next_solid(self) -> Token:
        """Skip blanks, then consume the next token."""
        self.peek_solid()
        return self.next()

    def expect(self, kind: Kind, context: str) -> None:
        """Consume a token of one kind."""
        token = self.next_solid()
        if token.kind is not kind:
            self.refuse(token, context)

    def fail(self, message: str) -> NoReturn:
        """Raise an error at the last token."""
        line = self.stream.tokens[self.furthest].line
        raise nodes.SyntaxFailure(f"{line}: {message}")

    def refuse(self, token: Token, context: str) -> NoReturn:
        """Raise an error for a token, or the lexer's error about it."""
        if token.kind is not Kind.ERROR:
            self.fail(f"unexpected {token} in {context}")
        origin = ""
        if self.action_line not in {0, token.line}:
            origin = f" in action started at {MAIN}:{self.action_line}"
        if token.text.endswith(" action"):
            origin = origin.removeprefix(" in action")
        self.fail(f"{token}{origin}")

    def unquoted(self, token: Token) -> bytes:
        """Return the value of a text constant."""
        try:
            return quoting.unquote(token.text)
        except quoting.QuotingError as error:
            return self.fail(str(error))
