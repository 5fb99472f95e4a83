"""Libraries of an extra (`report`, `probe`), imported when they are needed."""

import importlib
from typing import Any


def library(name: str, extra: str = "report") -> Any:
    """Import a module. Raises ValueError that says what to install if it is missing."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != name.split(".")[0]:
            raise
        raise ValueError(f"{name.split('.')[0]} is not installed: pip install 'nl-tasks[{extra}]'") from None
