"""Tests of a release DAG: documentation, see ``docs/emulator.md``."""

# [START test]
import pytest

# Airflow's connection aws_default leads to the local ECR, and two images are in there.
pytestmark = pytest.mark.usefixtures("ecr_connection", "old", "new")


@pytest.fixture
def old(ecr_image):
    """The last release."""
    return ecr_image("shop/web", tag="prod")


@pytest.fixture
def new(ecr_image):
    """A new build, which is not released yet."""
    return ecr_image("shop/web", tag="build-42")


def prod(ecr):
    wanted = [{"imageTag": "prod"}]
    answer = ecr.client().describe_images(repositoryName="shop/web", imageIds=wanted)
    return answer["imageDetails"][0]["imageDigest"]


def test_the_new_build_is_released(ecr_emulator, dags, new):
    assert dags["example_release_promotion"].test().state == "success"
    assert ecr_emulator.calls.count("PutImage") == 1
    assert prod(ecr_emulator) == new.digest


def test_a_lost_answer_is_no_failure(ecr_emulator, dags, new):
    ecr_emulator.faults.lose("PutImage", how="cut")
    assert dags["example_release_promotion"].test().state == "success"
    assert prod(ecr_emulator) == new.digest


def test_without_access_prod_stays_where_it_is(ecr_emulator, dags, old):
    ecr_emulator.faults.fail("PutImage", "AccessDeniedException")
    assert dags["example_release_promotion"].test().state == "failed"
    assert prod(ecr_emulator) == old.digest


# [END test]
