"""All that is known about one release, as `releases APP N` prints it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from dokku_registryd.core.release import completeness, origins
from dokku_registryd.core.release.releases import Release, ReleaseState
from dokku_registryd.verbs import output

_UNKNOWN = "unknown"
_OF_PROCESS = "pid-"  # a deploy of Dokku before 0.38, which keeps no log
_ADOPTED = "adopted-"
_UNREAD = "?"
_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The facts of one release."""

    release: Release
    origin: origins.Origin
    check: completeness.Record
    """What is known about its parts."""
    moves: Mapping[str, str]
    """The digests of its extra tags before it moved them."""
    numbers: Mapping[str, int]
    """The numbers of the app's earlier releases, by digest."""
    before: int
    """The number that the app ran before it; 0 if unknown."""
    is_live: bool
    """Whether its app runs it."""
    hold: str | None
    """Why it is held; empty without a reason, None if it is not."""
    has_log: bool
    """Whether Dokku still has the log of its build."""

    def lines(self, now: float) -> list[str]:
        """Return the lines of the page.

        Args:
            now: Seconds since the epoch.
        """
        rows = [
            (name, text) for name, text in (*self._facts(), *self._history(now)) if text
        ]
        width = max(len(name) for name, _ in rows) + 1
        return [
            f"{self.release.app} {self.release.number}",
            *(f"  {f'{name}:':<{width}}  {text}" for name, text in rows),
        ]

    def _facts(self) -> Iterator[tuple[str, str]]:
        release, origin = self.release, self.origin
        yield "state", self._state()
        yield "error", release.error
        if self.hold is not None:
            yield "held", self.hold or "yes"
        yield "reference", release.reference
        yield "digest", release.digest or "none yet"
        yield "image ID", release.image_id or _UNKNOWN
        yield "made by", self._made_by()
        yield "revision", origin.revision or _UNKNOWN
        yield "branch", origin.branch
        yield "deployed by", origin.shown_deployer or _UNKNOWN
        yield "build", self._build()
        yield "scheduler", release.scheduler
        yield "extra tags", ", ".join(self._tags())

    def _state(self) -> str:
        release = self.release
        if release.failed_at:
            is_pushed = release.state is ReleaseState.PUSHED
            return "pushed, but its deploy failed" if is_pushed else "deploy failed"
        if self.is_live:
            return f"{release.state}, and is live"
        if release.live_at:
            return f"{release.state}, and was live"
        return release.state.value

    def _made_by(self) -> str:
        how = origins.describe(self.origin, self.release.app, before=self.before)
        if how:
            return how
        if self.release.job_id.startswith(_ADOPTED):
            return "unknown: it was recorded later, from what ran"
        return "unknown: Dokku did not tell"

    def _build(self) -> str:
        build = self.release.build
        if not build or build.startswith(_OF_PROCESS):
            return _UNKNOWN
        log = f"dokku builds:output {self.release.app} {build}"
        return f"{build}, its log: {log}" if self.has_log else f"{build}, without a log"

    def _tags(self) -> Iterator[str]:
        for tag, digest in sorted(self.moves.items()):
            if digest == _UNREAD:
                was = "was unknown"
            elif not digest:
                was = "was new"
            else:
                number = self.numbers.get(digest)
                was = f"was {number or digest.removeprefix('sha256:')[:_DIGITS]}"
            yield f"{tag} ({was})"

    def _history(self, now: float) -> Iterator[tuple[str, str]]:
        """Yield when it got on, and how long each step took since the one before."""
        release = self.release
        last = 0.0
        is_own = release.created_at != release.pushed_at
        steps = (
            ("build began", self.origin.began_at),
            ("number given", release.created_at * is_own),
            ("pushed" if is_own else "recorded", release.pushed_at),
            ("live", release.live_at),
            ("deploy failed", release.failed_at),
        )
        for name, at in steps:
            if not at:
                continue
            since = f"{output.age(now - at)} ago"
            if last:
                # A deploy that does not wait for its push may be live before.
                order = "later" if at >= last else "earlier"
                since = f"{output.age(abs(at - last))} {order}"
            yield name, f"{_time(at)} ({since})"
            last = at
        yield "parts", self._parts(now)

    def _parts(self, now: float) -> str:
        check = self.check
        if check.lacking:
            named = ", ".join(check.missing[: completeness.MOST_SHOWN])
            return f"incomplete: the registry lacks {check.lacking}: {named}"
        if check.number:
            return check.standing.value
        if self.release.state in {ReleaseState.RESERVED, ReleaseState.FAILED}:
            return ""
        if not check.complete_at:
            return f"{check.standing} in the registry"
        return (
            f"all {check.parts} in the registry, {output.age(now - check.complete_at)}"
            " ago"
        )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
