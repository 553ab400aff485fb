"""When a trouble begins and ends, and what each channel still has to be told of it.

Each channel is compared with the state, as a sweep compares images: it is told what it
was not told yet, in one message. So an endpoint that was away for a day gets one
message about all of it, nothing waits in a queue that could grow, and a message whose
delivery was not recorded is sent again: at least once, never less.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from dokku_registryd.core.notify.troubles import RULES, Found, Key, Kind

GATHER_SECONDS: Final = 5.0
"""How long a trouble waits for others of the same cause, to be told with them."""
MOST_HOLD_SECONDS: Final = 3600.0
"""The longest time that a trouble which comes and goes must be over."""
MEMORY_SECONDS: Final = 6 * 3600.0
"""How long it is remembered that a trouble has come and gone."""
SPACING_SECONDS: Final = 20.0
"""The least time between two messages to one channel."""
MOST_SPACING_SECONDS: Final = 600.0
FREE_MESSAGES: Final = 6
"""So many messages have the least spacing; then it grows until an hour is quiet."""
QUIET_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One trouble, from its beginning to its end."""

    number: int = 1
    """Counts the times that it has begun, while that is remembered."""
    began_at: float
    """Seconds since the epoch."""
    ended_at: float = 0.0
    """0 while it lasts."""
    text: str = ""
    """The reason, when it began."""

    @property
    def is_over(self) -> bool:
        """Whether it was not seen the last time."""
        return self.ended_at > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a channel was told of a trouble."""

    number: int
    """The episode."""
    is_over: bool = False
    """Whether it was told the end too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """The state of one way to the operator."""

    since: float
    """When it was first used: it is not told what had ended before."""
    sent_at: float = 0.0
    """When its latest message was delivered."""
    burst: int = 0
    """How many messages it got without a quiet hour between them."""
    attempts: int = 0
    """Failed attempts since the latest delivery."""
    retry_at: float = 0.0
    error: str = ""
    """Why the latest attempt failed; empty if it did not."""
    told: Mapping[Key, Told] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """All that is known about troubles, and about what was told of them."""

    episodes: Mapping[Key, Episode] = field(default_factory=dict)
    channels: Mapping[str, Channel] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What one message tells."""

    began: Mapping[Key, Episode] = field(default_factory=dict)
    ended: Mapping[Key, Episode] = field(default_factory=dict)
    passed: Mapping[Key, Episode] = field(default_factory=dict)
    """Those that began and ended since the channel could last be reached."""

    def __bool__(self) -> bool:
        """Return whether there is anything to tell."""
        return bool(self.began or self.ended or self.passed)


def elapsed(since: float, now: float) -> float:
    """Return the seconds since a time; infinite if the clock was set back since."""
    return now - since if now >= since else float("inf")


def follow(memory: Memory, found: Found, *, now: float, grace: float) -> Memory:
    """Return the memory after one look at the troubles.

    Args:
        memory: The memory before.
        found: The troubles of this moment.
        now: Seconds since the epoch.
        grace: How long a trouble must be over before its end is told, in seconds.
    """
    episodes = dict(memory.episodes)
    for key, text in found.current.items():
        before = episodes.get(key)
        if before is None:
            episodes[key] = Episode(began_at=now, text=text)
        elif before.is_over and _is_held(before, now, grace):
            episodes[key] = replace(before, ended_at=0.0)
        elif before.is_over:
            number = before.number + 1
            episodes[key] = Episode(number=number, began_at=now, text=text)
    for key, before in memory.episodes.items():
        if key in found.current or key[0] in found.unknown or before.is_over:
            continue
        episodes[key] = replace(before, ended_at=now)
    if episodes == memory.episodes:
        return memory
    return replace(memory, episodes=episodes)


def due(
    channel: Channel, episodes: Mapping[Key, Episode], *, now: float, grace: float
) -> Due:
    """Return what a channel has to be told now."""
    if not _may_send(channel, now):
        return Due()
    began: dict[Key, Episode] = {}
    ended: dict[Key, Episode] = {}
    passed: dict[Key, Episode] = {}
    for key, episode in episodes.items():
        told = channel.told.get(key)
        knows = told is not None and (not told.is_over or told.number >= episode.number)
        if not episode.is_over:
            if not knows and elapsed(episode.began_at, now) >= _delay(key[0], grace):
                began[key] = episode
        elif _is_held(episode, now, grace) or _has_become_worse(
            key, episodes, now, grace
        ):
            continue
        elif told is not None and not told.is_over:
            ended[key] = episode
        elif not knows and _was_worth_telling(key[0], episode, channel, grace):
            passed[key] = episode
    return Due(began=began, ended=ended, passed=passed)


def delivered(channel: Channel, message: Due, *, now: float) -> Channel:
    """Return a channel after its message has arrived."""
    told = dict(channel.told)
    for key, episode in message.began.items():
        told[key] = Told(number=episode.number)
    for key, episode in (*message.ended.items(), *message.passed.items()):
        told[key] = Told(number=episode.number, is_over=True)
    is_calm = elapsed(channel.sent_at, now) >= QUIET_SECONDS
    return replace(
        channel,
        sent_at=now,
        burst=1 if is_calm else channel.burst + 1,
        attempts=0,
        retry_at=0.0,
        error="",
        told=told,
    )


def failed(channel: Channel, error: str, *, now: float, delay: float) -> Channel:
    """Return a channel after its message has not arrived, to be tried after a delay."""
    return replace(
        channel, attempts=channel.attempts + 1, retry_at=now + delay, error=error
    )


def tidy(memory: Memory, channels: frozenset[str], *, now: float) -> Memory:
    """Return the memory for the channels in use, without what is no longer needed.

    Args:
        memory: The memory before.
        channels: The names of the channels in use.
        now: Seconds since the epoch.
    """
    used = {name: memory.channels.get(name, Channel(since=now)) for name in channels}
    kept = {
        key: episode
        for key, episode in memory.episodes.items()
        if not episode.is_over
        or elapsed(episode.ended_at, now) < MEMORY_SECONDS
        or any(_waits_for(channel, key, episode) for channel in used.values())
    }
    used = {
        name: replace(
            channel,
            told={key: told for key, told in channel.told.items() if key in kept},
        )
        for name, channel in used.items()
    }
    tidied = Memory(episodes=kept, channels=used)
    return memory if tidied == memory else tidied


def spacing(channel: Channel) -> float:
    """Return the least seconds between a channel's latest message and its next one."""
    doublings = max(0, channel.burst - FREE_MESSAGES)
    return min(SPACING_SECONDS * 2.0 ** min(doublings, 10), MOST_SPACING_SECONDS)


