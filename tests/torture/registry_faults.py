"""What goes wrong with a registry, on the way to it, or with what is in it."""

import email.utils
import random
import time
from collections.abc import Mapping
from typing import Final

from support import seeding
from support.remote import Remote
from torture.deeds import Deeds
from torture.fault import Fault
from torture.host import TortureHost
from torture.misdeeds import Misdeed, Put
from torture.tokens import TokenService
from torture.unfit import UnfitError

_ANSWERS: Final[Mapping[str, Misdeed]] = {
    "registry 401 once": Misdeed(
        way="answer", status=401, headers=(("WWW-Authenticate", 'Basic realm="x"'),)
    ),
    "registry 429": Misdeed(way="answer", status=429),
    "registry 429 Retry-After": Misdeed(
        way="answer", status=429, headers=(("Retry-After", "1"),)
    ),
    "registry 500": Misdeed(way="answer", status=500),
    "registry 502": Misdeed(way="answer", status=502),
    "registry 503": Misdeed(way="answer", status=503),
    "registry 503 Retry-After": Misdeed(
        way="answer", status=503, headers=(("Retry-After", "1"),)
    ),
    "registry 504": Misdeed(way="answer", status=504),
    "registry resets at once": Misdeed(way="reset"),
    "registry resets in a blob": Misdeed(way="cut"),
    "registry stalls": Misdeed(way="stall"),
    "registry lies about a digest": Misdeed(way="lie"),
    "registry loses its answer": Misdeed(way="lose"),
    "registry slow": Misdeed(way="slow", seconds=0.7),
    # For good: until the fault is ended.
    "registry 401 for good": Misdeed(
        way="answer",
        status=401,
        code="UNAUTHORIZED",
        headers=(("WWW-Authenticate", 'Basic realm="x"'),),
    ),
    "registry 403 for good": Misdeed(
        way="answer", status=403, code="DENIED", concerns="pushes"
    ),
    "registry 404 for a push": Misdeed(
        way="answer", status=404, code="NAME_UNKNOWN", concerns="pushes"
    ),
    "registry 400, the tag is immutable": Misdeed(
        way="answer", status=400, code="TAG_INVALID", concerns="tags that exist"
    ),
    "registry 409, the tag is immutable": Misdeed(
        way="answer", status=409, code="TAG_IMMUTABLE", concerns="tags that exist"
    ),
}
_FOR_GOOD: Final = frozenset(
    name for name in _ANSWERS if "for " in name or "immutable" in name
)
_ONCE: Final = frozenset({"registry 401 once", "registry lies about a digest"})
_MOST_REQUESTS: Final = 12
_ALL_REQUESTS: Final = 1_000_000
_DAY: Final = 86_400


def _misbehaving(name: str) -> Fault:
    def begin(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
        times = 1 if name in _ONCE else draw.randint(1, _MOST_REQUESTS)
        if name in _FOR_GOOD:
            times = _ALL_REQUESTS
        host.proxy.misbehave(_ANSWERS[name], times=times)

    return begin


def _stop_registry(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    host.registry.stop()


def _wrong_date(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    """Let a registry whose clock is a day wrong ask for a second, by a date."""
    theirs = time.time() + draw.choice([-_DAY, _DAY])
    headers = (
        ("Date", email.utils.formatdate(theirs, usegmt=True)),
        ("Retry-After", email.utils.formatdate(theirs + 1, usegmt=True)),
    )
    misdeed = Misdeed(way="answer", status=503, headers=headers)
    host.proxy.misbehave(misdeed, times=draw.randint(1, _MOST_REQUESTS))


def _lose_manifest(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    """Delete a manifest, as a cleanup of a registry does."""
    known = sorted({(put.path, put.digest) for put in host.proxy.puts})
    if not known or not host.registry.is_running:
        raise UnfitError("no manifest to delete")
    path, digest = draw.choice(known)
    Remote(host.registry, path).delete(digest)
    host.deleted.add(digest)
    deeds.excuse_deleted(digest)


def _next_number(
    host: TortureHost, deeds: Deeds, draw: random.Random
) -> tuple[str, str] | None:
    """Return a repository and its next number, of an app that is at rest."""
    deeds.collect()
    resting = [app for app in deeds.apps if app.deploys and app.is_resting]
    if not resting or deeds.is_any_unpushed() or not host.registry.is_running:
        return None
    path = deeds.path_of(draw.choice(resting))
    taken = [put.tag for put in host.proxy.puts if put.path == path]
    numbers = [int(tag) for tag in taken if tag.isdigit()]
    return (path, str(max(numbers) + 1)) if numbers else None


def _take_number(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    """Push another image under the number that comes next."""
    place = _next_number(host, deeds, draw)
    if place is None:
        raise UnfitError("no app is at rest")
    stored = seeding.push(host.registry, *place, f"foreign {place}")
    host.proxy.note(Put(path=place[0], tag=place[1], digest=stored.digest))


def _take_number_alike(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    """Put the image that comes next under its number, as a second host does."""
    place = _next_number(host, deeds, draw)
    if place is None:
        raise UnfitError("no app is at rest")
    path, number = place
    before = host.stored(path, str(int(number) - 1))
    if before is None:
        raise UnfitError("the number before was not stored")
    seeding.put(host.registry, path, number, before)
    host.proxy.note(Put(path=path, tag=number, digest=before.digest))
    deeds.deploy_again(deeds.owner_of(path))


def _forget_name(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    host.place.forget_name()


def _show_expired(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    host.proxy.encryption = host.place.expired


def _show_unknown(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    host.proxy.encryption = host.place.unknown


def _cut_handshakes(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    host.proxy.cuts_handshakes = True


def _forget_tokens(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    _token_service(host).forget()


def _shorten_tokens(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    """Let tokens end long before they say they do, most pushes being longer."""
    _token_service(host).lifetime = draw.choice([0.05, 0.5])


def _token_service(host: TortureHost) -> TokenService:
    assert host.proxy.tokens is not None
    return host.proxy.tokens


def _refusing_tokens(status: int) -> Fault:
    misdeed = Misdeed(way="answer", status=status, concerns="tokens")

    def begin(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
        host.proxy.misbehave(misdeed, times=draw.randint(1, _MOST_REQUESTS))

    return begin


ENCRYPTED: Final[Mapping[str, Fault]] = {
    "registry's name does not resolve": _forget_name,
    "registry's certificate expired": _show_expired,
    "registry's certificate of an unknown CA": _show_unknown,
    "TLS handshake cut": _cut_handshakes,
}
"""Only where the registry has a name and speaks TLS."""
WITH_TOKENS: Final[Mapping[str, Fault]] = {
    "registry forgets its tokens": _forget_tokens,
    "tokens end before their time": _shorten_tokens,
    "token service 401": _refusing_tokens(401),
    "token service 503": _refusing_tokens(503),
}
"""Only where the registry takes Bearer tokens."""
FAULTS: Final[Mapping[str, Fault]] = {
    **{name: _misbehaving(name) for name in _ANSWERS},
    "registry refused": _stop_registry,
    "registry's clock a day wrong": _wrong_date,
    "registry lost a manifest": _lose_manifest,
    "number taken by another image": _take_number,
    "number taken by the same image": _take_number_alike,
}
