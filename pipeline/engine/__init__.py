"""Record batches and fenced transactions: Faust and Kafka, and nothing of customers.

In: topics of raw records. Out: whatever a stage's logic sends. What always holds: a stage's outputs, its
state and its place in the input change together or not at all, and nothing is acknowledged that was not
committed.

How to use it, from the outside in:

    config = EngineConfig(app="throughline", bootstrap="127.0.0.1:19092", data=Path(".throughline/worker-0"))
    admin = clients.admin_options(config.bootstrap, config.options)
    topics.ensure_topics(admin, specs)          # `throughline up`, `prepare`
    topics.require_topics(admin, specs)         # before a worker starts: verifies, never creates
    app = build_app(config, hooks)              # a fresh faust.App each time
    create_stage(app, "identity", "identity.touchpoints", "identity.identity.touchpoints.changelog", factory)
    create_sink(app, "warehouse", ["journeys.enriched", "journeys.findings"], sink_factory)
    end_process(run_worker(app))                # runs until SIGTERM, SIGINT or a failure; see `errors`

`create_stage` is called once for each (stage, input topic); a stage over nine source topics is nine calls
with one name.

Modules: `config` (EngineConfig), `stage` (the contract with a stage's logic), `sink` (the at-least-once
variant), `topic_spec`, `topics`, `clients` (one set of options for three clients), `transport` (record batches out of
Faust), `changelog` (recovery), `store` (state), `unit` (one partition's unit of work), `worker` (building
blocks and the process's life), `hooks` (what can be observed), `errors` (typed, with exit codes). The rules
and what each defends against: docs/engine.md.
"""
