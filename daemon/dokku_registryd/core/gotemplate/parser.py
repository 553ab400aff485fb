"""Builds nodes from tokens. The second step of `gotemplate.render`."""

from dataclasses import dataclass

from dokku_registryd.core.gotemplate import lexer, nodes, pipelines, quoting, reader
from dokku_registryd.core.gotemplate.lexer import Kind

MAIN = reader.MAIN

_END, _ELSE = "{{end}}", "{{else}}"


def parse(source: str) -> dict[str, nodes.Body]:
    """Return every definition in a template; the text itself is called `template`.

    Raises:
        SyntaxFailure: With the line and Go's words.
        LimitError: It is nested too deeply.
    """
    definitions: dict[str, nodes.Body] = {}
    parser = _Parser(reader.Reader(reader.Stream(lexer.tokenize(source))), definitions)
    parser.add(MAIN, parser.main())
    return definitions


@dataclass(slots=True)
class _Parser:
    """One definition being parsed; all of them read the same stream."""

    reader: reader.Reader
    definitions: dict[str, nodes.Body]
    ranges: int = 0

    def main(self) -> nodes.Body:
        statements: list[nodes.Statement] = []
        while (token := self.reader.peek()).kind is not Kind.END_OF_TEXT:
            start = self.reader.stream.index
            if token.kind is Kind.OPEN:
                self.reader.next()
                if self.reader.next_solid().text == "define":
                    self._child().definition()
                    continue
                self.reader.stream.index = start
            statement = self._statement()
            if isinstance(statement, str):
                self.reader.fail(f"unexpected {statement}")
            statements.append(statement)
        return tuple(statements)

    def add(self, name: str, body: nodes.Body) -> None:
        if _is_empty(self.definitions.get(name, ())):
            self.definitions[name] = body
        elif not _is_empty(body):
            quoted = quoting.quote_text(name)
            self.reader.fail(f"template: multiple definition of template {quoted}")

    def definition(self) -> None:
        name = self._definition_name("define clause")
        self.reader.expect(Kind.CLOSE, "define clause")
        body, ending = self.body()
        if ending != _END:
            self.reader.fail(f"unexpected {ending} in define clause")
        self.add(name, body)

    def _child(self) -> "_Parser":
        return _Parser(reader.Reader(self.reader.stream), self.definitions)

    def body(self) -> tuple[nodes.Body, str]:
        """Return statements and their end: `{{end}}` or `{{else}}`."""
        self.reader.stream.enter()
        statements: list[nodes.Statement] = []
        while self.reader.peek_solid().kind is not Kind.END_OF_TEXT:
            statement = self._statement()
            if isinstance(statement, str):
                self.reader.stream.leave()
                return tuple(statements), statement
            statements.append(statement)
        return self.reader.fail("unexpected EOF")

    def _statement(self) -> nodes.Statement | str:
        token = self.reader.next_solid()
        if token.kind is Kind.TEXT:
            return nodes.Text(quoting.encode(token.text))
        if token.kind is not Kind.OPEN:
            self.reader.refuse(token, "input")
        self.reader.action_line = token.line
        statement = self._action()
        self.reader.action_line = 0
        return statement

    def _action(self) -> nodes.Statement | str:
        start = self.reader.stream.index
        token = self.reader.next_solid()
        if token.kind is Kind.KEYWORD:
            match token.text:
                case "if" | "with" | "range":
                    return self._branch(token.text)
                case "template" | "block":
                    return self._call(is_block=token.text == "block")
                case "break" | "continue":
                    return self._jump(token.text)
                case "else":
                    return self._else()
                case "end":
                    self.reader.expect(Kind.CLOSE, "end")
                    return _END
        self.reader.stream.index = start
        return nodes.Action(pipelines.parse(self.reader, "command", Kind.CLOSE))

    def _branch(self, keyword: str) -> nodes.Branch:
        scope = len(self.reader.variables)
        pipeline = pipelines.parse(self.reader, keyword, Kind.CLOSE)
        self.ranges += keyword == "range"
        body, ending = self.body()
        self.ranges -= keyword == "range"
        otherwise: nodes.Body = ()
        if ending == _ELSE:
            otherwise = self._otherwise(keyword)
        del self.reader.variables[scope:]
        return nodes.Branch(keyword, pipeline, body, otherwise)

    def _otherwise(self, keyword: str) -> nodes.Body:
        token = self.reader.peek()
        if token.kind is Kind.KEYWORD and token.text == keyword != "range":
            self.reader.next()
            self.reader.stream.enter()
            chained = self._branch(keyword)
            self.reader.stream.leave()
            return (chained,)
        body, ending = self.body()
        if ending != _END:
            self.reader.fail(f"expected end; found {ending}")
        return body

    def _else(self) -> str:
        # A keyword stays pending: only the branch above knows whether it may follow.
        following = self.reader.peek_solid()
        if following.kind is not Kind.KEYWORD or following.text not in {"if", "with"}:
            self.reader.expect(Kind.CLOSE, "else")
        return _ELSE

    def _jump(self, keyword: str) -> nodes.Jump:
        self.reader.expect(Kind.CLOSE, f"{{{{{keyword}}}}}")
        if not self.ranges:
            self.reader.fail(f"{{{{{keyword}}}}} outside {{{{range}}}}")
        return nodes.Jump(keyword)

    def _call(self, *, is_block: bool) -> nodes.Call:
        context = "block clause" if is_block else "template clause"
        at = self.reader.peek_solid().at
        name = self._definition_name(context)
        pipeline = None
        if is_block or self.reader.peek_solid().kind is not Kind.CLOSE:
            pipeline = pipelines.parse(self.reader, context, Kind.CLOSE)
        else:
            self.reader.next()
        if is_block:
            child = self._child()
            body, ending = child.body()
            if ending != _END:
                self.reader.fail(f"unexpected {ending} in {context}")
            child.add(name, body)
        return nodes.Call(at, name, pipeline)

    def _definition_name(self, context: str) -> str:
        token = self.reader.next_solid()
        if token.kind not in {Kind.QUOTED, Kind.RAW}:
            self.reader.refuse(token, context)
        return quoting.decode(self.reader.unquoted(token))


def _is_empty(body: nodes.Body) -> bool:
    return all(
        isinstance(part, nodes.Text) and quoting.is_blank(part.content) for part in body
    )
