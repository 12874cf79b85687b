"""``evoray init``, ``check``, ``doctor``, ``schema`` and ``explain``."""
