"""All cases, by subject. A new subject is a new module here."""

from __future__ import annotations

import importlib
import pkgutil

from contract.case import Case


def by_subject() -> dict[str, list[Case]]:
    """Find the cases of every module beside this one, and those of ``questions`` last."""
    names = sorted(
        (module.name for module in pkgutil.iter_modules(__path__)), key=lambda name: (name == "questions", name)
    )
    return {name: importlib.import_module(f"{__name__}.{name}").CASES for name in names}
