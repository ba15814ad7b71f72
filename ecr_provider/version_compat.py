"""The one place that knows which Airflow is installed.

Everything else that this package imports from Airflow stands where it stood in 3.0.6, the floor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.metadata import version as metadata_version
from typing import TYPE_CHECKING, Any, Final, cast

from airflow.sdk import Asset
from airflow.sdk import __version__ as task_sdk_version
from airflow.sdk.definitions.template import literal
from airflow.sdk.execution_time.context import InletEventsAccessors
from airflow.sdk.execution_time.xcom import XCom
from packaging.version import Version

if TYPE_CHECKING:
    from airflow.sdk import BaseHook, Connection, Context
    from airflow.sdk.configuration import conf
    from airflow.sdk.definitions.asset import AssetRef
    from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, AirflowSkipException
    from airflow.sdk.execution_time.context import AssetStateStoreAccessor
    from airflow.triggers.base import BaseEventTrigger
else:
    try:
        from airflow.sdk.configuration import conf
        from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, AirflowSkipException
    except ImportError:  # before Airflow 3.2
        from airflow.configuration import conf
        from airflow.exceptions import AirflowFailException, AirflowNotFoundException, AirflowSkipException
    try:
        from airflow.sdk import BaseHook
    except ImportError:  # before Airflow 3.1
        from airflow.hooks.base import BaseHook

__all__ = [
    "HAS_PARTITIONED_EVENTS",
    "HAS_REACT_APPS",
    "HAS_STORED_EVENTS",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSkipException",
    "BaseHook",
    "XCom",
    "airflow_version",
    "asset_stores",
    "conf",
    "connection_by",
    "first_try_at",
    "literal",
    "recent_asset_events",
    "referred_asset",
    "shared_stream_producer",
    "triggering_user",
    "xcom_value",
]

_TASK_SDK: Final = Version(task_sdk_version)
#: The task SDK of Airflow 3.1; that of 3.0 refuses an XCom whose value is ``None``.
_AIRFLOW_3_1: Final = Version("1.1")
_AIRFLOW_3_3: Final = Version("1.3")

#: Whether a task can choose the partition of its asset event.
HAS_PARTITIONED_EVENTS: Final = _TASK_SDK >= _AIRFLOW_3_3
#: Whether a trigger learns when its events are stored.
HAS_STORED_EVENTS: Final = _TASK_SDK >= _AIRFLOW_3_3
#: Whether the UI shows pages of others.
HAS_REACT_APPS: Final = _TASK_SDK >= _AIRFLOW_3_1


def airflow_version() -> str:
    """Return the version of Airflow itself."""
    return metadata_version("apache-airflow-core")


def shared_stream_producer() -> type:
    """Return the base of what feeds a stream that triggers share; before Airflow 3.3, which has none, any base."""
    if not HAS_STORED_EVENTS:
        return object
    from airflow.triggers.shared_stream import SharedStreamProducer  # noqa: PLC0415 - for triggers only

    return SharedStreamProducer


def asset_stores(trigger: BaseEventTrigger) -> list[AssetStateStoreAccessor]:
    """Return where the assets that a trigger watches keep its state; none before Airflow 3.3."""
    stores = getattr(trigger, "asset_state_store", None)
    # Airflow's own accessor takes one asset only, and watchers that are alike are one trigger.
    return [] if stores is None else [*stores._by_name.values(), *stores._by_uri.values()]  # noqa: SLF001


def first_try_at(context: Context) -> float | None:
    """Return when a sensor that reschedules first tried, in seconds since the epoch; ``None`` at its first try."""
    date: datetime | str | None = context["ti"].get_first_reschedule_date(context)
    if isinstance(date, str):  # by dag.test() of Airflow 3.0
        date = datetime.fromisoformat(date)
    return None if date is None else date.timestamp()


def connection_by(get: Callable[[str], Connection], conn_id: str) -> Connection:
    """Return a connection by a hook's own method, or without it where that wants a task's supervisor and no task runs.

    That is so on the API server of Airflow 3.1. The amazon provider would take the error for leave to use boto3's own
    credential chain.

    :raises AirflowNotFoundException: it does not exist.
    """
    try:
        return get(conn_id)
    except ImportError as error:
        if "SUPERVISOR_COMMS" not in str(error):
            raise
    from airflow.models.connection import Connection as Stored  # noqa: PLC0415 - on servers only

    return cast("Connection", Stored.get_connection_from_secrets(conn_id))


def recent_asset_events(asset: Asset, count: int) -> list[Any]:
    """Return an asset's last events, the newest first, within a task.

    :param count: how many.
    """
    events = InletEventsAccessors([asset])[asset]
    if hasattr(events, "ascending"):  # from Airflow 3.2 on; before, all of them come along
        events = events.ascending(False).limit(count)  # noqa: FBT003 - Airflow's own
    return sorted(events, key=lambda event: event.timestamp, reverse=True)[:count]


def referred_asset(context: Context, reference: AssetRef) -> Asset:
    """Return the asset that a reference is to, within a task.

    :raises AirflowRuntimeError: Airflow knows none.
    """
    events: Any = context["outlet_events"]
    if HAS_PARTITIONED_EVENTS:
        key, extra = events._resolve_asset_ref(reference)  # noqa: SLF001 - the public way leaves out what says so
        return Asset(name=key.name, uri=key.uri, extra=extra)
    key = events[reference].key
    return Asset(name=key.name, uri=key.uri)


def triggering_user(context: Context) -> str | None:
    """Tell who triggered the DAG run; ``None`` for scheduled runs, and before Airflow 3.1, which does not say."""
    return getattr(context["dag_run"], "triggering_user_name", None)


def xcom_value(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return outputs in the form in which each can be an XCom of its own.

    On Airflow 3.0 those that are ``None`` are left out; ``task.output["key"]`` reads as ``None`` all the same.
    """
    if _TASK_SDK >= _AIRFLOW_3_1:
        return dict(outputs)
    return {key: value for key, value in outputs.items() if value is not None}
