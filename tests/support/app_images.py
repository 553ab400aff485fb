"""How Dokku finds the image that an app is started from, and pulls it where it is gone.

By the rules of Dokku 0.38.27 (common/functions): three questions to all plugins make
the name; an image with a number that is not here is pulled with the app's own login.
Only the standard library is used, so that a demo can import this too.
"""

import json
from typing import Final

from support.dokku_host import DokkuHost, Result

PULLING: Final = "not found locally, pulling from registry"


class CommandError(Exception):
    """A command of Dokku failed; the text is what it said."""


class AppImages:
    """The images of the apps on one host.

    Args:
        host: The host.
        build: The deploy that asks (`DOKKU_BUILD_ID`), if one does.
    """

    def __init__(self, host: DokkuHost, *, build: str = "") -> None:
        self._host = host
        self._environ = {"DOKKU_BUILD_ID": build} if build else {}

    def ask(self, question: str, app: str) -> str:
        """Return what all plugins answer; what they fail with is not heard."""
        # $(...) takes line breaks from the end, and from nowhere else.
        answer = self._host.trigger(
            f"deployed-app-{question}", app, environ=self._environ
        )
        return answer.stdout.rstrip("\n")

    def deploying_name(self, app: str, tag: str = "") -> str:
        """Return the name that containers are made from."""
        tag = self.ask("image-tag", app) or tag or "latest"
        repository = self.ask("image-repo", app) or f"dokku/{app}"
        return f"{self.ask('repository', app)}{repository}:{tag}"

    def verify(self, app: str, image: str) -> str:
        """Look for an image, pull it where it has a number; return what is said.

        Raises:
            CommandError: There is none.
        """
        if self.is_here(image):
            return ""
        if image.endswith(":latest") or not self.ask("image-tag", app):
            raise CommandError(f" !     App image ({image}) not found\n")
        said = f"-----> Image {image} {PULLING}\n"
        pulled = self._pull(app, image)
        if pulled.code:
            reason = f"{pulled.stderr} !     App image ({image}) not found\n"
            raise CommandError(said + reason)
        return said

    def is_here(self, image: str) -> bool:
        """Tell whether an image has a name, or an ID, on this host."""
        return self.docker("image", "inspect", image).code == 0

    def docker(self, *arguments: str, **environ: str) -> Result:
        """Run the Docker CLI."""
        return self._host.run(["docker", *arguments], environ=environ)

    def _pull(self, app: str, image: str) -> Result:
        repository = f"{self.ask('repository', app)}{self.ask('image-repo', app)}"
        name, _, tag = image.rpartition(":")
        environ = self._login_of(app)
        if name == repository:
            return self.docker("image", "pull", image, **environ)
        remote = f"{repository or name}:{tag}"
        pulled = self.docker("image", "pull", remote, **environ)
        return pulled if pulled.code else self.docker("image", "tag", remote, image)

    def _login_of(self, app: str) -> dict[str, str]:
        folder = self._host.config_root / "registry" / app
        file = folder / "config.json"
        if file.exists() and json.loads(file.read_text()).get("auths"):
            return {"DOCKER_CONFIG": str(folder)}
        return {}
