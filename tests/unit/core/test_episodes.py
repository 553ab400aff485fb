"""When a channel is told of a trouble: once, with others, and of its end."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from dokku_registryd.core.notify import episodes
from dokku_registryd.core.notify.episodes import Memory
from dokku_registryd.core.notify.troubles import Found, Key, Kind

FAILED: Key = (Kind.RELEASE_FAILED, "web")
DELAYED: Key = (Kind.PUSH_DELAYED, "web")
GRACE = 30.0


@dataclass
class Story:
    """A host whose troubles a test begins and ends, and what its channels get."""

    now: float = 1_700_000_000.0
    memory: Memory = field(default_factory=Memory)
    channels: frozenset[str] = frozenset({"mail"})
    away: set[str] = field(default_factory=set)
    """Channels that cannot be reached."""
    current: dict[Key, str] = field(default_factory=dict)
    got: list[tuple[str, list[Key], list[Key], list[Key]]] = field(default_factory=list)
    """Channel, what began, what ended, what came and went."""

    def turn(
        self, seconds: float = 5.0, unknown: frozenset[Kind] = frozenset()
    ) -> None:
        """Look once after some seconds."""
        self.now += seconds
        found = Found(
            current={k: v for k, v in self.current.items() if k[0] not in unknown},
            unknown=unknown,
        )
        memory = episodes.follow(self.memory, found, now=self.now, grace=GRACE)
        memory = episodes.tidy(memory, self.channels, now=self.now)
        states = dict(memory.channels)
        for name, channel in memory.channels.items():
            due = episodes.due(channel, memory.episodes, now=self.now, grace=GRACE)
            if not due:
                continue
            if name in self.away:
                states[name] = episodes.failed(channel, "x", now=self.now, delay=9)
                continue
            parts = (list(due.began), list(due.ended), list(due.passed))
            self.got.append((name, *parts))
            states[name] = episodes.delivered(channel, due, now=self.now)
        self.memory = Memory(episodes=memory.episodes, channels=states)

    def wait(self, seconds: float) -> None:
        """Look every five seconds, or sixty times."""
        for _ in range(min(60, int(seconds / 5))):
            self.turn(max(5, seconds / 60))

    def begin(self, *keys: Key) -> None:
        """Let troubles begin."""
        self.current |= dict.fromkeys(keys, "reason")

    def end(self, *keys: Key) -> None:
        """Let troubles end."""
        for key in keys:
            del self.current[key]


def test_once() -> None:
    """A trouble is told within a minute and once, and so is its end."""
    story = Story()
    story.begin(FAILED)
    story.wait(60)
    assert story.got == [("mail", [FAILED], [], [])]
    story.wait(3600)
    story.end(FAILED)
    story.wait(60)
    story.wait(3600)

    assert story.got[1:] == [("mail", [], [FAILED], [])]


def test_what_passes_by_itself() -> None:
    """A delay that ends soon is not told; one that lasts is."""
    story = Story()
    story.begin(DELAYED)
    story.wait(20)
    story.end(DELAYED)
    story.wait(120)
    assert story.got == []
    story.begin(DELAYED)
    story.wait(60)

    assert story.got == [("mail", [DELAYED], [], [])]


def test_one_that_becomes_worse() -> None:
    """The end of a delayed push that fails is told with that of the failure."""
    story = Story()
    story.begin(DELAYED)
    story.wait(60)
    story.end(DELAYED)
    story.begin(FAILED)
    story.wait(3600)
    assert story.got == [("mail", [DELAYED], [], []), ("mail", [FAILED], [], [])]
    story.end(FAILED)
    story.wait(120)

    assert story.got[2:] == [("mail", [], [DELAYED, FAILED], [])]


def test_one_that_became_worse_before_it_was_told() -> None:
    """A release that failed within seconds is not told to wait for its next attempt."""
    story = Story()
    story.begin(DELAYED)
    story.wait(20)
    story.end(DELAYED)
    story.begin(FAILED)
    story.wait(600)
    story.end(FAILED)
    story.wait(600)

    assert story.got == [("mail", [FAILED], [], []), ("mail", [], [FAILED], [])]


def test_a_flood_is_one_message() -> None:
    """Fifty apps that fail because of one registry are told together."""
    story = Story()
    apps = [(Kind.PUSH_DELAYED, f"app{number}") for number in range(50)]
    story.begin(*apps)
    story.wait(60)

    assert story.got == [("mail", apps, [], [])]


def test_a_flood_in_pieces() -> None:
    """Troubles that begin one after the other make few messages, and all are told."""
    story = Story()
    apps = [(Kind.RELEASE_FAILED, f"app{number}") for number in range(200)]
    for app in apps:
        story.begin(app)
        story.turn(10)
    story.wait(1200)

    assert [key for _, began, _, _ in story.got for key in began] == apps
    assert len(story.got) < 20


def test_one_that_comes_and_goes() -> None:
    """A trouble that flaps is told as one that lasts, after a few messages."""
    story = Story()
    for _ in range(100):
        story.begin(FAILED)
        story.wait(60)
        story.end(FAILED)
        story.wait(60)
    told = len(story.got)
    assert told < 12
    story.wait(2 * 3600)

    assert story.got[told:] == [("mail", [], [FAILED], [])]


def test_a_channel_that_is_away() -> None:
    """It gets all that it has missed in one message, and what is over as over."""
    story = Story(channels=frozenset({"mail", "chat"}))
    other = (Kind.RELEASE_FAILED, "api")
    story.turn()
    story.away = {"mail"}
    story.begin(FAILED)
    story.wait(60)
    story.end(FAILED)
    story.begin(other)
    story.wait(8 * 3600)
    assert [got for got in story.got if got[0] == "mail"] == []
    assert len(story.got) == 2
    story.away = set()
    story.wait(60)

    assert [got for got in story.got if got[0] == "mail"] == [
        ("mail", [other], [], [FAILED])
    ]


def test_a_new_channel() -> None:
    """It is told what lasts, and not what was over before it was there."""
    story = Story()
    other = (Kind.PUSH_DELAYED, "api")
    story.begin(FAILED, other)
    story.wait(60)
    story.end(other)
    story.wait(60)
    story.channels = frozenset({"mail", "chat"})
    story.wait(60)

    assert [got for got in story.got if got[0] == "chat"] == [
        ("chat", [FAILED], [], [])
    ]


def test_what_is_unknown_lasts() -> None:
    """While the ledger cannot be read nothing ends and nothing begins."""
    story = Story()
    story.begin(FAILED)
    story.wait(30)
    for _ in range(50):
        story.turn(unknown=frozenset({Kind.RELEASE_FAILED}))
    story.wait(60)

    assert story.got == [("mail", [FAILED], [], [])]


def test_a_clock_that_is_set_back() -> None:
    """Messages go on at once if the clock now shows an earlier year."""
    story = Story()
    story.begin(FAILED)
    story.wait(60)
    story.now -= 365 * 86400
    story.begin(DELAYED)
    story.wait(60)
    story.end(FAILED, DELAYED)
    story.wait(60)

    assert [key for got in story.got for part in got[1:] for key in part] == [
        *(FAILED, DELAYED, FAILED, DELAYED)
    ]


def test_nothing_is_kept_for_ever() -> None:
    """What is over and told is forgotten after some hours."""
    story = Story()
    story.begin(FAILED)
    story.wait(60)
    story.end(FAILED)
    story.wait(7 * 3600)

    assert story.memory.episodes == {}
    assert all(not channel.told for channel in story.memory.channels.values())


_OTHER: Key = (Kind.PUSH_DELAYED, "api")
_KEYS = st.sampled_from([FAILED, _OTHER, (Kind.LOGIN_REFUSED, "r.example")])


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(_KEYS, st.sampled_from([5, 20, 45, 300, 4000])), max_size=30))
def test_beginnings_and_ends_alternate(steps: list[tuple[Key, float]]) -> None:
    """In any order of troubles: no end without a beginning, no beginning twice."""
    story = Story()
    for key, seconds in steps:
        (story.end if key in story.current else story.begin)(key)
        story.wait(seconds)
    story.wait(2 * 3600)

    open_now: set[Key] = set()
    for _, began, ended, passed in story.got:
        assert open_now.isdisjoint(began)
        assert open_now.issuperset(ended)
        assert open_now.isdisjoint(passed)
        open_now = (open_now | set(began)) - set(ended)
    assert open_now == set(story.current)
