"""Where the full Airflow deploys: the stand-ins for ECS, Lambda and Batch that the tests use."""

from __future__ import annotations

import logging
import sys
from contextlib import AbstractContextManager

from demo.local import ROOT


def deploy_targets() -> AbstractContextManager[dict[str, dict[str, str]]]:
    """Run them; yield their end points as a connection has them."""
    sys.path.append(str(ROOT / "tests"))
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # moto's, which tells of every request
    from aws_for_deploys import aws_for_deploys

    return aws_for_deploys()
