"""Signing in with a real OpenID Connect provider: who gets in, as what, and what a forged answer gets."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx2
import pytest

from bellbuoy.local.embedded.ports import free_port
from schemas.connection import Connection
from schemas.topics import Topics
from sinks.redis.settings import RedisSettings
from sinks.redis.sink import RedisSink
from tests.support.console import RunningConsole, running_console
from tests.support.oidc_provider import SECRET, oidc_provider
from tests.support.output_records import health

pytestmark = pytest.mark.services

ACCOUNTS = {
    "ines": {"email": "ines@demo.example", "email_verified": True, "groups": ["leads", "everybody"]},
    "pat": {"email": "pat@demo.example", "email_verified": True, "groups": ["platform"]},
    "sam": {"email": "sam@demo.example", "email_verified": True, "groups": ["everybody"]},
    "eve": {"email": "ines@demo.example", "email_verified": False, "groups": ["leads"]},
    "nemo": {"groups": ["leads"]},
}
GRANTS = {"leads": {"roles": ["lead"], "tenants": ["demo"]}, "platform": {"roles": ["sre"]}}


@pytest.fixture(scope="module")
def console(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    folder, port = tmp_path_factory.mktemp("oidc"), free_port()
    topics = Topics(prefix=f"t{uuid.uuid4().hex[:8]}-", partitions=1)
    sink = RedisSink(RedisSettings(url=redis_url, prefix=topics.prefix))
    sink.open()
    sink.write([health("acme", 1, 20.0)])
    sink.close()
    with oidc_provider(f"http://127.0.0.1:{port}", folder, ACCOUNTS) as issuer:
        oidc = {
            "issuer": issuer,
            "client_id": "bellbuoy",
            "client_secret": SECRET,
            "scopes": ["openid", "email", "groups"],
            "grants": GRANTS,
        }
        with running_console(
            Connection(f"127.0.0.1:{free_port()}"), topics, redis_url, folder, port=port, oidc=oidc
        ) as running:
            yield running


@pytest.fixture
def browser(console: RunningConsole) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=console.url, timeout=60, follow_redirects=True) as client:
        yield client


def _at_provider(browser: httpx2.Client, login: str, path: str = "/book/demo") -> httpx2.Response:
    """Sign in at the provider, up to the redirect that leads back to the console, which is not followed."""
    asked = browser.get(path)
    way = re.search(r'href="(/oidc/start[^"]*)"', asked.text)
    assert way is not None, asked.text
    page = browser.get(way[1].replace("&amp;", "&"))
    for fields in ({"prompt": "login", "login": login, "password": "any"}, {"prompt": "consent"}):
        action = re.search(r'action="([^"]+)"', page.text)
        assert action is not None, page.text
        page = browser.post(page.url.join(action[1]), data=fields, follow_redirects=False)
        while page.is_redirect and "/oidc/callback" not in page.headers["location"]:
            page = browser.get(page.url.join(page.headers["location"]), follow_redirects=False)
    return page


def _sign_in(browser: httpx2.Client, login: str, path: str = "/book/demo") -> httpx2.Response:
    return browser.get(_at_provider(browser, login, path).headers["location"])


def test_a_person_gets_in_where_they_wanted_to_go_as_what_their_group_says(
    console: RunningConsole, browser: httpx2.Client
) -> None:
    page = _sign_in(browser, "ines", "/book/demo?owner=Ann")
    assert (page.status_code, page.url) == (200, f"{console.url}/book/demo?owner=Ann")
    assert "ines@demo.example" in page.text
    assert browser.get("/team/demo").status_code == 200
    assert browser.get("/model/demo").status_code == 403
    log = Path(console.process.log).read_text()
    assert "A person signed in." in log, "the audit log is written at whatever level"
    assert '"subject":"ines"' in log.replace(" ", "")

    token = re.search(r'name="token" value="(\w+)"', page.text)
    assert token is not None
    signed_out = browser.post("/sign-out", data={"token": token[1]})
    assert "/session/end" in signed_out.text
    assert browser.get("/team/demo").url.path == "/sign-in"


def test_another_role_sees_other_pages(browser: httpx2.Client) -> None:
    assert _sign_in(browser, "pat", "/").url.path == "/producers/demo"
    assert browser.get("/pipeline/demo").status_code == 200
    assert browser.get("/book/demo").status_code == 403


@pytest.mark.parametrize(
    ("login", "said"),
    [
        ("sam", "Nothing is shared with you"),
        ("eve", "has not verified the address ines@demo.example"),
        ("nemo", "says no email of you"),
    ],
)
def test_who_has_no_role_or_no_name_does_not_get_in(browser: httpx2.Client, login: str, said: str) -> None:
    page = _sign_in(browser, login)
    assert page.status_code in (401, 403)
    assert said in page.text
    assert browser.get("/book/demo").url.path == "/sign-in"


def test_an_answer_is_taken_once_and_in_the_browser_that_asked_alone(
    console: RunningConsole, browser: httpx2.Client
) -> None:
    back = _at_provider(browser, "ines").headers["location"]
    with httpx2.Client(base_url=console.url, timeout=60) as other:
        assert other.get(back).status_code == 401, "somebody else's sign-in, as in a forged link"
    parts = urlsplit(back)
    changed = dict(parse_qsl(parts.query)) | {"state": "guessed"}
    assert browser.get(urlunsplit(parts._replace(query=urlencode(changed)))).status_code == 401
    changed = dict(parse_qsl(parts.query)) | {"code": "guessed"}
    assert browser.get(urlunsplit(parts._replace(query=urlencode(changed)))).status_code == 401
    assert browser.get("/team/demo").url.path == "/sign-in"
