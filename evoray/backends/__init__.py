"""Where children are evaluated: in this process, or on Ray (imported only when asked for)."""

from evoray.backends.base import Backend, Bulk, Job, Outcome, Source, Unit, Work
from evoray.backends.registry import make_backend

__all__ = ["Backend", "Bulk", "Job", "Outcome", "Source", "Unit", "Work", "make_backend"]
