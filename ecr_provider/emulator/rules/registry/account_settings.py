"""Account settings: the few there are, each with few values."""

from __future__ import annotations

from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.errors import invalid_parameter

_KIND = "account setting"

# PutAccountSetting (API reference). The first value is what counts while none is put.
_VALUES = {
    "BASIC_SCAN_TYPE_VERSION": ("AWS_NATIVE",),
    "BLOB_MOUNTING": ("DISABLED", "ENABLED"),
    "REGISTRY_POLICY_SCOPE": ("V2",),
}


def get_account_setting(call: Call) -> Answer:
    """GetAccountSetting: the value put last, or the usual one."""
    name, values = _setting(call)
    with call.transaction() as records:
        setting = records.setting(call.account, call.region, _KIND, name)
    return {"name": name, "value": setting.value if setting else values[0]}


def put_account_setting(call: Call) -> Answer:
    """PutAccountSetting."""
    name, values = _setting(call)
    value: str = call.parameters["value"]
    if value not in values:
        raise invalid_parameter("value", f"must be one of {', '.join(values)}")
    with call.transaction() as records:
        records.set_setting(call.account, call.region, _KIND, name, value, now=call.now)
    return {"name": name, "value": value}


def _setting(call: Call) -> tuple[str, tuple[str, ...]]:
    """Return the setting's name, and its values."""
    name: str = call.parameters["name"]
    if name not in _VALUES:
        raise invalid_parameter("name", f"must be one of {', '.join(_VALUES)}")
    return name, _VALUES[name]
