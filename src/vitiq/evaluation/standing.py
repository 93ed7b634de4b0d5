"""How far a study is: what has a file and every score, and what the study's command would still do. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vitiq.evaluation.record import Record
from vitiq.evaluation.study import Study
from vitiq.text import plural


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a study is.

    Attributes:
        tasks: their number.
        done: tasks with a file and every score.
        failed: tasks of which the file or a score could not be made.
        waiting: tasks without any result yet.
        files: tasks with a file.
        unscored: metric -> number of files that have no score of it; those that have all are not named.
    """

    tasks: int
    done: int
    failed: int
    waiting: int
    files: int
    unscored: Mapping[str, int]

    def lines(self, shown: Callable[[str], str] = str) -> list[str]:
        """What a reader of means must know of a study that is not finished; [] for one that is.

        Args:
            shown: a metric's name as it is to be written.
        """
        if not self.waiting and not self.unscored:
            return []
        said = [f"Unfinished: {self.done} of {plural(self.tasks, 'task')} done; run the study's command again."]
        lacking: dict[int, list[str]] = {}
        for name, count in self.unscored.items():
            lacking.setdefault(count, []).append(shown(name))
        return said + [
            f"{', '.join(names)}: {count} of {plural(self.files, 'file')} without a score; means are of the others."
            for count, names in lacking.items()
        ]


def standing(study: Study, records: Sequence[Record]) -> Standing:
    """How far a study is, by its records."""
    made = [record for record in records if record.error is None]
    lacking = {name: sum(name not in record.scores for record in made) for name in study.signatures}
    return Standing(
        tasks=len(study),
        done=sum(all(name in record.scores for name in study.signatures) for record in made),
        failed=sum(record.failure is not None for record in records),
        waiting=len(study) - len(records),
        files=len(made),
        unscored={name: count for name, count in lacking.items() if count},
    )
