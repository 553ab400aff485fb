"""What the registry of a host has, asked without the code under test."""

from collections import defaultdict
from typing import Final

from dokku_registryd.core.image import images
from support import seeding
from torture.host import TortureHost

COPIES: Final = "copies/"
"""Where the repositories of mirrors begin; they are in the same registry."""
Violation = tuple[str, str]
"""Its kind (a column of the table, or `other`) and what was found."""


class Stored:
    """What the registry has, by repository and tag."""

    def __init__(self, host: TortureHost) -> None:
        self.manifests = defaultdict[str, dict[str, images.Manifest]](dict)
        for path, tag in dict.fromkeys((put.path, put.tag) for put in host.proxy.puts):
            manifest = seeding.fetch(host.registry, path, tag)
            if manifest is not None:
                self.manifests[path][tag] = manifest

    def numbers(self, image_id: str) -> list[str]:
        """Return the numbers under which an image is stored, but for mirrors."""
        return [
            f"{path}:{tag}"
            for path, tags in self.manifests.items()
            if not path.startswith(COPIES)
            for tag, manifest in tags.items()
            if tag.isdigit() and manifest.names_image(image_id)
        ]
