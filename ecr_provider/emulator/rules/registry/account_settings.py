"""Account settings: the few there are, each with few values."""

from __future__ import annotations

from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.errors import invalid_parameter
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.settings import SettingKind

# PutAccountSetting (API reference). The first value is what counts while none is put.
_VALUES = {
    "BASIC_SCAN_TYPE_VERSION": ("AWS_NATIVE",),
    "BLOB_MOUNTING": ("DISABLED", "ENABLED"),
    "REGISTRY_POLICY_SCOPE": ("V2",),
}


def get_account_setting(call: Call) -> Answer:
    """GetAccountSetting: the value put last, or the usual one."""
    name, _ = _setting(call)
    with call.transaction() as records:
        return {"name": name, "value": value_of(records, call.registry, name)}


def put_account_setting(call: Call) -> Answer:
    """PutAccountSetting."""
    name, values = _setting(call)
    value: str = call.parameters["value"]
    if value not in values:
        raise invalid_parameter("value", f"must be one of {', '.join(values)}")
    with call.transaction() as records:
        records.set_setting(call.registry, SettingKind.ACCOUNT_SETTING, name, value, now=call.now)
    return {"name": name, "value": value}


def value_of(records: Records, registry: Registry, name: str) -> str:
    """Return the value that counts."""
    setting = records.setting(registry, SettingKind.ACCOUNT_SETTING, name)
    return setting.value if setting else _VALUES[name][0]


def _setting(call: Call) -> tuple[str, tuple[str, ...]]:
    """Return the setting's name, and its values."""
    name: str = call.parameters["name"]
    if name not in _VALUES:
        raise invalid_parameter("name", f"must be one of {', '.join(_VALUES)}")
    return name, _VALUES[name]