def _may_send(channel: Channel, now: float) -> bool:
    if channel.attempts:
        return now >= channel.retry_at or channel.retry_at - now > QUIET_SECONDS
    return elapsed(channel.sent_at, now) >= spacing(channel)


def _delay(kind: Kind, grace: float) -> float:
    return grace if RULES[kind].is_passing else min(grace, GATHER_SECONDS)


def _is_held(episode: Episode, now: float, grace: float) -> bool:
    """Return whether an end is too recent to be told: the trouble may come again."""
    hold = min(grace * 2.0 ** min(episode.number - 1, 20), MOST_HOLD_SECONDS)
    return elapsed(episode.ended_at, now) < hold


def _has_become_worse(
    key: Key, episodes: Mapping[Key, Episode], now: float, grace: float
) -> bool:
    """Return whether a trouble is over only since a worse one has taken its place.

    Both ends are told together.
    """
    kind, subject = key
    after = (episodes.get((worse, subject)) for worse in RULES[kind].becomes)
    return any(
        one is not None and (not one.is_over or _is_held(one, now, grace))
        for one in after
    )


def _was_worth_telling(
    kind: Kind, episode: Episode, channel: Channel, grace: float
) -> bool:
    lasted = elapsed(episode.began_at, episode.ended_at)
    return lasted >= _delay(kind, grace) and episode.ended_at >= channel.since


def _waits_for(channel: Channel, key: Key, episode: Episode) -> bool:
    """Return whether a channel that cannot be reached has to be told of an end."""
    told = channel.told.get(key)
    if told is not None:
        return not told.is_over
    return channel.attempts > 0 and episode.ended_at >= channel.since
