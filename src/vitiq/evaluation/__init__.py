"""Studies: what is compared, how it is worked on, and where results are kept. `vitiq bench` and `run` plan over it.

    plan, presets, bench   requests -> `study.Study`: images × series × rates, lazily; every fault before any work
    engine                 `run_study(study, store, workers)`: batches out, rows in; failures, signals, deadlines
    executors              `Workers`: any `concurrent.futures.Executor` (this process, processes, Dask)
    task, worker, batch    what a worker does: encode, decode, score, keep files; returns rows
    store, parts, rows     append-only Parquet parts, files under keys; `Record`s and tables

A cluster needs nothing else. Each array task of a batch system opens the same folder and calls

    run_study(Store(out).study(), Store(out), Workers("processes"), shard=(i, n), deadline=time.time() + walltime)

which does the tasks whose keys fall to share i of n, writes parts of its own, closes them on SIGTERM or SIGUSR1, and
stops at the deadline. It may be killed and called again at any moment. A further kind of
executor is one more branch of `executors.Workers`.
"""
