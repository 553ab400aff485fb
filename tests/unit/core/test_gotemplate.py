"""Go's text/template for `image-repo-template`: golden cases, edges and bounds."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokku_registryd.core import gotemplate

VECTORS = Path(__file__).parents[2] / "vectors" / "go-template.jsonl"
SHOWN = 10
OURS = "which dokku-registryd does not allow"
AT = 'executing "template" at'
SNIPPETS = [
    "{{",
    "}}",
    "{{-",
    "-}}",
    "(",
    ")",
    "|",
    ".",
    "$",
    "$x",
    ":=",
    "=",
    ",",
    '"',
    "'",
    "`",
    "\\",
    "\n",
    "-",
    "0",
    "1",
    "1.5",
    "9999999999999999999",
    "0x",
    "1i",
    "nil",
    "true",
    "{{end}}",
    "{{else}}",
    "{{/*",
    "*/}}",
    ".AppName",
    ".X",
    "{{if",
    "{{with",
    "{{range",
    "{{break}}",
    "{{continue}}",
    "{{define",
    "{{template",
    "{{block",
    "and",
    "or",
    "not",
    "eq",
    "lt",
    "index",
    "slice",
    "len",
    "print",
    "printf",
    "html",
    "js",
    "urlquery",
    "call",
    '"t"',
    '"%5d"',
]


def render(template: str, app: str = "web") -> str:
    """Render a template, errors included."""
    try:
        return gotemplate.render(template, app)
    except gotemplate.TemplateError as error:
        return str(error)


def answer_as_dokku(case: dict[str, object]) -> dict[str, object]:
    """Render a golden case as Dokku does: blanks around text and result go away."""
    try:
        template, app = str(case["template"]), str(case["app"])
        result = gotemplate.render(template.strip(), app).strip()
    except gotemplate.TemplateError as error:
        return case | {"OK": False, "Out": str(error)}
    return case | {"OK": True, "Out": result}


def test_golden_cases_of_go() -> None:
    """Every result and every error text is that of Go 1.26."""
    cases = [json.loads(line) for line in VECTORS.read_text().splitlines()]

    answers = [(case, answer_as_dokku(case)) for case in cases]
    wrong = [(case, answer) for case, answer in answers if answer != case]

    assert len(cases) > 2000
    assert (len(wrong), wrong[:SHOWN]) == (0, [])


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param("org/{{ .AppName }}", "org/web", id="the-usual-one"),
        pytest.param("", "", id="empty"),
        pytest.param(" a \n", " a \n", id="blanks-stay"),
        pytest.param("a {{- 1 -}} \n b", "a1b", id="trimmed-on-both-sides"),
        pytest.param("{{-3}}", "-3", id="minus-without-blank-is-a-number"),
        pytest.param("{{- 3}}", "3", id="minus-with-blank-trims"),
        pytest.param("{{/* a */}}b", "b", id="comment"),
        pytest.param("{{.}} {{$}}", "{web} {web}", id="struct"),
        pytest.param("{{$x := 1}}{{$x = 2}}{{$x}}", "2", id="variable"),
        pytest.param(
            "{{$x := 1}}{{if 1}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21", id="scopes"
        ),
        pytest.param("{{range 3}}{{.}}{{end}}", "012", id="range-over-a-number"),
        pytest.param("{{range $i := 2}}{{$i}}{{end}}", "01", id="range-with-variable"),
        pytest.param(
            "{{$x := 9}}{{range $x = 3}}{{end}}{{$x}}", "2", id="range-that-assigns"
        ),
        pytest.param("{{range -1}}a{{else}}b{{end}}", "b", id="range-without-rounds"),
        pytest.param(
            '{{range (index "\\x02" 0)}}{{printf "%T%v " . .}}{{end}}',
            "uint80 uint81 ",
            id="range-over-a-byte",
        ),
        pytest.param(
            "{{range 2}}{{range 9}}{{.}}{{break}}{{end}}{{end}}", "00", id="break"
        ),
        pytest.param(
            "{{range 3}}{{if eq . 1}}{{continue}}{{end}}{{.}}{{end}}",
            "02",
            id="continue",
        ),
        pytest.param(
            "{{if 0}}a{{else if 0}}b{{else}}c{{end}}", "c", id="chain-of-else"
        ),
        pytest.param('{{with ""}}a{{else with 1}}{{.}}{{end}}', "1", id="else-with"),
        pytest.param(
            '{{define "t"}}<{{.}}>{{end}}{{template "t" .AppName}}{{template "t"}}',
            "<web><<no value>>",
            id="definition",
        ),
        pytest.param(
            '{{block "b" 1}}[{{.}}]{{end}}{{template "b" 2}}', "[1][2]", id="block"
        ),
        pytest.param('{{define "template"}}x{{end}}\u00a0', "x", id="own-name-defined"),
        pytest.param("{{or nil}} {{print nil}}", "<no value> <nil>", id="nil"),
        pytest.param("{{and 1 0 .X}}{{or 0 2 .X}}", "02", id="short-circuit"),
        pytest.param('{{print 1 2 "a" 3}}', "1 2a3", id="print"),
        pytest.param("{{println 1 .AppName}}", "1 web\n", id="println"),
        pytest.param("{{html 1 nil}}", "1&lt;no value&gt;", id="html"),
        pytest.param(
            '{{js "<a\'\\"\\\\\\n\\x7f\\u200b\\xff"}}',
            "\\u003Ca\\'\\\"\\\\\\u000A\x7f\\u200B\ufffd",
            id="js",
        ),
        pytest.param('{{urlquery "\\xff ~é/"}}', "%FF+~%C3%A9%2F", id="urlquery"),
        pytest.param(
            "{{slice .AppName 1}}{{slice .AppName 0 1}}{{index .AppName 0}}",
            "ebw119",
            id="parts",
        ),
        pytest.param(
            "{{eq 1 2 1}}{{ne . .}}{{eq nil 1}}{{lt 1 2}}{{ge 1 2}}",
            "truefalsefalsetruefalse",
            id="comparisons",
        ),
        pytest.param(
            '{{eq (index "a" 0) 97}}{{le 2 (index "\\x01" 0)}}',
            "truefalse",
            id="bytes-compare-with-numbers",
        ),
        pytest.param(
            "{{1e6}} {{100000.0}} {{1_0}} {{017}} {{0x1p4}} {{'a'}} {{1+2i}}",
            "1e+06 100000 10 15 16 97 (1+2i)",
            id="numbers",
        ),
        pytest.param(
            '{{define "t"}}{{.X.Y}}{{(or nil).X}}{{end}}{{template "t"}}',
            "<no value><no value>",
            id="fields-of-nothing",
        ),
        pytest.param("{{1.}} {{1e3}} {{-0x10}}", "1 1000 -16", id="whole-floats"),
        pytest.param("{{1 \n-}} a", "1a", id="trimmed-after-blanks"),
        pytest.param('{{"\\xff"}}', "\ufffd", id="invalid-bytes"),
        pytest.param(f"{{{{1.{'9' * 8000}}}}}", "2", id="many-digits"),
    ],
)
def test_results(template: str, expected: str) -> None:
    """A template gives what Go gives."""
    assert render(template) == expected


@pytest.mark.parametrize(
    ("form", "arguments", "expected"),
    [
        (
            "%v %+v %#v %T",
            ". . . .",
            '{web} {AppName:web} main.templateData{AppName:"web"} main.templateData',
        ),
        ("%s|%q|%d", ". . .", '{web}|{"web"}|{%!d(string=web)}'),
        (
            "%5s|%-5s|%05s|%.2s",
            ".AppName .AppName .AppName .AppName",
            "  web|web  |00web|we",
        ),
        ("%x|% X|%#x|%.1x", '"ab" "ab" "ab" "ab"', "6162|61 62|0x6162|61"),
        ("%q|%+q|%#q|%#q", '"é" "é" "a" "`"', '"é"|"\\u00e9"|`a`|"`"'),
        ("%d|%+d|% d|%05d|%-3d|%.2d", "1 1 1 -1 1 1", "1|+1| 1|-0001|1  |01"),
        ("%b|%o|%O|%x|%#X|%#o|%#b", "5 8 8 10 10 8 5", "101|10|0o10|a|0XA|010|0b101"),
        ("%c|%q|%U|%#U|%q", "65 65 65 65 -1", "A|'A'|U+0041|U+0041 'A'|'�'"),
        ("%.0d|%3.0d|%#08x", "0 0 10", "|   |0x0000000a"),
        ("%v|%d|%#v", '(index "a" 0) (index "a" 0) (index "a" 0)', "97|97|0x61"),
        (
            "%e|%f|%g|%.2f|%08.2f|%+g",
            "1.5 1.5 1e6 1.5 -1.5 1.0",
            "1.500000e+00|1.500000|1e+06|1.50|-0001.50|+1",
        ),
        (
            "%x|%.0x|%b|%G",
            "1.5 1.5 1.5 1e-7",
            "0x1.8p+00|0x1p+01|6755399441055744p-52|1E-07",
        ),
        ("%#g|%#.0f|%#x|%#v", "1.5 1.5 1.5 1.0", "1.50000|2.|0x1.8000p+00|1"),
        ("%.1f|%5v|%d", "1i 1i 1i", "(0.0+1.0i)|(    0   +1i)|%!d(complex128=(0+1i))"),
        ("%t|%5t|%d|%#v", "true true true true", "true| true|%!d(bool=true)|true"),
        ("%v|%d|%p|%T", "nil nil nil nil", "<nil>|%!d(<nil>)|%!p(<nil>)|<nil>"),
        ("%5s|%+s|%#z", "1 1 1.5", "%!s(int=    1)|%!s(int=+1)|%!z(float64=1.50000)"),
        ("%w|%w", "1 .", "%!w(int=1)|%!w(main.templateData={web})"),
        ("%", "", "%!(NOVERB)"),
        ("%d %d", "1", "1 %!d(MISSING)"),
        ("%%|%5%|%!", "1", "%|%|%!!(int=1)"),
        ("a", '1 "b" nil', "a%!(EXTRA int=1, string=b, <nil>)"),
        ("%[2]d %[1]d", "1 2", "2 1"),
        (
            "%[3]d|%[x]d|%[0]d|%[",
            "1",
            "%!d(BADINDEX)|%!d(BADINDEX)|%!d(BADINDEX)|%!(NOVERB)",
        ),
        (
            "%[1]2d|%[1].2d|%[9][1]d",
            "1",
            "%!d(BADINDEX)|%!d(BADINDEX)|%![(BADINDEX)1]d",
        ),
        ("%*d|%-*d|%.*d|%*d", "3 1 3 1 2 1 -3 1", "  1|1  |01|1  "),
        (
            "%*d|%.*d|%*d",
            '"a" 1 -1 1',
            "%!(BADWIDTH)1|%!(BADPREC)1|%!(BADWIDTH)%!d(MISSING)",
        ),
        ("%99999999d", "1", "%!(NOVERB)%!(EXTRA int=1)"),
    ],
)
def test_printf(form: str, arguments: str, expected: str) -> None:
    """`printf` knows Go's verbs, flags and complaints."""
    assert render(f"{{{{printf `{form}` {arguments}}}}}") == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("a\n{{ foo }}", 'template:2: function "foo" not defined'),
        ("{{ $x }}", 'template:1: undefined variable "$x"'),
        ("{{ .AppName", "template:1: unclosed action"),
        ("a\n{{\n.AppName", "template:3: unclosed action started at template:2"),
        ("{{ /* c */ }}", 'template:1: unexpected "/" in command'),
        ("{{ 1 | 2 }}", "template:1: non executable command in pipeline stage 2"),
        ("{{ break }}", "template:1: {{break}} outside {{range}}"),
        ("{{ if 1 }}", "template:1: unexpected EOF"),
        ("{{ 1-i }}", "template:1: syntax error scanning complex number"),
        ("{{ 1e400 }}", 'template:1: illegal number syntax: "1e400"'),
        (
            '{{ define "template" }}a{{ end }}b',
            'template:1: template: multiple definition of template "template"',
        ),
        (
            "é\né{{ .X }}",
            (
                f"template:2:5: {AT} <.X>: can't evaluate field X in type"
                " main.templateData"
            ),
        ),
        ("{{ nil }}", f"template:1:3: {AT} <nil>: nil is not a command"),
        (
            "{{ 1 2 }}",
            f"template:1:3: {AT} <1>: can't give argument to non-function 1",
        ),
        (
            "{{ 9223372036854775808 }}",
            (
                f"template:1:3: {AT} <9223372036854775808>:"
                " 9223372036854775808 overflows int"
            ),
        ),
        (
            "{{ printf 1 }}",
            f"template:1:10: {AT} <1>: expected string; found 1",
        ),
        (
            "{{ 1 | printf }}",
            (
                f"template:1:7: {AT} <printf>: wrong type for value; expected string;"
                " got int"
            ),
        ),
        (
            "{{ or nil | printf }}",
            f"template:1:12: {AT} <printf>: invalid value; expected string",
        ),
        (
            "{{ printf nil }}",
            f"template:1:10: {AT} <nil>: cannot assign nil to string",
        ),
        (
            "{{ . | call }}",
            (
                f"template:1:7: {AT} <call>: error calling call: non-function"
                " <main.templateData Value> of type main.templateData"
            ),
        ),
        (
            "{{ or nil | call }}",
            f"template:1:12: {AT} <call>: error calling call: call of nil",
        ),
        (
            "{{ index .AppName 3 }}",
            (
                f"template:1:3: {AT} <index .AppName 3>: error calling index:"
                " reflect: string index out of range"
            ),
        ),
        (
            "{{ slice .AppName 2 1 }}",
            (
                f"template:1:3: {AT} <slice .AppName 2 1>: error calling slice:"
                " invalid slice index: 2 > 1"
            ),
        ),
        (
            "{{ len nil }}",
            (
                f"template:1:3: {AT} <len nil>: error calling len:"
                " reflect: call of reflect.Value.Type on zero Value"
            ),
        ),
        (
            "{{ lt true false }}",
            (
                f"template:1:3: {AT} <lt true false>: error calling lt:"
                " invalid type for comparison"
            ),
        ),
        (
            "{{ range $i, $e := 2 }}{{ end }}",
            (
                f"template:1:19: {AT} <2>: can't use 2 to iterate over more than one"
                " variable"
            ),
        ),
        (
            '{{ define "a\\"b" }}{{ .X }}{{ end }}{{ template "a\\"b" 1 }}',
            (
                'template:1:22: executing "a\\"b" at <.X>:'
                " can't evaluate field X in type int"
            ),
        ),
    ],
)
def test_refusals(template: str, expected: str) -> None:
    """A wrong template is refused with Go's text: line, column, node and reason."""
    with pytest.raises(gotemplate.TemplateError) as caught:
        gotemplate.render(template, "web")

    assert str(caught.value) == f"template: {expected}"


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("/* a", "unclosed comment"),
        ("(1", "unclosed left paren"),
        ("1 : 2", "expected :="),
        ("\x01", "unrecognized character in action: U+0001"),
        ("1)", "unexpected right paren"),
        ("1+1e999i", 'strconv.ParseFloat: parsing "+1e999": value out of range'),
        ("1+1_i", 'strconv.ParseFloat: parsing "+1_": invalid syntax'),
        ("", "missing value for command"),
        ("()", "missing value for parenthesized pipeline"),
        ("range $i, 1", "range can only initialize variables"),
        ("range $a, $b, $c := 1", "too many declarations in range"),
        ("''", "invalid syntax"),
        ("'ab'", "malformed character constant: 'ab'"),
        ('"\\q"', "invalid syntax"),
        ('"\\400"', "invalid syntax"),
        ('"\\ud800"', "invalid syntax"),
        ('"\\\'"', "invalid syntax"),
        ('template "\\q"', "invalid syntax"),
        ('"a', "unterminated quoted string"),
        ("`a", "unterminated raw quoted string"),
        ("'a", "unterminated character constant"),
        ("a;", "bad character U+003B ';'"),
        ("template 1", 'unexpected "1" in template clause'),
        ("true.X", 'unexpected . after term "true"'),
        ("end", "unexpected {{end}}"),
        ("else", "unexpected {{else}}"),
        ("1x", 'bad number syntax: "1x"'),
        ("-", 'illegal number syntax: "-"'),
    ],
)
def test_actions_that_cannot_be_parsed(action: str, reason: str) -> None:
    """An action against the grammar is refused with its line."""
    assert render(f"{{{{{action}}}}}") == f"template: template:1: {reason}"


