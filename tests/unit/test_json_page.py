"""docs/json.md: the JSON of each verb, and the schemas that describe it."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dokku_registryd.core.image import wanted
from dokku_registryd.core.job.kinds import RULES
from dokku_registryd.core.job.outcomes import Ending
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.adoption import Adoption
from dokku_registryd.core.release.releases import ReleaseState
from dokku_registryd.core.status import findings
from dokku_registryd.core.status.findings import Level
from dokku_registryd.verbs.releases import heal
from support import json_schemas, parser_pages
from support.calling import Caller

PARSED = parser_pages.verbs(parser_pages.build())
WITH_JSON = [
    verb.name
    for verb in PARSED
    if any("--format" in option.option_strings for option in verb.options)
]

RECORDED = [kind for kind, rules in RULES.items() if not rules.has_own_lane]


def parts(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a schema and all schemas within it."""
    inner = [*schema.get("properties", {}).values()]
    inner += [schema["items"]] if "items" in schema else []
    return [schema, *(part for each in inner for part in parts(each))]


def field(verb: str, *names: str) -> dict[str, Any]:
    """Return the schema of a key; a list stands for its items."""
    schema = json_schemas.load(verb)
    for name in names:
        schema = schema.get("items", schema)["properties"][name]
    return schema


def test_page() -> None:
    """The page has the tables that the schemas render to: `make pages`."""
    rendered = json_schemas.PAGE.read_text().partition(json_schemas.BEGIN)[2]

    assert rendered == "\n" + json_schemas.render(), "run make pages"


def test_each_verb_has_a_schema() -> None:
    """Each verb with `--format json` is described, and no other."""
    assert set(json_schemas.VERBS) == set(WITH_JSON)


@pytest.mark.parametrize("verb", json_schemas.VERBS)
def test_schema(verb: str) -> None:
    """A schema is valid, knows all keys, and explains each of them."""
    schema = json_schemas.load(verb)

    jsonschema.Draft202012Validator.check_schema(schema)
    for part in parts(schema):
        assert re.fullmatch(r"(?s)[A-Z`].*\.", part["description"]), part
        if "properties" in part:
            assert part["additionalProperties"] is False
            assert part["required"] == list(part["properties"])


@pytest.mark.parametrize(
    ("place", "values"),
    [
        (("status", "recent", "outcome"), list(Ending)),
        (("releases", "state"), list(ReleaseState)),
        (("releases", "parts"), list(completeness.Standing)),
        (("status", "incomplete", "number"), list(completeness.Number)),
        (("doctor", "level"), list(Level)),
        (("history", "outcome"), list(Ending)),
        (("status", "unfinished", "intent"), RECORDED),
        (("status", "recent", "intent"), RECORDED),
        (("history", "intent"), RECORDED),
    ],
    ids=lambda it: ".".join(map(str, it)),
)
def test_values(place: tuple[str, ...], values: list[str]) -> None:
    """The values that a schema lists are those of the code."""
    listed = field(*place)["enum"]

    assert set(listed) == set(values), f"docs/schemas/{place[0]}.json"


@pytest.mark.parametrize(
    ("verb", "names"),
    [
        ("doctor", set(findings.ok("disk", "").as_document())),
        ("notify", set(findings.ok("disk", "").as_document())),
        ("adopt", set(Adoption.__dataclass_fields__)),
    ],
    ids=["doctor", "notify", "adopt"],
)
def test_keys(verb: str, names: set[str]) -> None:
    """A list of values has the keys of their class."""
    assert set(json_schemas.load(verb)["items"]["properties"]) == names


@pytest.mark.parametrize("verb", ["status", "releases", "health", "check"])
def test_a_new_host(tmp_path: Path, verb: str) -> None:
    """On a host where nothing happened a verb prints a document of its form."""
    document = Caller(tmp_path).call(verb, "--format", "json").json

    assert isinstance(document, dict | list)


def test_gaps() -> None:
    """What `heal` prints has the documented keys."""
    entry = wanted.Wanted(
        app="web", reference="org/web:1", source="r.example/org/web:1", digest=""
    )
    gaps: list[wanted.Gap] = [wanted.Pull(wanted=entry), wanted.Lost(wanted=entry)]

    json_schemas.check("heal", [heal._as_json(gap) for gap in gaps])


@pytest.mark.parametrize(
    "change", [{"new": 1}, {"ready": "yes"}, {"reasons": None}], ids=str
)
def test_what_is_not_described(change: dict[str, object]) -> None:
    """A key that no schema describes, or another type, is found."""
    document = {"ready": True, "reasons": []} | change

    with pytest.raises(jsonschema.ValidationError):
        json_schemas.parse("health", json.dumps(document))
