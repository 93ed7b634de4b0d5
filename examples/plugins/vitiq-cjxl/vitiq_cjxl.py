"""libjxl's own programs as a codec, by name instead of by template."""

from vitiq.plugins import Command


class Cjxl(Command):
    """`cjxl -e 9`, decoded by `djxl`."""

    name = "cjxl"

    def __init__(self, **options):
        super().__init__(**{"encode": "cjxl {in} {out} -q {q} -e 9", "low": 10, "high": 95, **options})