@pytest.mark.parametrize(
    ("action", "column", "node", "reason"),
    [
        ("slice nil", 2, "slice nil", "error calling slice: slice of untyped nil"),
        (
            "slice .AppName 0 1 2 3",
            2,
            "slice .AppName 0 1 2 3",
            "error calling slice: too many slice indexes: 4",
        ),
        ("slice 1", 2, "slice 1", "error calling slice: can't slice item of type int"),
        (
            "slice .AppName nil",
            2,
            "slice .AppName nil",
            "error calling slice: cannot index slice/array with nil",
        ),
        (
            "index .AppName true",
            2,
            "index .AppName true",
            "error calling index: cannot index slice/array with type bool",
        ),
        (".X.Y | print", 4, ".X.Y", "can't evaluate field X in type main.templateData"),
        ('"a" | call', 8, "call", "error calling call: non-function a of type string"),
        ("(.AppName).X", 3, ".AppName", "can't evaluate field X in type string"),
        ("1 (2)", 2, "1", "can't give argument to non-function 1"),
        ("len 1 2", 2, "len", "wrong number of args for len: want 1 got 2"),
        (
            'lt 1 "a"',
            2,
            'lt 1 "a"',
            "error calling lt: incompatible types for comparison: int and string",
        ),
        (
            "eq 1 1.0",
            2,
            "eq 1 1.0",
            "error calling eq: incompatible types for comparison: int and float64",
        ),
        ("eq 1", 2, "eq 1", "error calling eq: missing argument for comparison"),
        (
            "index 1 1",
            2,
            "index 1 1",
            "error calling index: can't index item of type int",
        ),
        ("(nil).X", 3, "nil", "nil is not a command"),
        (
            ".AppName 1",
            2,
            ".AppName",
            "AppName has arguments but cannot be invoked as function",
        ),
        ('template "u"', 11, '{{template "u"}}', 'template "u" not defined'),
    ],
)
def test_actions_that_cannot_be_executed(
    action: str, column: int, node: str, reason: str
) -> None:
    """An action that makes no sense is refused at the node that Go names."""
    expected = f"template: template:1:{column}: {AT} <{node}>: {reason}"

    assert render(f"{{{{{action}}}}}") == expected


