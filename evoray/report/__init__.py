"""What a finished run looks like: tables on the terminal, and one page that stands alone."""

from evoray.report.page import render
from evoray.report.tables import print_run

__all__ = ["print_run", "render"]
