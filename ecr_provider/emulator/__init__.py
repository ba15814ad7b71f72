"""A faithful local Amazon ECR, for tests and demonstrations.

It is no part of the provider: neither imports the other. Where AWS's documentation is silent, the choice made
here is said where it is made, and those that matter can be switched (``Switches``).
"""

from ecr_provider.emulator.emulator import EcrEmulator
from ecr_provider.emulator.events import Event
from ecr_provider.emulator.faults import Faults
from ecr_provider.emulator.journal import Request
from ecr_provider.emulator.settings import Limits, Switches
from ecr_provider.emulator.store.store import StoreError

__all__ = ["EcrEmulator", "Event", "Faults", "Limits", "Request", "StoreError", "Switches"]
