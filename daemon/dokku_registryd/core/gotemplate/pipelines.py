"""Builds the nodes of pipelines: the part between `{{` and `}}`."""

from dokku_registryd.core.gotemplate import functions, nodes, numbers, quoting
from dokku_registryd.core.gotemplate.lexer import Kind, Token
from dokku_registryd.core.gotemplate.reader import Reader

_OPERAND_KINDS = frozenset(
    {
        Kind.BOOL,
        Kind.CHARACTER,
        Kind.COMPLEX,
        Kind.DOT,
        Kind.FIELD,
        Kind.IDENTIFIER,
        Kind.LEFT_PARENTHESIS,
        Kind.NIL,
        Kind.NUMBER,
        Kind.QUOTED,
        Kind.RAW,
        Kind.VARIABLE,
    }
)
_CONSTANTS = (nodes.Bool, nodes.Dot, nodes.Nil, nodes.Number, nodes.String)


def parse(reader: Reader, context: str, ending: Kind) -> nodes.Pipeline:
    """Return a pipeline.

    Args:
        reader: Stands at its start, and behind the token that ends it afterwards.
        context: What the pipeline belongs to, as error texts name it.
        ending: The token that ends it.
    """
    reader.stream.enter()
    at = reader.peek_solid().at
    variables, is_assignment = _declarations(reader, context)
    commands: list[nodes.Command] = []
    while (token := reader.peek_solid()).kind is not ending:
        if token.kind not in _OPERAND_KINDS:
            reader.next()
            reader.refuse(token, context)
        commands.append(_command(reader))
    reader.next()
    _check_stages(reader, commands, context)
    reader.stream.leave()
    return nodes.Pipeline(at, variables, is_assignment, tuple(commands))


def _check_stages(reader: Reader, commands: list[nodes.Command], context: str) -> None:
    if not commands:
        reader.fail(f"missing value for {context}")
    for stage, command in enumerate(commands[1:], start=2):
        if isinstance(command.operands[0], _CONSTANTS):
            reader.fail(f"non executable command in pipeline stage {stage}")


def _declarations(
    reader: Reader, context: str
) -> tuple[tuple[nodes.Variable, ...], bool]:
    declared: list[nodes.Variable] = []
    while (token := reader.peek_solid()).kind is Kind.VARIABLE:
        start = reader.stream.index
        reader.next()
        sign = reader.peek_solid()
        is_comma = sign.kind is Kind.OTHER and sign.text == ","
        if sign.kind not in {Kind.ASSIGN, Kind.DECLARE} and not is_comma:
            reader.stream.index = start
            break
        reader.next()
        declared.append(nodes.Variable(token.at, token.text))
        reader.variables.append(token.text)
        if not is_comma:
            return tuple(declared), sign.kind is Kind.ASSIGN
        if context != "range" or len(declared) > 1:
            reader.fail(f"too many declarations in {context}")
        following = reader.peek_solid().kind
        if following not in {Kind.VARIABLE, Kind.CLOSE, Kind.RIGHT_PARENTHESIS}:
            reader.fail("range can only initialize variables")
    return tuple(declared), False


def _command(reader: Reader) -> nodes.Command:
    at = reader.peek_solid().at
    operands: list[nodes.Operand] = []
    while True:
        reader.peek_solid()
        operand = _operand(reader)
        if operand is not None:
            operands.append(operand)
        token = reader.peek()
        if token.kind in {Kind.CLOSE, Kind.RIGHT_PARENTHESIS}:
            break
        reader.next()
        if token.kind is Kind.PIPE:
            break
        if token.kind is not Kind.BLANK:
            reader.refuse(token, "operand")
    if not operands:
        reader.fail("empty command")
    return nodes.Command(at, tuple(operands))


def _operand(reader: Reader) -> nodes.Operand | None:
    term = _term(reader)
    at = reader.peek().at
    fields: list[str] = []
    while term is not None and reader.peek().kind is Kind.FIELD:
        fields.append(reader.next().text[1:])
    if not fields:
        return term
    match term:
        case nodes.Field(names=names):
            return nodes.Field(at, (*names, *fields))
        case nodes.Variable(name=name):
            return nodes.Variable(at, name, tuple(fields))
        case nodes.Pipeline() | nodes.Identifier():
            return nodes.Chain(at, term, tuple(fields))
    quoted = quoting.quote_text(str(term))
    return reader.fail(f"unexpected . after term {quoted}")


def _term(reader: Reader) -> nodes.Term | None:
    start = reader.stream.index
    token = reader.next_solid()
    match token.kind:
        case Kind.IDENTIFIER:
            if token.text not in functions.FUNCTIONS:
                reader.fail(f"function {quoting.quote_text(token.text)} not defined")
            return nodes.Identifier(token.at, token.text)
        case Kind.VARIABLE:
            if token.text not in reader.variables:
                reader.fail(f"undefined variable {quoting.quote_text(token.text)}")
            return nodes.Variable(token.at, token.text)
        case Kind.FIELD:
            return nodes.Field(token.at, (token.text[1:],))
        case Kind.LEFT_PARENTHESIS:
            return parse(reader, "parenthesized pipeline", Kind.RIGHT_PARENTHESIS)
    constant = _constant(reader, token)
    if constant is None:
        reader.stream.index = start
    return constant


def _constant(reader: Reader, token: Token) -> nodes.Term | None:
    match token.kind:
        case Kind.QUOTED | Kind.RAW:
            return nodes.String(token.at, token.text, reader.unquoted(token))
        case Kind.NUMBER | Kind.COMPLEX | Kind.CHARACTER:
            return _number(reader, token)
        case Kind.DOT:
            return nodes.Dot(token.at)
        case Kind.NIL:
            return nodes.Nil(token.at)
        case Kind.BOOL:
            return nodes.Bool(token.at, token.text == "true")
    return None


def _number(reader: Reader, token: Token) -> nodes.Number:
    readers = {
        Kind.CHARACTER: quoting.unquote_character,
        Kind.COMPLEX: numbers.parse_complex,
        Kind.NUMBER: numbers.parse,
    }
    try:
        value = readers[token.kind](token.text)
    except quoting.QuotingError as error:
        reader.fail(str(error))
    return nodes.Number(token.at, token.text, value)
