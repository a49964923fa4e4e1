"""Addresses and headers that pretend: another host, another path, somebody else's address, a name with a line break."""

from __future__ import annotations

import pytest

from every_route import Scene
from house import House
from page_browser import Browser
from signoff.service.accounts import make_link


@pytest.mark.parametrize(
    "host", ["evil.example", "testserver.evil.example", "evil.example:80", "127.0.0.1.evil", "", "*"]
)
def test_another_host_is_not_this_server(house: House, host: str) -> None:
    for path in ("/api/v1/me", "/sign-in", "/healthz"):
        answer = house.client.get(path, headers={"Host": host})
        assert answer.status_code == 400
        assert "evil" not in answer.text


PRETENCES = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Prefix": "/evil",
    "X-Original-URL": "/api/v1/audit",
    "X-Rewrite-URL": "/api/v1/audit",
    "X-HTTP-Method-Override": "DELETE",
    "X-Remote-User": "erin",
    "Remote-User": "erin",
    "X-Forwarded-User": "erin",
    "X-Forwarded-Email": "erin@example.org",
    "Forwarded": "host=evil.example;proto=https;for=127.0.0.1",
    "X-Real-IP": "127.0.0.1",
}


def test_no_header_makes_somebody_else_of_a_caller_or_of_the_server(scene: Scene) -> None:
    house = scene.house
    said = house.as_("dave").get("/me", headers=PRETENCES)
    assert (said.json()["name"], said.json()["server"]) == ("dave", "http://testserver")
    assert house.as_("dave").get("/audit", headers=PRETENCES).status_code == 403
    assert house.client.get("/api/v1/me", headers=PRETENCES).status_code == 401
    page = Browser(house).get("/sign-in", headers=PRETENCES)
    assert "evil" not in page.text
    led = Browser(house).get("/account", headers=PRETENCES)
    assert led.headers["location"].startswith("/sign-in")
    assert "evil" not in make_link(house.desk, house.actor("erin"), "bob").url


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/%2e%2e/v1/audit",
        "/api/v1//audit",
        "//api/v1/audit",
        "/api%2fv1%2faudit",
        "/api/v1/audit/",
        "/api/v1/audit;x=1",
        "/api/v1/audit%00",
        "/api/v1/audit%20",
        "/API/V1/AUDIT",
        "/api/v1/./audit",
        "/api/v1/runs/..%2faudit",
        "/api/v1/users/..%2f..%2fetc%2fpasswd",
        "/api/v1/models/%2e%2e%2f%2e%2e",
        "/static/x/..%2f..%2fpage.py",
        "/static/x/%2e%2e/%2e%2e/page.py",
        "/static/x//etc/passwd",
        "/static/..%5c..%5cpage.py/x",
        "/runs/%ff",
        "/runs/%00",
        "/runs/%E0%A4%A",
        "/runs/" + "a" * 8000,
    ],
)
def test_no_way_to_write_a_path_leads_somewhere_else(house: House, path: str) -> None:
    for headers in ({}, {"Authorization": f"Bearer {house.secret('dave')}"}):
        answer = house.client.get(path, headers=headers, follow_redirects=False)
        assert answer.status_code in {303, 307, 400, 401, 403, 404, 405, 414, 422}, answer.status_code
        if answer.status_code in {303, 307}:
            assert answer.headers["location"].startswith(("/sign-in", "http://testserver/"))
        assert "root:" not in answer.text
        assert "import annotations" not in answer.text


def test_an_encoded_slash_leads_nowhere_that_a_plain_one_does_not(scene: Scene) -> None:
    dave = scene.house.as_("dave")
    for encoded, plain in (("%2faudit", "/audit"), ("/models/..%2fusers", "/users"), ("%2fprivate-models", "/x")):
        assert dave.get(encoded).status_code in {403, 404} | {dave.get(plain).status_code}, encoded


@pytest.mark.parametrize("name", ["a\r\nSet-Cookie: x=1", "a\nb", "a\x00b", "\u2028", "é" * 50, "x" * 65])
def test_no_line_is_added_to_an_answers_head(house: House, name: str) -> None:
    try:
        answer = house.client.get("/api/v1/me", headers={b"X-Request-Id": name.encode("utf-8")})
    except ValueError:
        return  # no client sends it
    assert answer.headers["x-request-id"] != name
    assert "set-cookie" not in answer.headers


def test_a_name_in_a_download_is_no_header(scene: Scene) -> None:
    browser = Browser(scene.house).sign_in("dave")
    path = f"/runs/{scene.ids['run_id']}%0d%0aX-Evil:%201/audit.jsonl"
    answer = browser.get(path)
    assert answer.status_code == 404
    assert "x-evil" not in answer.headers


def test_no_answer_says_what_it_was_made_with(house: House) -> None:
    for path in ("/", "/api/v1/me", "/nowhere", "/docs", "/redoc", "/openapi.json", "/.git/config", "/.env", "/api/v1"):
        answer = house.client.get(path, follow_redirects=False)
        assert not {"server", "x-powered-by"} & set(answer.headers)
        assert answer.status_code in {303, 401, 404}
        assert "Traceback" not in answer.text
