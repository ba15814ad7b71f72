"""Tests of a release DAG: documentation, see ``docs/emulator.md``."""

# [START test]
import pytest

from ecr_provider.emulator.samples import push, sample_image

OLD = sample_image(files={"index.html": b"old"})
NEW = sample_image(files={"index.html": b"new"})


@pytest.fixture
def shop(ecr):
    """A repository with the last release under prod, and a new build."""
    push(ecr.client(), "shop/web", OLD, "prod")
    push(ecr.client(), "shop/web", NEW, "build-42")
    ecr.clear_requests()
    return ecr


def prod(ecr):
    wanted = [{"imageTag": "prod"}]
    answer = ecr.client().describe_images(repositoryName="shop/web", imageIds=wanted)
    return answer["imageDetails"][0]["imageDigest"]


def test_the_new_build_is_released(shop, dags):
    assert dags["example_release_promotion"].test().state == "success"
    assert shop.calls.count("PutImage") == 1
    assert prod(shop) == NEW.digest


def test_a_lost_answer_is_no_failure(shop, dags):
    shop.faults.lose("PutImage", how="cut")
    assert dags["example_release_promotion"].test().state == "success"
    assert prod(shop) == NEW.digest


def test_without_access_prod_stays_where_it_is(shop, dags):
    shop.faults.fail("PutImage", "AccessDeniedException")
    assert dags["example_release_promotion"].test().state == "failed"
    assert prod(shop) == OLD.digest


# [END test]
