"""vitiq: neural image compression, judged by what an image means.

Importing this package imports nothing heavy; torch is loaded by the rooms that need it.
"""

__version__ = "0.1.0"
