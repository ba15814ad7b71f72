"""A faithful local Amazon ECR, for tests and demonstrations.

It is no part of the provider: neither imports the other. Where AWS's documentation is silent, the choice made
here is said where it is made, and those that matter can be switched (``Switches``).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecr_provider.emulator.emulator import EcrEmulator
    from ecr_provider.emulator.events.events import Event
    from ecr_provider.emulator.faults import Fault, Faults, Which
    from ecr_provider.emulator.journal import Request
    from ecr_provider.emulator.scripts import Finding, Scans, ScanStep, Signings, SigningStep
    from ecr_provider.emulator.settings import Limits, Switches
    from ecr_provider.emulator.store.store import StoreError

__all__ = [
    "EcrEmulator",
    "Event",
    "Fault",
    "Faults",
    "Finding",
    "Limits",
    "Request",
    "ScanStep",
    "Scans",
    "SigningStep",
    "Signings",
    "StoreError",
    "Switches",
    "Which",
]

_HOMES = {
    "EcrEmulator": "emulator",
    "Event": "events.events",
    "Fault": "faults",
    "Faults": "faults",
    "Finding": "scripts",
    "Limits": "settings",
    "Request": "journal",
    "ScanStep": "scripts",
    "Scans": "scripts",
    "SigningStep": "scripts",
    "Signings": "scripts",
    "StoreError": "store.store",
    "Switches": "settings",
    "Which": "faults",
}


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for: pytest loads our plugin at every start, and boto3 is slow."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
