"""`releases`: which image went out under which number."""

import dataclasses
import re
import time

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.core.hook import deployed_record
from dokku_registryd.core.release import completeness, releases
from dokku_registryd.core.release.origins import Origin
from dokku_registryd.core.release.releases import ReleaseState
from support.calling import Caller

DIGEST = "sha256:" + "ab" * 32
COMMIT = "3f1c9a7be2" * 4
PARTS = ("layer a", "layer b")
NUMBER_GONE = completeness.Number.GONE
ORIGIN = Origin(
    revision=COMMIT, branch="main", source="git-hook", deployer="ana", began_at=5.0
)


HEADS = [
    *("APP", "NUMBER", "STATE", "AGE", "REVISION", "BY", "HOW", "DIGEST", "REFERENCE")
]
UNKNOWN = ("-", "-", "-", "-")


def cells(lines: list[str]) -> list[list[str]]:
    """Return the cells of lines of a table."""
    return [re.split(r" {2,}", line) for line in lines]


def reserve(book: ledger.SqliteLedger, job_id: str, app: str, *, age: float) -> None:
    """Reserve the next number of an app, `age` seconds ago."""
    book.reserve(
        releases.Release(
            job_id=job_id,
            app=app,
            number=1,
            image_id="sha256:1d",
            server="r.example/",
            image_repo=f"org/{app}",
            scheduler="docker-local",
            created_at=time.time() - age,
        )
    )


def test_a_folder_that_is_away(caller: Caller) -> None:
    """Without the folder nothing is known of releases, which is not to have none."""
    caller.data_dir.rename(caller.data_dir.with_name("away"))

    with pytest.raises(errors.LedgerError, match=f"no folder {caller.data_dir} "):
        caller.call("releases")


@pytest.fixture
def history(caller: Caller, book: ledger.SqliteLedger) -> ledger.SqliteLedger:
    """Give a host with two apps and three releases."""
    for app in ("web", "api"):
        (caller.home / app).mkdir()
    reserve(book, "1.1.1", "web", age=10_900)
    book.update_release("1.1.1", state=ReleaseState.PUSHED, digest=DIGEST)
    book.note_origin("1.1.1", ORIGIN)
    reserve(book, "2.1.1", "web", age=150)
    reserve(book, "3.1.1", "api", age=90)
    return book


def test_nothing_was_released(caller: Caller) -> None:
    """A host without a ledger has no releases, for people and for scripts."""
    assert caller.call("releases").lines == ["No releases yet."]
    assert caller.call("releases", "--format", "json").json == []


def test_all_releases(caller: Caller, history: ledger.SqliteLedger) -> None:
    """Releases stand in columns, by app, the highest number first."""
    assert cells(caller.call("releases").lines) == [
        HEADS,
        ["api", "1", "reserved", "1 min", *UNKNOWN, "r.example/org/api:1"],
        ["web", "2", "reserved", "2 min", *UNKNOWN, "r.example/org/web:2"],
        [
            *("web", "1", "pushed", "3 h", "3f1c9a7", "ana", "git-hook"),
            *("abababababab", "r.example/org/web:1"),
        ],
    ]


def test_a_release_that_failed(caller: Caller, history: ledger.SqliteLedger) -> None:
    """The reason is below the release."""
    history.update_release("2.1.1", state=ReleaseState.FAILED, error="no such login")

    lines = caller.call("releases").lines[2:4]
    assert cells(lines[:1]) == [
        ["web", "2", "failed", "2 min", *UNKNOWN, "r.example/org/web:2"]
    ]
    assert lines[1] == "  no such login"


def test_the_releases_of_one_app(caller: Caller, history: ledger.SqliteLedger) -> None:
    """With a name, only that app is listed."""
    assert caller.call("releases", "api").lines == [
        "APP  NUMBER  STATE     AGE    REVISION  BY  HOW  DIGEST  REFERENCE",
        "api  1       reserved  1 min  -         -   -    -       r.example/org/api:1",
    ]


