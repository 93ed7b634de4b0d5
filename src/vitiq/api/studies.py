"""Rate-distortion studies from Python: `vitiq.run_study`."""

from __future__ import annotations

import os
from collections.abc import Sequence

from vitiq.api.given import as_path, as_paths, texts_of
from vitiq.api.metrics import spec_of
from vitiq.api.progress import bar, set_total
from vitiq.api.types import DeviceLike, Finished, Step
from vitiq.models.device import device_name
from vitiq.workers import jobs_on

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def run_study(
    images: Paths,
    codecs: str | Sequence[str],
    out: str | os.PathLike[str],
    metrics: str | Sequence[str] = "default",
    *,
    backbone: str | os.PathLike[str] | None = None,
    panel: Sequence[str | os.PathLike[str]] = (),
    keep: str = "bitstreams,images",
    executor: str = "auto",
    device: DeviceLike | None = None,
    jobs: int | None = None,
    progress: bool | None = None,
) -> Finished:
    """Compress, decode and score images with codecs at several rates; results already in `out` are reused.

    Args:
        images: files and folders.
        codecs: as on the command line, each with its rates: `"jpeg@10:90:20,avif@bpp=0.1,0.5"`; a codec's default
            qualities if none are given.
        out: folder of the results: `records.parquet`, `records.csv`, bitstreams and reconstructions.
        metrics: comma-separated names or a list of names.
        backbone, panel: checkpoints (paths) of the ViTs for the `vit-…` metrics.
        keep: files to keep: "bitstreams", "images", both separated by a comma, or "none".
        executor: "auto", "processes", "inline" (this process), "dask" or "slurm".
        device: "cuda" or "auto" for the networks of codecs and the ViTs.
        jobs: number of parallel tasks; None for one per core.
        progress: whether to show a progress bar; None for in notebooks and terminals only.

    Returns:
        `records` (one per image, codec and rate, with its `scores`), `sets` (series -> metric -> `Score` of all its
        images) and `problems` (one line for each image or task that failed).

    Raises:
        VitiqError: problems with the request, all listed, before any work.
        KeyboardInterrupt: stopped; the same call resumes.

    Example:
        >>> import numpy as np, vitiq
        >>> from PIL import Image
        >>> Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save("black.png")
        >>> study = vitiq.run_study("black.png", "jpeg@30,80", "out", "mse", executor="inline")
        >>> [(record.codec, record.quality, record.scores["mse"].value) for record in study.records]
        [('jpeg', 30.0, 0.0), ('jpeg', 80.0, 0.0)]
    """
    from vitiq.codecs.spec import on_device, parse_codecs  # noqa: PLC0415
    from vitiq.evaluation.bench import BenchConfig, plan_bench, run_bench  # noqa: PLC0415
    from vitiq.evaluation.executors import Workers  # noqa: PLC0415
    from vitiq.evaluation.plan import check_keep  # noqa: PLC0415

    where, folder = device_name(device), as_path(out, "out")
    specs = parse_codecs(",".join(texts_of(codecs, "codecs", 'text as the command takes it ("avif[speed=8]@50")')))
    config = BenchConfig(
        images=as_paths(images, "images"),
        codecs=tuple(on_device(spec, where) for spec in specs),
        metrics=spec_of(metrics, backbone, panel, where),
        keep=check_keep(keep),
    )
    with Workers(executor, jobs_on(where, jobs)) as workers, bar(None, "study", "task", shown=progress) as shown:

        def report(step: Step) -> None:
            set_total(shown, step.total)
            shown.set_postfix_str(step.label, refresh=False)
            shown.update(step.done - shown.n)

        study = plan_bench(config, folder, workers)
        return run_bench(study, folder, workers, report)
