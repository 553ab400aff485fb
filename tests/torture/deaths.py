"""Deaths: kill -9 at each step of each verb, as the programs themselves tell the steps.

A verb is first done undisturbed, which tells how many steps it has. Then it is done
again and again, and the process that does it dies at a step that is drawn, the start
of the process included. The next daemon does the rest.
"""

import random
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from support import scratch
from support.played_restart import PlayedRestart
from support.waiting import until
from torture import settling, stored, verdict
from torture.apps import App
from torture.deeds import Deeds
from torture.host import TortureHost
from torture.life import Report, state_of
from torture.place import Place

DEATHS: Final = 6  # of one host
_SECONDS: Final = 60
_OLD: Final = 3  # releases that a prune removes, at least


class Mortal:
    """A host whose processes die.

    Args:
        host: The host.
        report: Where steps are noted.
    """

    def __init__(self, host: TortureHost, report: Report) -> None:
        self.host = host
        self.report = report
        self.deeds = Deeds(host, random.Random(0), report.steps.append)  # noqa: S311
        self._count = 0

    # -- verbs: each prepares, then returns the action during which a process dies

    def release(self) -> Callable[[], None]:
        """A release with extra tags."""
        app = self._app()
        return lambda: self._release(app)

    def background(self) -> Callable[[], None]:
        """A release whose deploy goes on at once."""
        app = self._app()
        site = self.host.site
        site.host.set_property(
            app.name, "push-policy", "background", plugin="registryd"
        )
        return lambda: self._release(app)

    def again(self) -> Callable[[], None]:
        """A release of an image that the registry has."""
        app = self._app()
        self._release(app)

        def act() -> None:
            deploy = self.deeds.begin(app, app.deploys[-1].image_id, "same image")
            self._wait_for(lambda: not deploy.hook.is_running)

        return act

    def rollback(self) -> Callable[[], None]:
        """A rollback whose checks pass."""
        return self._rollback(is_good=True)

    def failed_rollback(self) -> Callable[[], None]:
        """A rollback whose checks fail."""
        return self._rollback(is_good=False)

    def heal(self) -> Callable[[], None]:
        """A pull of what is gone."""
        app = self._app()
        while not settling.wanted_names(self.host, app):  # Its checks may fail.
            self._release(app)

        def act() -> None:
            asked: Counter[str] = Counter()
            self.host.prune()
            self._wait_for(
                lambda: (
                    self.host.site.service.is_running
                    and settling.are_images_here(self.host, self.deeds, asked)
                )
            )

        return act

    def forget(self) -> Callable[[], None]:
        """The end of an app whose login lies in a helper."""
        app = self._app()
        self._release(app)

        def act() -> None:
            assert self.host.site.host.destroy_app(app.name).code == 0
            self.deeds.apps.remove(app)
            self.deeds.gone.add(app.name)
            self._wait_for(lambda: not self._is_busy())

        return act

    def rename(self) -> Callable[[], None]:
        """An app gets another name."""
        app = self._app()
        self._release(app)

        def act() -> None:
            old, app.name = app.name, f"{app.name}-new"
            assert self.host.site.host.rename_app(old, app.name).code == 0
            self.deeds.gone.add(old)
            self._wait_for(lambda: not self._is_busy())

        return act

    def prune(self) -> Callable[[], None]:
        """Old numbers go from the registry, some of one image and some alone."""
        app = self._app()
        site = self.host.site
        site.host.set_property(app.name, "keep-remote", "1", plugin="registryd")
        for _ in range(_OLD):
            self._release(app)
        self._release(app, is_same=True)
        self._release(app)

        def act() -> None:
            # Without a service the command does the rest itself.
            done = site.service.run("prune", app.name, "--yes")
            assert done.returncode == 0, f"the prune failed: {done.stderr}"
            self._wait_for(lambda: not self._is_busy())

        return act

    def mirror(self) -> Callable[[], None]:
        """A release that is copied to a mirror."""
        app = self._app()
        site = self.host.site
        mirror = f"{site.server}/{stored.COPIES}{app.name}"
        site.host.set_property(app.name, "mirror", mirror, plugin="registryd")

        def act() -> None:
            self._release(app)
            self._wait_for(
                lambda: (
                    site.service.is_running
                    and settling.are_copies_there(self.host, self.deeds)
                )
            )

        return act

    def first_start(self) -> Callable[[], None]:
        """A start that finds no ledger, and a trigger that waits."""
        host = self.host
        self._release(self._app())
        host.site.service.stop()
        for path in host.site.host.data_dir.glob("ledger.sqlite3*"):
            path.unlink()
        host.was_ledger_lost = True
        self.deeds.leave_triggers()

        def act() -> None:
            host.start_daemon()
            self._wait_for(lambda: not self._is_busy())

        return act

    # -- dying

    def die(self, name: str, role: str, count: int) -> str:
        """Do a verb, let its process die at a step, and do what is left.

        Returns:
            The step's name; empty if the verb was over before.
        """
        host = self.host
        act = VERBS[name](self)
        if role == "hook":
            host.site.service.stop()
        position = host.orders.size()
        host.orders.kill(role, count=count)
        try:
            act()
        finally:
            host.orders.withdraw()
        died = [line for line in host.orders.since(position) if line.endswith("DIES")]
        lines = host.orders.since(position)
        step = ""
        if died:
            prefix = died[0].removesuffix("DIES")
            step = next(line for line in lines if line.startswith(prefix))
            step = step.split(" ", 3)[3]
        self.report.steps.append(f"{name}: {role} died at {count} {step or 'nothing'}")
        if died:
            self.report.faults[name_of(name, role)] += 1
        settling.settle(host, self.deeds)
        return step

    def steps_of(self, name: str, role: str) -> int:
        """Do a verb undisturbed and return how many steps it has."""
        act = VERBS[name](self)
        if role == "hook":
            self.host.site.service.stop()
        position = self.host.orders.size()
        act()
        lines = self.host.orders.since(position)
        settling.settle(self.host, self.deeds)
        return sum(line.startswith(f"{role} ") for line in lines)

    # -- inside

    def _app(self) -> App:
        self._count += 1
        app = App(name=f"app{self._count}")
        self.host.make_app(
            app.name, has_helper=self._count % 2 == 0, push_extra_tags="latest, stable"
        )
        self.deeds.apps.append(app)
        return app

    def _rollback(self, *, is_good: bool) -> Callable[[], None]:
        app = self._app()
        for _ in range(2):
            self._release(app)
            while not app.deploys[-1].is_live:  # Its checks may fail.
                self._release(app)
        restart = PlayedRestart(self.host.site.host)
        restart.let_checks_fail(fail=not is_good)

        def act() -> None:
            deploy = self.deeds.roll_back(app, restart)
            self._wait_for(lambda: not deploy.hook.is_running and not self._is_busy())

        return act

    def _release(self, app: App, *, is_same: bool = False) -> None:
        known = app.deploys[-1].image_id if is_same else ""
        image_id = known or self.host.site.build(app.name)
        deploy = self.deeds.begin(app, image_id, "same image" if known else "build")
        self._wait_for(lambda: not deploy.hook.is_running and not self._is_busy())
        self.deeds.collect()
        self._wait_for(lambda: not self._is_busy())

    def _wait_for(self, fact: Callable[[], bool]) -> None:
        """Wait for an end, or for a death."""
        until(lambda: self.host.orders.is_obeyed or fact(), _SECONDS, what="the end")

    def _is_busy(self) -> bool:
        is_running = self.host.site.service.is_running
        waiting = settling.status(self.host)["unfinished"]
        return is_running and bool(waiting or self.host.site.host.spool())