def test_the_latest_releases(caller: Caller, history: ledger.SqliteLedger) -> None:
    """A limit leaves the newest, in the usual order."""
    assert caller.call("releases", "--limit", "2").lines == [
        "APP  NUMBER  STATE     AGE    REVISION  BY  HOW  DIGEST  REFERENCE",
        "api  1       reserved  1 min  -         -   -    -       r.example/org/api:1",
        "web  2       reserved  2 min  -         -   -    -       r.example/org/web:2",
    ]
    rows = caller.call("releases", "--limit", "1", "--format", "json").json
    assert [row["app"] for row in rows] == ["api"]


def test_releases_for_a_script(caller: Caller, history: ledger.SqliteLedger) -> None:
    """A script gets the whole row, with the full digest and what is known of it."""
    history.record_check(completeness.shown("1.1.1", DIGEST, parts=3, now=5.0))
    history.record_tag_moves("1.1.1", {"latest": ""})

    newer, older = caller.call("releases", "web", "--format", "json").json

    created = older.pop("created_at")
    assert isinstance(created, float)
    assert older == {
        "job_id": "1.1.1",
        "app": "web",
        "number": 1,
        "image_id": "sha256:1d",
        "server": "r.example/",
        "image_repo": "org/web",
        "scheduler": "docker-local",
        "state": "pushed",
        "is_deploy_continued": False,
        "digest": DIGEST,
        "pushed_at": 0.0,
        "error": "",
        "build": "",
        "live_at": 0.0,
        "failed_at": 0.0,
        "reference": "r.example/org/web:1",
        "is_live": False,
        "is_held": False,
        "parts": "complete",
        "complete_at": 5.0,
        "removed_at": 0.0,
        "missing": [],
        "revision": COMMIT,
        "branch": "main",
        "source": "git-hook",
        "deployer": "ana",
        "began_at": 5.0,
        "from_app": "",
        "from_number": 0,
        "how": "git-hook",
        "extra_tags": [{"tag": "latest", "previous": ""}],
    }
    assert (newer["number"], newer["state"]) == (2, "reserved")
    assert (newer["parts"], newer["complete_at"]) == ("not checked", 0.0)
    assert (newer["revision"], newer["how"], newer["extra_tags"]) == ("", "", [])


@pytest.mark.parametrize("name", ["shop", "../web", "web\n"])
def test_an_app_that_does_not_exist(
    caller: Caller, history: ledger.SqliteLedger, name: str
) -> None:
    """A name that is not an app of this host is refused with Dokku's message."""
    with pytest.raises(errors.RegistrydError, match="does not exist"):
        caller.call("releases", name)


def test_what_a_release_repeats(caller: Caller, history: ledger.SqliteLedger) -> None:
    """A rollback names both numbers, a promotion the other app."""
    now = time.time()
    history.update_release("2.1.1", live_at=now - 120)
    reserve(history, "4.1.1", "web", age=60)
    history.note_origin("4.1.1", Origin(from_app="web", from_number=1, deployer="bo"))
    history.note_origin("3.1.1", Origin(from_app="web", from_number=2))

    rows = caller.call("releases", "--format", "json").json
    table = caller.call("releases").text

    assert {row["job_id"]: row["how"] for row in rows} == {
        "1.1.1": "git-hook",
        "2.1.1": "",
        "3.1.1": "promoted from web 2",
        "4.1.1": "rolled back from 2 to 1",
    }
    assert "bo   rolled back from 2 to 1  -" in table


