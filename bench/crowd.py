"""A host with thousands of apps, put on the disk at once.

Releasing 5,000 apps through the front door would take an hour. So what those releases
leave behind is written straight to where it lies: Dokku's properties, our records and
ledger, and the classic image store's own files (while the Engine is stopped).
"""

import calendar
import json
import time
from collections.abc import Mapping
from typing import Final

from bench import images
from bench.stage import Host, Stage

from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.core.release.releases import Release, ReleaseState
from support.engines import EngineServer

SERVER: Final = "registry.example.com/"
NUMBER: Final = 3


def app_name(number: int) -> str:
    """Return the name of an app of the crowd."""
    return f"app{number:04d}"


def deployed_reference(app: str) -> str:
    """Return what an app of the crowd runs."""
    return f"{SERVER}dokku/{app}:{NUMBER}"


def move_in(stage: Stage, host: Host, size: int) -> None:
    """Give a host and its Engine so many apps, each released three times."""
    base = images.random_image(1, 1000)
    crowd = {app_name(n): base.labelled(n) for n in range(size)}
    stage.load(base, "bench/base:1")
    _fill_engine(stage.engine, crowd)
    _fill_host(host, crowd)


def _fill_engine(engine: EngineServer, crowd: Mapping[str, images.Image]) -> None:
    """Write images and names where a classic store keeps them (Engine 20.10 to 28)."""
    engine.stop()
    (store,) = (engine.folder / "data" / "image").iterdir()
    content = store / "imagedb" / "content" / "sha256"
    index = store / "repositories.json"
    known = json.loads(index.read_text())
    repositories = known["Repositories"]
    for app, image in crowd.items():
        (content / image.image_id.partition(":")[2]).write_bytes(image.config)
        for name in names_of(app):
            repository = repositories.setdefault(name.rpartition(":")[0], {})
            repository[name] = image.image_id
    index.write_text(json.dumps(known))
    engine.start()


def names_of(app: str) -> tuple[str, ...]:
    """Return the names that an app's image has on its host."""
    return (
        deployed_reference(app),
        f"dokku/{app}:{NUMBER}",
        f"dokku/{app}:latest",
        # Keeps the image here when a row takes its other names away.
        f"kept/{app}:1",
    )


def _fill_host(host: Host, crowd: Mapping[str, images.Image]) -> None:
    files = host.files
    now = time.time()
    book = ledger.SqliteLedger(files.data_dir / "ledger.sqlite3")
    try:
        for app, image in crowd.items():
            (files.dokku_root / app).mkdir()
            properties = {
                "server": SERVER,
                "push-on-release": "true",
                "push-extra-tags": "latest",
                "tag-version": str(NUMBER),
            }
            for name, value in properties.items():
                files.set_property(app, name, value)
            files.record_release(
                app, server=SERVER, image_repo=f"dokku/{app}", number=NUMBER
            )
            for number in range(1, NUMBER + 1):
                is_last = number == NUMBER
                older = image.labelled(f"{app}-{number}")
                book.adopt(
                    Release(
                        job_id=f"{app}.{number}",
                        app=app,
                        number=number,
                        image_id=(image if is_last else older).image_id,
                        server=SERVER,
                        image_repo=f"dokku/{app}",
                        scheduler="docker-local",
                        state=ReleaseState.PUSHED,
                        digest=older.image_id,
                        created_at=now,
                        pushed_at=now,
                    )
                )
    finally:
        book.close()


def log_seconds(line: Mapping[str, object]) -> float:
    """Return when a line was logged, in seconds since the epoch."""
    stamp = str(line["timestamp"]).rstrip("Z")
    whole, _, fraction = stamp.partition(".")
    parsed = time.strptime(whole, "%Y-%m-%dT%H:%M:%S")
    return calendar.timegm(parsed) + float(f"0.{fraction or 0}")
