"""Copy images between repositories, accounts, Regions and registries; Airflow is not needed.

Two places and a call::

    patience = Patience(seconds=3600)
    source = RegistryImages.at("quay.io", "team/web", patience)
    target = EcrImages(EcrRepository(boto3.client("ecr"), "shop/web"), patience)
    copy_image(source, target, source.manifest("1.42"), ["build-42"])

The engine asks only what ``protocols`` says; ``ecr`` and ``registries`` fulfil it.
"""

from __future__ import annotations

from ecr_provider.copying.engine import copy_image
from ecr_provider.copying.plan import CopyPlan, Way
from ecr_provider.copying.report import CopyReport, CopyResult

__all__ = ["CopyPlan", "CopyReport", "CopyResult", "Way", "copy_image"]
