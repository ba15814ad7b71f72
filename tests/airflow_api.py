"""Airflow's API server as far as plugins go, and users who may see a part of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import httpx
import pytest
from airflow.api_fastapi.auth.managers.models.resource_details import AssetDetails, DagAccessEntity, DagDetails
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser


class PickyAuthManager(SimpleAuthManager):
    """Airflow's own, and some users who may see less than their role says."""

    #: The only DAGs that a user may see.
    only: ClassVar[dict[str, set[str]]] = {}
    #: Whose DAG's parts a user may not see, unless they are of these DAGs.
    parts: ClassVar[dict[str, tuple[DagAccessEntity, set[str]]]] = {}
    #: Users who may not see assets.
    without_assets: ClassVar[set[str]] = set()

    def is_authorized_dag(
        self,
        *,
        method: Any,
        user: SimpleAuthManagerUser,
        access_entity: DagAccessEntity | None = None,
        details: DagDetails | None = None,
    ) -> bool:
        dag_id = details.id if details else None
        entity, among = self.parts.get(user.username, (None, set[str]()))
        if entity and access_entity is entity and dag_id not in among:
            return False
        if dag_id is not None and dag_id not in self.only.get(user.username, {dag_id}):
            return False
        return super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details)

    def is_authorized_asset(
        self, *, method: Any, user: SimpleAuthManagerUser, details: AssetDetails | None = None
    ) -> bool:
        return user.username not in self.without_assets and super().is_authorized_asset(
            method=method, user=user, details=details
        )


@dataclass(frozen=True)
class Api:
    """The API server.

    :param app: an ASGI application.
    """

    app: Any

    def get(
        self, path: str, user: str | None = "viewer", headers: Mapping[str, str] | None = None, **parameters: Any
    ) -> httpx.Response:
        """Ask as a user, or as nobody."""
        given = {"Authorization": f"Bearer {token(user)}"} if user else {}
        return asyncio.run(self._get(path, given | dict(headers or {}), parameters))

    async def _get(self, path: str, headers: dict[str, str], parameters: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://airflow.example") as client:
            return await client.get(path, headers=headers, params=parameters or None)

    def read(self, path: str, user: str = "viewer", **parameters: Any) -> Any:
        """Return what a user sees."""
        answer = self.get(f"/ecr/api/{path}", user, **parameters)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.content)


def token(user: str, role: str | None = "VIEWER", seconds: int = 600) -> str:
    """Return a user's token."""
    from airflow.api_fastapi.app import get_auth_manager

    role = None if user == "nobody" else role
    made = SimpleAuthManagerUser(username=user, role=role)
    return get_auth_manager().generate_jwt(made, expiration_time_in_seconds=seconds)


@contextmanager
def api_server() -> Iterator[Api]:
    """Start what of the API server is for plugins: their applications, behind an auth manager."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__AUTH_MANAGER", f"{__name__}.{PickyAuthManager.__name__}")
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "False")
        patch.setenv(
            "AIRFLOW__API_AUTH__JWT_SECRET", "a secret of the tests, long enough for the algorithm that signs with it"
        )
        patch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")  # connections come from the database, too
        from airflow.api_fastapi.app import init_auth_manager, init_plugins, purge_cached_app
        from fastapi import FastAPI

        purge_cached_app()
        app = FastAPI()
        init_plugins(app)
        init_auth_manager(app)
        yield Api(app)
        purge_cached_app()
