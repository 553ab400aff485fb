"""What `status` says of releases of other hosts."""

from dokku_registryd.verbs import output

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than this looks
if TYPE_CHECKING:
    from typing import Any


def lines(follow: object) -> "list[str]":
    """Return the lines; none if nothing is followed, or no service says."""
    if not isinstance(follow, dict):
        return []
    repositories: list[dict[str, Any]] = follow["repositories"]
    if not repositories:
        return [f"Follow:  {follow['problem']}"] if follow["problem"] else []
    first = f"Follow:  {_releases(follow['kept'])} of other hosts here"
    if follow["lacking"]:
        first += f", {follow['lacking']} lacking"
    if follow["oldest_age_seconds"]:
        first += f"; behind for {output.age(follow['oldest_age_seconds'])}"
    found = [first]
    if follow["problem"]:
        found.append(f"         {follow['problem']}")
    found += [_place(place) for place in follow["places"]]
    found += [
        f"         {one['repository']}: {one['problem']}"
        for one in repositories
        if one["problem"]
    ]
    found += [
        f"         {one['repository']}: {one['ignored']} more are not followed"
        for one in repositories
        if one["ignored"]
    ]
    return found


def _releases(number: int) -> str:
    return f"{number} release{'' if number == 1 else 's'}"


def _place(place: "dict[str, Any]") -> str:
    kept = f", {place['kept_number']} is here" if place["kept_number"] else ""
    reason = place["reason"] or "it is about to be pulled"
    return (
        f"         {place['host']} runs {place['app']} {place['number']}{kept}:"
        f" {reason}"
    )
