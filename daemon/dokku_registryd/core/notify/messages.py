"""A message to the operator: its title, its text, and its form as JSON.

The JSON is an interface (docs/notifications.md). All texts are short, in one line each,
and without secrets: jobs clean the texts of registries before they record them.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dokku_registryd.core.notify.episodes import Due, Episode
from dokku_registryd.core.notify.troubles import RULES, Key, Kind
from dokku_registryd.core.text import foreign_text

VERSION: Final = 1
MOST_SHOWN: Final = 20  # troubles in one text
MOST_LISTED: Final = 200  # troubles in the JSON
MOST_OF_REASON: Final = 500  # characters
_PROGRAM: Final = "dokku-registryd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, the same for each channel that gets it; a test if nothing is due."""

    host: str
    """The name of the host."""
    at: float
    """Seconds since the epoch."""
    due: Due
    open: int
    """How many troubles last, in total."""

    @property
    def is_bad(self) -> bool:
        """Whether it tells of a trouble that lasts."""
        return bool(self.due.began)

    @property
    def title(self) -> str:
        """The subject of a mail."""
        due = self.due
        if due.began:
            said = _summary(due.began, is_over=False)
        elif due.ended:
            said = _summary(due.ended, is_over=True)
        elif not due:
            said = "a test message"
        else:
            said = f"{_summary(due.passed, is_over=False)}, and is over"
        return f"{_PROGRAM} on {self.host}: {said}"

    @property
    def text(self) -> str:
        """Paragraphs of plain text."""
        return "\n\n".join(self._paragraphs()) + "\n"

    def as_json(self) -> dict[str, Any]:
        """Return the form for programs."""
        due = self.due
        parts = {"began": due.began, "ended": due.ended, "passed": due.passed}
        return {
            "version": VERSION,
            "host": self.host,
            "at": _time(self.at),
            "title": self.title,
            "text": self.text,
            **{name: _listed(part) for name, part in parts.items()},
            "counts": {name: len(part) for name, part in parts.items()},
            "open": self.open,
        }

    def _paragraphs(self) -> Iterator[str]:
        due, left = self.due, MOST_SHOWN
        if not due:
            yield "Troubles of this host, and their end, will arrive here."
            return
        for part, is_over in ((due.began, False), (due.ended, True)):
            for key, episode in list(part.items())[:left]:
                yield _paragraph(key, episode, is_over=is_over)
            left = max(0, left - len(part))
        for key, episode in list(due.passed.items())[:left]:
            yield _paragraph(key, episode, is_over=False) + (
                f"\nThat ended at {_time(episode.ended_at)}."
            )
        more = len(due.began) + len(due.ended) + len(due.passed) - MOST_SHOWN
        if more > 0:
            yield f"... and {more} more."
        if self.open > len(due.began):
            noun = "trouble lasts" if self.open == 1 else "troubles last"
            yield f"{self.open} {noun} in total."
        elif not self.open:
            yield "No other trouble is known."


def _summary(part: Mapping[Key, Episode], *, is_over: bool) -> str:
    (kind, subject), *more = part
    if not more:
        rule = RULES[kind]
        return (rule.ended if is_over else rule.began).format(subject)
    numbers: dict[Kind, int] = {}
    for one, _ in part:
        numbers[one] = numbers.get(one, 0) + 1
    if len(numbers) == 1:
        said = f"{len(part)} {RULES[kind].many}"
    else:
        said = f"{len(part)} troubles"
    return f"{said} ended" if is_over else said


def _paragraph(key: Key, episode: Episode, *, is_over: bool) -> str:
    kind, subject = key
    rule = RULES[kind]
    if is_over:
        return (
            f"{_sentence(rule.ended.format(subject))}\n"
            f"It was in trouble since {_time(episode.began_at)}."
        )
    lines = [_sentence(rule.began.format(subject))]
    if episode.text:
        lines.append(_sentence(_reason(episode)))
    lines += [f"Since {_time(episode.began_at)}.", _advice(kind, subject)]
    return "\n".join(lines)


def _listed(part: Mapping[Key, Episode]) -> list[dict[str, Any]]:
    return [
        {
            "kind": kind.value,
            "subject": subject,
            "reason": _reason(episode),
            "advice": _advice(kind, subject),
            "since": _time(episode.began_at),
            "until": _time(episode.ended_at) if episode.is_over else None,
        }
        for (kind, subject), episode in list(part.items())[:MOST_LISTED]
    ]


def _reason(episode: Episode) -> str:
    return foreign_text.shorten(foreign_text.read(episode.text), first=MOST_OF_REASON)


def _advice(kind: Kind, subject: str) -> str:
    return RULES[kind].advice.replace("{}", subject)


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _time(seconds: float) -> str:
    at = dt.datetime.fromtimestamp(seconds, tz=dt.UTC)
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")
