"""The one place that knows which Airflow is installed.

Everything else that this package imports from Airflow stands where it stood in 3.0.6, the floor.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import __version__ as task_sdk_version
from airflow.sdk.definitions.template import literal
from airflow.sdk.execution_time.xcom import XCom
from packaging.version import Version

if TYPE_CHECKING:
    from airflow.sdk import BaseHook, Context
    from airflow.sdk.configuration import conf
    from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, AirflowSkipException
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
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSkipException",
    "BaseHook",
    "XCom",
    "conf",
    "first_try_at",
    "literal",
    "triggering_user",
    "xcom_value",
]

#: The task SDK of Airflow 3.1; that of 3.0 refuses an XCom whose value is ``None``.
_AIRFLOW_3_1: Final = Version("1.1")


def first_try_at(context: Context) -> float | None:
    """Return when a sensor that reschedules first tried, in seconds since the epoch; ``None`` at its first try."""
    date: datetime | str | None = context["ti"].get_first_reschedule_date(context)
    if isinstance(date, str):  # by dag.test() of Airflow 3.0
        date = datetime.fromisoformat(date)
    return None if date is None else date.timestamp()


def triggering_user(context: Context) -> str | None:
    """Tell who triggered the DAG run; ``None`` for scheduled runs, and before Airflow 3.1, which does not say."""
    return getattr(context["dag_run"], "triggering_user_name", None)


def xcom_value(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return outputs in the form in which each can be an XCom of its own.

    On Airflow 3.0 those that are ``None`` are left out; ``task.output["key"]`` reads as ``None`` all the same.
    """
    if Version(task_sdk_version) >= _AIRFLOW_3_1:
        return dict(outputs)
    return {key: value for key, value in outputs.items() if value is not None}