def test_one_release(caller: Caller, history: ledger.SqliteLedger) -> None:
    """With a number all is shown that is known of it."""
    began = 1_767_323_045.0
    release = history.release_of("1.1.1")
    assert release
    history.reserve(
        dataclasses.replace(
            release, job_id="5.1.1", created_at=began + 49, build="1abc", sequence=0
        ),
        dataclasses.replace(ORIGIN, began_at=began),
    )
    history.update_release(
        "5.1.1",
        state=ReleaseState.PUSHED,
        digest="sha256:" + "cd" * 32,
        pushed_at=began + 53,
        live_at=began + 50,
    )
    history.record_tag_moves(
        "5.1.1", {"latest": DIGEST, "v3": "", "odd": "?", "blue": "sha256:" + "e" * 64}
    )
    log = caller.data_dir.parent / "builds" / "web" / "1abc.log"
    log.parent.mkdir(parents=True)
    log.touch()

    lines = caller.call("releases", "web", "3").lines

    tags = "blue (was eeeeeeeeeeee), latest (was 1), odd (was unknown), v3 (was new)"
    age = f"{int((time.time() - began) // 86400)} d ago"
    assert lines == [
        "web 3",
        "  state:         pushed, and was live",
        "  reference:     r.example/org/web:3",
        "  digest:        sha256:" + "cd" * 32,
        "  image ID:      sha256:1d",
        "  made by:       git-hook",
        f"  revision:      {COMMIT}",
        "  branch:        main",
        "  deployed by:   ana",
        "  build:         1abc, its log: dokku builds:output web 1abc",
        "  scheduler:     docker-local",
        f"  extra tags:    {tags}",
        f"  build began:   2026-01-02 03:04:05 UTC ({age})",
        "  number given:  2026-01-02 03:04:54 UTC (49 s later)",
        "  pushed:        2026-01-02 03:04:58 UTC (4 s later)",
        "  live:          2026-01-02 03:04:55 UTC (3 s earlier)",
        "  parts:         not checked in the registry",
    ]
    (found,) = caller.call("releases", "web", "3", "--format", "json").json
    assert found["job_id"] == "5.1.1"


def test_a_long_name(caller: Caller, history: ledger.SqliteLedger) -> None:
    """The name of a key can be any text; the table cuts it, the page does not."""
    name = "ana " * 40
    history.note_origin("2.1.1", Origin(deployer=name, source="git-hook"))

    row = next(line for line in caller.call("releases").lines if "web  2" in line)
    assert f"{name[:37]}...  git-hook" in row
    assert f"deployed by:   {name.strip()}" in caller.call("releases", "web", "2").text


def test_a_command_on_the_host(caller: Caller, history: ledger.SqliteLedger) -> None:
    """Dokku's word for it is `default`, which only scripts get."""
    history.note_origin("2.1.1", Origin(deployer="default", source="ps:rebuild"))

    table = caller.call("releases", "web").lines
    page = caller.call("releases", "web", "2").lines
    document = caller.call("releases", "web", "--format", "json")

    assert cells(table)[1][5] == "host"
    assert ["deployed", "by:", "host"] in [line.split() for line in page]
    assert document.json[0]["deployer"] == "default"


def test_a_digest_of_two_numbers(caller: Caller, history: ledger.SqliteLedger) -> None:
    """A tag is said to have been the latest number that it can have been."""
    for job_id in ("5.1.1", "6.1.1", "7.1.1"):
        reserve(history, job_id, "web", age=60)
    for job_id in ("5.1.1", "7.1.1"):  # 3 and 5 are rollbacks to 1
        history.update_release(job_id, digest=DIGEST)
    history.record_tag_moves("6.1.1", {"latest": DIGEST})

    assert "latest (was 3)" in caller.call("releases", "web", "4").text


def test_a_release_of_which_little_is_known(
    caller: Caller, history: ledger.SqliteLedger
) -> None:
    """What is unknown is said, not left out."""
    shown = caller.call("releases", "web", "2").lines

    assert shown[:4] == [
        "web 2",
        "  state:         reserved",
        "  reference:     r.example/org/web:2",
        "  digest:        none yet",
    ]
    assert shown[5:9] == [
        "  made by:       unknown: Dokku did not tell",
        "  revision:      unknown",
        "  deployed by:   unknown",
        "  build:         unknown",
    ]


