"""Pull-time update exclusions: principals whose pulls do not count for ``lastRecordedPullTime``.

They are kept and listed, and have no effect: the emulator knows the account of a caller, not its principal.
"""

from __future__ import annotations

from ecr_provider.emulator.rules import errors, paging
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.store.settings import SettingKind

_KIND = SettingKind.PULL_TIME_UPDATE_EXCLUSION


def register_pull_time_update_exclusion(call: Call) -> Answer:
    """RegisterPullTimeUpdateExclusion."""
    principal: str = call.parameters["principalArn"]
    limit = call.state.limits.pull_time_update_exclusions
    with call.transaction() as records:
        if records.setting(call.registry, _KIND, principal):
            raise errors.exclusion_already_exists(principal)
        if len(records.settings(call.registry, _KIND)) >= limit:
            raise errors.limit_exceeded("pull time update exclusions per registry", limit)
        setting = records.set_setting(call.registry, _KIND, principal, {}, now=call.now)
    return {"principalArn": principal, "createdAt": setting.created_at}


def deregister_pull_time_update_exclusion(call: Call) -> Answer:
    """DeregisterPullTimeUpdateExclusion."""
    principal: str = call.parameters["principalArn"]
    with call.transaction() as records:
        if records.setting(call.registry, _KIND, principal) is None:
            raise errors.exclusion_not_found(principal)
        records.delete_setting(call.registry, _KIND, principal)
    return {"principalArn": principal}


def list_pull_time_update_exclusions(call: Call) -> Answer:
    """ListPullTimeUpdateExclusions, in pages, by principal."""
    with call.transaction() as records:
        found, more = paging.settings_page(call, records, _KIND)
    return {"pullTimeUpdateExclusions": [setting.name for setting in found], "nextToken": more}
