"""Studies and folders of pairs: what is compared, how it is worked on, and where results are kept.

Studies, which `vitiq run` and `bench` plan:

    plan, presets, bench   requests -> `study.Study`: images × series × rates, lazily; every fault before any work
    engine                 `run_study(study, store, workers)`: batches out, rows in; failures, signals, deadlines
    executors, slurm       `Workers`: any `concurrent.futures.Executor` (this process, processes, Dask, SLURM)
    task, worker, batch    what a worker does: encode, decode, score, keep files; returns rows
    store, parts, rows     append-only Parquet parts, files under keys; `Record`s and tables
    points, series_sets    what follows from records: rate-distortion points, scores of sets
    housekeeping           what a folder holds, and what nothing refers to any more

Pairs of files, which `vitiq score` and `validate` plan:

    pairs, sets, alone     which files are compared
    scoring                every metric of many pairs, on all cores, in order
    pair_store, table      values kept so that a stopped command resumes; a row a pair for people
    aggregate              what the pairs of a folder add up to
    opinion_values, validate, validate_text   agreement with people

A cluster needs nothing else. Each array task of a batch system opens the same folder and calls

    run_study(Store(out).study(), Store(out), Workers("processes"), shard=(i, n), deadline=time.time() + walltime)

which does the tasks whose keys fall to share i of n, writes parts of its own, closes them on SIGTERM or SIGUSR1, and
stops at the deadline. It may be killed and called again at any moment. A further kind of executor is one more branch of
`executors.Workers`.
"""