NESTED = "nested more than 50 levels"
EXECUTED = "executed more than 75 levels"
STEPS = "more than 10000 steps"
LENGTH = "more than 4096 bytes"


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("template", "bound"),
    [
        pytest.param(f"{{{{{'(' * 4000}1{')' * 4000}}}}}", NESTED, id="parentheses"),
        pytest.param("{{if 1}}" * 900, NESTED, id="blocks"),
        pytest.param("{{if 0}}" + "{{else if 0}}" * 500, NESTED, id="else-chain"),
        pytest.param("{{range 999999999}}{{end}}", STEPS, id="endless-range"),
        pytest.param("{{range 999999999}}x{{end}}", LENGTH, id="endless-output"),
        pytest.param(
            f"{'{{range 99}}' * 4}{'{{end}}' * 4}", STEPS, id="ranges-in-ranges"
        ),
        pytest.param('{{template "template"}}', EXECUTED, id="calls-itself"),
        pytest.param(
            '{{define "a"}}{{template "b"}}{{end}}{{define "b"}}{{template "a"}}'
            '{{end}}{{template "a"}}',
            EXECUTED,
            id="call-each-other",
        ),
        pytest.param(
            f'{{{{define "t"}}}}{{{{with {"(and " * 40}1{")" * 40}}}}}'
            '{{template "t"}}{{end}}{{end}}{{template "t"}}',
            EXECUTED,
            id="deep-and-calls-itself",
        ),
        pytest.param('{{printf "%9999999d" 1}}', LENGTH, id="width"),
        pytest.param('{{printf "%*d" 999999 1}}', LENGTH, id="width-from-argument"),
        pytest.param('{{printf "%.999999f" 1.5}}', LENGTH, id="precision"),
        pytest.param('{{printf "%.999999d" 1}}', LENGTH, id="digits"),
        pytest.param('{{printf "%.999999U" 1}}', LENGTH, id="code-point"),
        pytest.param(
            f'{{{{printf "{"%4000d" * 500}"{" 1" * 500}}}}}', LENGTH, id="many-widths"
        ),
        pytest.param(
            '{{$x := "aaaaaaaaaaaaaaaa"}}' + "{{$x = print $x $x}}" * 40,
            LENGTH,
            id="doubling",
        ),
        pytest.param(
            f'{{{{$x := "{"%[1]c" * 800}"}}}}'
            "{{range 9999}}{{$y := printf $x 65}}{{end}}",
            STEPS,
            id="costly-format",
        ),
        pytest.param("x" * 8193, "longer than 8192 characters", id="long-template"),
    ],
)
def test_bounds(template: str, bound: str) -> None:
    """A template that would take too much ends soon, and the error says that we did."""
    with pytest.raises(gotemplate.TemplateError) as caught:
        gotemplate.render(template, "web")

    assert bound in str(caught.value)
    assert str(caught.value).endswith(OURS)


