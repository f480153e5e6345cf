"""A pipeline as a process tree: the services that it needs, its topics and tables, its workers."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from urllib.request import urlopen

from pipeline.embedded.ports import is_free
from pipeline.embedded.services import embedded_services
from pipeline.embedded.tree import Member, Tree, Worker
from pipeline.engine.topics import delete_groups, delete_topics, ensure_topics, existing_topics
from pipeline.errors import ThroughlineError
from pipeline.settings import Settings
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.migrate import migrate

_GRACE_SECONDS = 12.0
"""Beyond draining: a worker has 10 s for leaving its group, and shall end with a code of its own."""
_ANSWER_SECONDS = 1.0


class PipelineExistsError(ThroughlineError):
    """A pipeline of this name has topics or tables already."""


def services(settings: Settings, *, share: bool) -> list[Member]:
    """The embedded services that are to be started; with `share`, not those that answer already.

    Raises EmbeddedError when an address is not one where they can live.
    """
    where = settings.services
    wanted = embedded_services(settings, where, where)
    return [each for each in wanted if not (share and each.is_ready())]


def _nothing() -> None:
    pass


def pipeline_tree(
    settings: Settings,
    workers: int,
    tell: Callable[[str], None],
    *,
    share: bool,
    before: Callable[[], None] = _nothing,
    after: Callable[[], None] = _nothing,
) -> Tree:
    """The tree of one pipeline. `before` and `after` run around the making of topics and tables."""

    def prepare() -> None:
        before()
        create(settings)
        after()

    return Tree(
        services(settings, share=share),
        prepare,
        _workers(settings, workers),
        logs=settings.home.resolve() / "logs",
        drain_seconds=settings.drain_seconds + _GRACE_SECONDS,
        tell=tell,
    )


def beside(settings: Settings, workers: int) -> Settings:
    """The settings with metrics ports that are free for so many workers: a replay may run beside the live pipeline."""
    first = settings.metrics_port
    while first and not all(map(is_free, range(first, first + workers))):
        first += 1
    return settings.model_copy(update={"metrics_port": first})


def create(settings: Settings) -> None:
    """Topics and tables, created or verified."""
    ensure_topics(settings.kafka_admin, settings.topology.specs())
    warehouse = Warehouse.of(settings)
    try:
        migrate(warehouse)
    finally:
        warehouse.close()


def require_new(settings: Settings, *, fresh: bool) -> None:
    """Make sure that nothing of this pipeline exists: refuse if it does, or with `fresh` remove it."""
    options = settings.kafka_admin
    names = {spec.name for spec in settings.topology.specs()}
    topics = sorted(names & existing_topics(options))
    warehouse = Warehouse.of(settings)
    try:
        has_database = warehouse.has_database()
        if (topics or has_database) and not fresh:
            raise PipelineExistsError(
                f"a pipeline named {settings.namespace!r} exists already; give --fresh to remove it first, "
                "or choose another --name"
            )
        if topics:
            delete_topics(options, topics)
        delete_groups(options, [settings.topology.app])
        if has_database:
            warehouse.drop_database()
    finally:
        warehouse.close()
    shutil.rmtree(settings.home / "workers" / settings.topology.app, ignore_errors=True)


def _workers(settings: Settings, count: int) -> Sequence[Worker]:
    name = f"{settings.namespace}-worker" if settings.namespace else "worker"
    command = [sys.executable, "-m", "pipeline", "worker", "--index"]
    environment = settings.environment()
    return [
        Worker(f"{name}-{index}", [*command, str(index)], environment, _readiness(settings, index))
        for index in range(count)
    ]


def _readiness(settings: Settings, index: int) -> Callable[[], bool] | None:
    """Asks a worker's /readyz, if it has one."""
    if not settings.metrics_port:
        return None
    host = "127.0.0.1" if settings.metrics_host == "0.0.0.0" else settings.metrics_host  # noqa: S104 - compared, not bound
    url = f"http://{host}:{settings.metrics_port + index}/readyz"

    def is_ready() -> bool:
        try:
            with urlopen(url, timeout=_ANSWER_SECONDS):
                return True
        except OSError:  # not yet there, or 503
            return False

    return is_ready