def test_an_adopted_release(caller: Caller, history: ledger.SqliteLedger) -> None:
    """Its times are those of the record, and it says that they are."""
    known = history.release_of("1.1.1")
    assert known
    adopted = dataclasses.replace(
        known, job_id="adopted-web-7-5", number=7, created_at=5.0, pushed_at=5.0
    )
    history.adopt(adopted)

    text = caller.call("releases", "web", "7").text

    assert "made by:      unknown: it was recorded later, from what ran" in text
    assert "recorded:     1970-01-01 00:00:05 UTC" in text
    assert "number given" not in text


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (
            completeness.Record(
                job_id="1.1.1", digest=DIGEST, lacking=2, missing=PARTS, checked_at=5.0
            ),
            "incomplete: the registry lacks 2: layer a, layer b",
        ),
        (
            completeness.Record(
                job_id="1.1.1", digest=DIGEST, number=NUMBER_GONE, checked_at=5.0
            ),
            "number gone",
        ),
        (
            completeness.shown("1.1.1", DIGEST, parts=3, now=time.time() - 7300),
            "all 3 in the registry, 2 h ago",
        ),
    ],
    ids=["incomplete", "gone", "complete"],
)
def test_the_parts_of_one_release(
    caller: Caller,
    history: ledger.SqliteLedger,
    record: completeness.Record,
    said: str,
) -> None:
    """What the last check of its registry has shown is there."""
    history.record_check(record)

    (line,) = [
        line for line in caller.call("releases", "web", "1").lines if "parts" in line
    ]
    assert line.partition(":")[2].strip() == said


def test_a_failed_release(caller: Caller, history: ledger.SqliteLedger) -> None:
    """Its page says why, and when its deploy failed."""
    history.update_release(
        "2.1.1", state=ReleaseState.FAILED, error="no such login", failed_at=time.time()
    )

    text = caller.call("releases", "web", "2").text

    assert "state:          failed, but its deploy failed" not in text
    assert "error:          no such login" in text
    assert "deploy failed:  20" in text


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("web", "web has no release 9: the ledger has 1 to 2. List them with:"),
        ("new", "new has no release 9: it has none yet"),
        ("one", "one has no release 9: the ledger has only 1. List them with:"),
    ],
)
def test_a_number_that_is_not_there(
    caller: Caller, history: ledger.SqliteLedger, app: str, said: str
) -> None:
    """The known ones are named."""
    (caller.home / app).mkdir(exist_ok=True)
    (known,) = (row for row in history.releases("web") if row.number == 1)
    history.adopt(
        dataclasses.replace(known, job_id="9.1.1", app="one", image_repo="org/one")
    )

    with pytest.raises(errors.RegistrydError, match=said):
        caller.call("releases", app, "9")


def test_what_runs_and_what_is_held(
    caller: Caller, history: ledger.SqliteLedger
) -> None:
    """The release that runs is told from those that ran, and held ones are marked."""
    running = history.release_of("1.1.1")
    assert running
    record = caller.data_dir / "deployed" / "web"
    record.parent.mkdir(exist_ok=True)
    record.write_text(deployed_record.render(running.deployed))
    prop = caller.data_dir.parents[1] / "config" / "registryd" / "web" / "hold"
    prop.parent.mkdir(parents=True, exist_ok=True)
    prop.write_text("1: the last good one; 2")

    rows = [line for line in caller.call("releases").lines if line.startswith("web")]

    assert [re.split(r" {2,}", row)[2] for row in rows] == [
        "reserved, held",
        "live, held",
    ]
    page = caller.call("releases", "web", "1").text
    assert "state:         pushed, and is live" in page
    assert "held:          the last good one" in page
    told = caller.call("releases", "web", "--format", "json").json
    assert [(row["is_live"], row["is_held"]) for row in told] == [
        (False, True),
        (True, True),
    ]
