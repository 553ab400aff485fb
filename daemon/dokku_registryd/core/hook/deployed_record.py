"""The record of the release that an app runs, which hooks read and write too.

`deployed/APP` and `deploying/APP/BUILD` have a line each for server, repository and
number. Hooks answer Dokku's questions with these three (`hooks/record-functions`).
"""

from dokku_registryd.core.image import reference
from dokku_registryd.core.release import numbering, releases


def parse(raw: bytes) -> releases.DeployedRelease | None:
    """Parse the record of an app's release; return None if it is invalid.

    The first three lines are for Dokku. The fourth, the digest, and the fifth, the
    image ID, are used only if they are complete: without them a heal knows less, with a
    wrong one it fails.
    """
    lines = raw.decode("utf-8", errors="replace").split("\n")
    number = numbering.whole_number(lines[2]) if len(lines) >= 3 else None  # noqa: PLR2004 - what Dokku is told has three lines
    if number is None:
        return None
    # A line is complete if another one, even an empty one, follows.
    digest, image_id = (*lines[3:-1], "", "")[:2]
    return releases.DeployedRelease(
        server=lines[0],
        image_repo=lines[1],
        number=number,
        digest=digest if reference.is_digest(digest) else "",
        image_id=image_id if reference.is_digest(image_id) else "",
    )


def render(deployed: releases.DeployedRelease) -> str:
    """Return the record of an app's release as text, complete lines only."""
    lines = [deployed.server, deployed.image_repo, str(deployed.number)]
    if deployed.digest or deployed.image_id:
        lines.append(deployed.digest)
    if deployed.image_id:
        lines.append(deployed.image_id)
    return "".join(f"{line}\n" for line in lines)
