"""The one place of wiring: settings in, a Faust app with all agents out; and the life of a worker process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog

from agents import garbage, identity, ingest, journey, learner, linker, warehouse
from agents.deps import Deps
from pipeline.core.budget import Budget
from pipeline.core.plan import Plan, compile_plan
from pipeline.engine.config import EngineConfig
from pipeline.engine.topics import require_topics
from pipeline.engine.worker import build_app, partition_states, run_worker, silences, waiting_for
from pipeline.errors import ThroughlineError
from pipeline.maps import load_map
from pipeline.metrics import Metrics
from pipeline.probes import Probes, serve
from pipeline.settings import DEVELOPMENT_KEY, Settings

log = structlog.get_logger()


class NoMapError(ThroughlineError):
    """A worker was started without a journey map."""


class MetricsPortError(ThroughlineError):
    """The metrics port is taken."""


def create_app(settings: Settings, plan: Plan, metrics: Metrics, data: Path) -> Any:
    """A fresh Faust app with every agent registered; nothing is connected yet."""
    app = build_app(engine_config(settings, data), metrics)
    deps = Deps(settings, plan, metrics, Budget(settings.cache_memory_mb * 1024 * 1024))
    for agent in (ingest, identity, linker, journey, learner, warehouse):
        agent.register(app, deps)
    return app


def work(settings: Settings, index: int = 0) -> int:
    """Run a worker until it is told to stop, or ends by itself and has logged why; returns its exit code (see
    `pipeline.engine.errors`). Raises ThroughlineError when it could not start.
    """
    if settings.journey_map is None:
        raise NoMapError(
            "no journey map; set THROUGHLINE_JOURNEY_MAP to a YAML file, or start with `up --map MAP`"
        )
    plan = compile_plan(load_map(settings.journey_map))
    if settings.identity_key.get_secret_value() == DEVELOPMENT_KEY:
        log.warning(
            "the identity key is the development key; set THROUGHLINE_IDENTITY_KEY before real customers come"
        )
    require_topics(settings.kafka_admin, settings.topology.specs())
    metrics = Metrics(settings.topology.app)
    app = create_app(settings, plan, metrics, settings.home / "workers" / settings.topology.app / str(index))
    metrics.watch(lambda: partition_states(app))
    if settings.metrics_port:
        probes = Probes(metrics.registry, lambda: silences(app), lambda: waiting_for(app))
        _serve(probes, settings, settings.metrics_port + index)
    garbage.relax()
    return run_worker(app)


def engine_config(settings: Settings, data: Path) -> EngineConfig:
    """What the engine has to know of the settings; `data` is a folder of this worker alone."""
    return EngineConfig(
        app=settings.topology.app,
        bootstrap=settings.kafka,
        data=data,
        options=settings.kafka_options,
        batch_records=settings.batch_records,
        batch_bytes=settings.batch_bytes,
        transaction_timeout=settings.transaction_timeout_seconds,
        drain=settings.drain_seconds,
        state_memory=settings.state_memory_mb * 1024 * 1024,
    )


def _serve(probes: Probes, settings: Settings, port: int) -> None:
    try:
        serve(probes, settings.metrics_host, port)
    except OSError as error:
        raise MetricsPortError(
            f"can't serve metrics on {settings.metrics_host}:{port} ({error.strerror}); "
            "set THROUGHLINE_METRICS_PORT to a free port, or to 0"
        ) from error