VERBS: Final[Mapping[str, Callable[[Mortal], Callable[[], None]]]] = {
    "release": Mortal.release,
    "background": Mortal.background,
    "again": Mortal.again,
    "rollback": Mortal.rollback,
    "failed rollback": Mortal.failed_rollback,
    "heal": Mortal.heal,
    "forget": Mortal.forget,
    "rename": Mortal.rename,
    "prune": Mortal.prune,
    "mirror": Mortal.mirror,
    "first start": Mortal.first_start,
}
# A hook that works the spool itself ends with its own release.
ROLES: Final = tuple(
    [(name, "daemon") for name in VERBS]
    + [(name, "hook") for name in ("release", "background", "again")]
    + [(name, "command") for name in ("rollback", "failed rollback")]
)


def name_of(verb: str, role: str) -> str:
    """Return how the table calls the deaths of one role in one verb."""
    return f"death at each step of {verb}, in a {role}"


def dealt(seed: str, engine: str) -> tuple[str, str]:
    """Return what is done in one trial, and who dies at it: all of them in turn."""
    root, _, number = seed.rpartition("/")
    order = list(ROLES)
    random.Random(f"deaths {root} {engine}").shuffle(order)  # noqa: S311 - it must be repeatable
    return order[int(number) % len(order) if number.isdigit() else 0]


def die(seed: str, place: Place, *, times: int = DEATHS) -> Report:
    """Let processes of one host die at steps that are drawn."""
    report = Report(seed=seed, engine=place.engine.kind.name)
    draw = random.Random(f"death {seed} {report.engine}")  # noqa: S311 - it must be repeatable
    root = scratch.make("torture")
    place.engine.ensure()
    place.engine.wipe()
    try:
        with TortureHost(
            root / "life", place.engine, place.registry, place=place
        ) as host:
            mortal = Mortal(host, report)
            try:
                name, role = dealt(seed, report.engine)
                steps = mortal.steps_of(name, role)
                for _ in range(times):
                    mortal.die(name, role, draw.randint(1, steps))
                report.violations += verdict.violations(host, mortal.deeds)
            except AssertionError as error:
                report.violations.append(("stuck", str(error)))
            report.releases = len(mortal.deeds.deploys)
            if report.violations:
                report.state = state_of(host)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return report