@pytest.mark.parametrize(
    "number",
    ["9" * 8000, f"0x{'f' * 8000}", f"0{'7' * 8000}", f"1e{'9' * 8000}", "1_" * 4000],
    ids=["decimal", "hexadecimal", "octal", "exponent", "underscores"],
)
def test_huge_numbers(number: str) -> None:
    """A number of any length is refused as Go refuses it."""
    expected = f'template: template:1: illegal number syntax: "{number}"'

    assert render(f"{{{{{number}}}}}") == expected


def test_surrogates() -> None:
    """Text that no encoding allows is still answered."""
    assert render("\ud800{{.AppName}}", "\udcff\ud800") == "???"


@given(st.text(max_size=60), st.text(max_size=10))
def test_arbitrary_text(template: str, app: str) -> None:
    """Any text is rendered or refused."""
    assert isinstance(render(template, app), str)


@given(st.lists(st.sampled_from(SNIPPETS), max_size=25), st.text(max_size=10))
def test_arbitrary_templates(snippets: list[str], app: str) -> None:
    """Anything that resembles a template is rendered or refused."""
    assert isinstance(render(" ".join(snippets), app), str)


@given(st.text(max_size=60).filter(lambda text: "{{" not in text))
def test_text_without_actions(text: str) -> None:
    """Text outside of actions stays as it is."""
    assert render(text) == text.encode("utf-8", "replace").decode()


@pytest.mark.parametrize(
    ("template", "text", "has_gap"),
    [
        ("{{ .Name }}-{{ .Count }}", "web-7", False),
        ('{{ printf "%03d" .Count }}', "007", False),
        ("{{ . }}", "{web 7 }", False),
        ('{{ printf "%+v" . }}', "{Name:web Count:7 None:}", False),
        ("{{ .None }}x", "x", True),
        ('{{ printf "x%s" .None }}', "x", True),
        ("{{ print .None .Count }}", "7", True),
        ('{{ or .None "x" }}', "x", False),
        ("{{ if .None }}y{{ end }}x", "x", False),
        ("{{ $x := .None }}x", "x", False),
    ],
)
def test_several_fields(template: str, text: str, has_gap: bool) -> None:
    """Data may have strings and integers, and it is noted if nothing was printed."""
    rendered = gotemplate.render_fields(
        template, {"Name": "web", "Count": 7, "None": ""}
    )

    assert rendered == gotemplate.Rendered(text, has_gap)


def test_a_field_that_is_not_there() -> None:
    """Its error is that of Go."""
    with pytest.raises(gotemplate.TemplateError, match="can't evaluate field Nam in"):
        gotemplate.render_fields("{{ .Nam }}", {"Name": "web"})
