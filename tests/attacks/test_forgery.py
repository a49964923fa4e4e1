"""Forms that somebody else's page sends: every form of every page, without a token, with an old one, from elsewhere."""

from __future__ import annotations

from every_route import PAGES, Scene
from house import House
from page_browser import HOME, OF_A_BROWSER, Browser
from signoff.web.forgery import FIELD, HEADER, token_of

FORMS = {route: door for route, door in PAGES.items() if route.startswith("POST ")}
WITHOUT_SESSION = {"POST /sign-in", "POST /link", "POST /sign-in/passkey"}


def secret_of(browser: Browser) -> str:
    return browser.client.cookies.get("signoff") or ""


def test_every_form_refuses_what_carries_no_token_of_this_browser(scene: Scene) -> None:
    erin, bob = (Browser(scene.house).sign_in(name) for name in ("erin", "bob"))
    mask, _, signature = token_of(secret_of(erin)).partition(".")
    tokens = [None, "", "x", ".", f"{mask}.", f".{signature}", f"{mask}0.{signature}", token_of(secret_of(bob))]
    assert len(FORMS) > 25
    with scene.house.unchanged():
        for route, door in FORMS.items():
            for token in tokens:
                fields = {**(door.body or {}), **({FIELD: token} if token is not None else {})}
                assert erin.post(scene.path(route), fields).status_code == 403, (route, token)


FOREIGN: list[dict[str, str]] = [
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Origin": f"{HOME}.evil.example"},
    {"Origin": "http://testserver:8080"},
    {"Origin": "https://testserver"},
    {"Origin": HOME, "Sec-Fetch-Site": "same-site"},
    {"Origin": HOME, "Sec-Fetch-Site": "none"},
    {"Referer": f"{HOME}/account"},
    {},
]


def test_every_form_refuses_what_another_site_sent_even_with_the_token(scene: Scene) -> None:
    erin = Browser(scene.house).sign_in("erin")
    with scene.house.unchanged():
        for route, door in FORMS.items():
            data = {**(door.body or {}), FIELD: token_of(secret_of(erin))}
            for headers in FOREIGN:
                answer = erin.client.post(scene.path(route), data=data, headers=headers)
                assert answer.status_code == 403, (route, headers)


def test_a_token_of_the_session_before_is_stale(house: House) -> None:
    bob = Browser(house).sign_in("bob")
    former = token_of(secret_of(bob))
    bob.sign_in("bob")
    assert bob.post("/account/sessions/end-others", {FIELD: former}).status_code == 403
    assert bob.post("/account/sessions/end-others", {FIELD: token_of(secret_of(bob))}).status_code == 303


def test_a_token_in_a_header_is_as_good_and_a_wrong_one_there_is_not_made_good_by_the_field(house: House) -> None:
    bob = Browser(house).sign_in("bob")
    right = token_of(secret_of(bob))
    assert bob.post("/account/sessions/end-others", {FIELD: right}, **{HEADER: "x.y"}).status_code == 403
    assert bob.post("/account/sessions/end-others", {}, **{HEADER: right}).status_code == 303


def test_no_other_method_does_what_a_form_does(scene: Scene) -> None:
    erin = Browser(scene.house).sign_in("erin")
    only_forms = [r for r in FORMS if f"GET {r.removeprefix('POST ')}" not in PAGES]
    with scene.house.unchanged():
        for route in only_forms:
            headers = {**OF_A_BROWSER, HEADER: token_of(secret_of(erin)), "X-HTTP-Method-Override": "POST"}
            for method in ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "get", "POSTED"):
                answer = erin.client.request(method, f"{scene.path(route)}?_method=POST", headers=headers)
                assert 400 <= answer.status_code < 500, (method, route, answer.status_code)


def test_a_cookie_is_nothing_to_rest_so_that_no_page_can_use_it(scene: Scene) -> None:
    erin = Browser(scene.house).sign_in("erin")
    for method, path in (("GET", "/api/v1/me"), ("POST", "/api/v1/users"), ("GET", "/api/v1/audit")):
        assert erin.client.request(method, path, headers=OF_A_BROWSER).status_code == 401


def test_nobody_elses_page_may_read_an_answer(scene: Scene) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for method in ("GET", "OPTIONS"):
        for path in ("/api/v1/me", "/", "/healthz", "/api/v1/openapi.json"):
            answer = scene.house.client.request(method, path, headers=headers)
            assert not [name for name in answer.headers if name.startswith("access-control-")]
