"""The pages as people see them: a full Airflow and a headless browser, from the first release to a tag that drifts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from browser import chromium, keep_screenshot, page_of
from full_airflow import SETTINGS, free_port, wait_for
from playwright.sync_api import Browser, Page, expect
from real_clients import needs_client

from demo.airflow import LocalAirflow
from demo.local import airflow_settings, push_builds
from ecr_provider.emulator import EcrEmulator, Switches
from ecr_provider.version_compat import HAS_REACT_APPS

pytestmark = [
    needs_client("chromium"),
    pytest.mark.skipif(not HAS_REACT_APPS, reason="this Airflow shows no pages of others"),
]

GATED, APPROVED = "example_gated_release", "example_approved_release"
PROD = '[data-name$="/shop/web:prod"]'
#: Whatever the notation, as red, green and blue.
COLOUR_OF_TEXT = """element => {
    const brush = new OffscreenCanvas(1, 1).getContext("2d");
    brush.fillStyle = getComputedStyle(element).color;
    brush.fillRect(0, 0, 1, 1);
    return [...brush.getImageData(0, 0, 1, 1).data].slice(0, 3);
}"""
SLOW = 60_000  # milliseconds that a release may take


@pytest.fixture(scope="module")
def ecr() -> Iterator[EcrEmulator]:
    with EcrEmulator(switches=Switches(replication_seconds=1)) as emulator:
        push_builds(emulator)
        emulator.advance(3600)
        yield emulator


@pytest.fixture(scope="module")
def airflow(ecr: EcrEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    home = tmp_path_factory.mktemp("airflow")
    with LocalAirflow(home, airflow_settings(home, ecr) | SETTINGS, free_port()) as running:
        wait_for(running, "parsing the DAGs", lambda: running.dag_ids() >= {GATED, APPROVED})
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser, airflow: LocalAirflow) -> Iterator[Page]:
    with page_of(browser, airflow.url) as opened:
        yield opened


def digest_of(ecr: EcrEmulator, tag: str, repository_name: str = "shop/web") -> str:
    images = ecr.client().describe_images(repositoryName=repository_name, imageIds=[{"imageTag": tag}])["imageDetails"]
    return images[0]["imageDigest"]


def short(digest: str) -> str:
    return digest[: len("sha256:") + 12]


# The tests follow each other, as the day of a team does.


def test_the_page_is_in_the_navigation_and_says_that_nothing_was_released(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Releases").click()
    expect(page.get_by_role("heading", name="Nothing was released yet")).to_be_visible()


def test_a_failed_gate_is_shown_with_what_it_found_and_leads_to_its_log(
    page: Page, airflow: LocalAirflow, ecr: EcrEmulator
) -> None:
    ecr.scans.script(repository_name="shop/web", findings={"CRITICAL": 1, "HIGH": 2})
    page.goto("/plugin/releases")
    airflow.trigger(GATED)
    chip = page.locator(".ecr-run .ecr-chip", has_text="scan")
    expect(chip).to_have_class(re.compile("ecr-failed"), timeout=SLOW)
    expect(chip).to_contain_text("1 CRITICAL, 2 HIGH")
    expect(page.locator(".ecr-run .ecr-chip", has_text="promote")).to_have_class(re.compile("ecr-upstream_failed"))
    expect(page.get_by_role("heading", name="Nothing was released yet")).to_be_visible()
    chip.click()
    expect(page.get_by_role("heading", name="scan")).to_be_visible()
    expect(page.get_by_text("CVE-").first).to_be_visible()
    keep_screenshot(page, "failed-gate")
    ecr.scans.clear()


def test_a_release_is_seen_with_its_gates_its_deploy_and_its_history(
    page: Page, airflow: LocalAirflow, ecr: EcrEmulator
) -> None:
    wanted, before = digest_of(ecr, "1.4.0"), digest_of(ecr, "prod")
    page.goto("/plugin/releases")
    expect(page.get_by_role("heading", name="Releases")).to_be_visible()
    run_id = airflow.trigger(GATED)
    row = page.locator(PROD)
    expect(row).to_contain_text(short(wanted), timeout=SLOW)
    expect(row).to_contain_text(short(before))
    expect(row).to_contain_text("linux/amd64, linux/arm64")
    expect(row.locator(".ecr-chip", has_text="scan")).to_contain_text("no findings")
    expect(row.locator(".ecr-chip", has_text="signed")).to_contain_text("referrers")
    expect(row.locator(".ecr-agrees")).to_be_visible()
    expect(row.locator(".ecr-chip.ecr-success", has_text=f"{GATED}_deploy")).to_be_visible(timeout=SLOW)
    row.locator(".ecr-open").click()
    details = page.locator(".ecr-details")
    expect(details.get_by_role("link", name=run_id)).to_have_attribute("href", re.compile(f"/dags/{GATED}/runs/"))
    expect(details.get_by_role("link", name="image details")).to_have_attribute(
        "href",
        re.compile(rf"console\.aws\.amazon\.com/ecr/repositories/private/123456789012/shop/web/_/image/{wanted}/"),
    )
    expect(details.locator(".ecr-timeline li")).to_have_count(1)
    details.get_by_role("button", name="Copy the image reference").click()
    assert page.evaluate("navigator.clipboard.readText()").endswith(f"/shop/web@{wanted}")
    keep_screenshot(page, "releases")


def test_the_task_has_the_image_its_links_and_its_xcoms(page: Page, ecr: EcrEmulator) -> None:
    wanted = digest_of(ecr, "prod")
    page.goto("/plugin/releases")
    page.locator(PROD).get_by_role("link", name=GATED, exact=True).click()
    page.get_by_role("link", name="ECR image").click()
    tab = page.locator(".ecr-image")
    expect(tab.get_by_text("Index of 2 manifests")).to_be_visible(timeout=SLOW)
    expect(tab.locator("summary", has_text="linux/arm64")).to_be_visible()
    expect(tab.locator(".ecr-layers li", has_text="kB")).to_have_count(4)
    expect(tab.get_by_text("application/vnd.example.signature")).to_be_visible()
    expect(tab.get_by_text(wanted, exact=True)).to_be_visible()
    keep_screenshot(page, "image-tab")
    page.get_by_role("link", name="Details", exact=True).click()
    expect(page.get_by_role("link", name="Amazon ECR image")).to_have_attribute("href", re.compile(wanted))
    page.get_by_role("link", name="Storage", exact=True).click()
    page.get_by_role("link", name="XCom", exact=True).click()
    expect(page.get_by_text("imageUri").first).to_be_visible()


def test_a_person_approves_a_release(page: Page, airflow: LocalAirflow, ecr: EcrEmulator) -> None:
    wanted = digest_of(ecr, "build-41")
    run_id = airflow.trigger(APPROVED, build_tag="build-41")
    page.goto("/plugin/releases")
    on_its_way = page.locator(".ecr-run", has_text="running")
    asked = on_its_way.locator(".ecr-chip.ecr-awaiting_input", has_text="approve")
    expect(asked).to_be_visible(timeout=SLOW)
    expect(on_its_way.locator(".ecr-role-release .ecr-none")).to_be_visible()
    keep_screenshot(page, "on-its-way")
    asked.click()
    page.get_by_role("link", name="Required Action").click()
    expect(page.get_by_text("Put shop/web:build-41 under prod?")).to_be_visible()
    expect(page.get_by_text(wanted)).to_be_visible()
    keep_screenshot(page, "approval")
    # Airflow takes an answer that comes before it has heard of the question's end for a dead task. People are slower.
    asked_for_good = f"Received executor event with state success for task instance TaskInstanceKey(dag_id='{APPROVED}'"
    log = airflow.home / "scheduler.log"
    wait_for(airflow, "the end of the question", lambda: f"{asked_for_good}, task_id='approve'" in log.read_text())
    page.get_by_role("button", name="Approve").click()
    wait_for(airflow, "the release", lambda: airflow.run_state(APPROVED, run_id) in {"success", "failed"})
    assert set(airflow.task_states(APPROVED, run_id).values()) == {"success"}
    page.goto("/plugin/releases")
    row = page.locator(PROD)
    expect(row).to_contain_text(short(wanted), timeout=SLOW)
    expect(row.locator(".ecr-chip", has_text="approve")).to_contain_text("Approve by")
    assert digest_of(ecr, "prod") == wanted


def test_what_somebody_put_behind_airflow_s_back_is_drift(page: Page, ecr: EcrEmulator) -> None:
    client = ecr.client()
    newest = client.batch_get_image(repositoryName="shop/web", imageIds=[{"imageTag": "build-42"}])["images"][0]
    client.put_image(repositoryName="shop/web", imageManifest=newest["imageManifest"], imageTag="prod")
    page.goto("/plugin/releases")
    drift = page.locator(PROD).locator(".ecr-drift")
    expect(drift).to_contain_text(f"now {short(newest['imageId']['imageDigest'])}", timeout=SLOW)


def test_the_page_is_used_by_keyboard(page: Page) -> None:
    page.goto("/plugin/releases")
    row = page.locator(PROD)
    expect(row).to_be_visible(timeout=SLOW)
    page.keyboard.press("/")
    page.keyboard.type("no such tag")
    expect(page.get_by_role("heading", name="No tag matches")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.type("web PROD")
    expect(row).to_be_visible()
    for _ in range(12):  # over the links of the run that failed
        page.keyboard.press("Tab")
        if row.locator(".ecr-open").evaluate("each => each === document.activeElement"):
            break
    expect(row.locator(".ecr-open")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".ecr-details .ecr-timeline li")).to_have_count(2)
    page.get_by_role("tab", name="History").press("Enter")
    expect(page.locator(".ecr-history .ecr-outcome")).to_have_count(2)


def test_it_is_dark_where_people_want_it_dark(browser: Browser, airflow: LocalAirflow) -> None:
    with page_of(browser, airflow.url, "dark") as page:
        page.goto("/plugin/releases")
        expect(page.locator(PROD)).to_be_visible(timeout=SLOW)
        assert min(page.locator(".ecr").evaluate(COLOUR_OF_TEXT)) > 180
        keep_screenshot(page, "releases-dark")


def test_it_goes_on_without_the_registry(page: Page, ecr: EcrEmulator) -> None:
    ecr.faults.fail("DescribeImages", "ServerException", times=1000)
    page.goto("/plugin/releases")
    expect(page.locator(PROD).locator(".ecr-unknown")).to_contain_text("cannot tell", timeout=SLOW)
    expect(page.locator(PROD)).to_contain_text(short(digest_of_row(page)))


def digest_of_row(page: Page) -> str:
    return str(page.locator(PROD).locator("code").first.get_attribute("title"))
