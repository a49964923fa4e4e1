"""CI jobs come in by their system's word, pinned to the letter; every mismatch is refused, and so is a second use."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from joserfc.jwk import OctKey, RSAKey
from sqlalchemy import text

from factories import ALICE, CAST, MODEL
from house import APPROVE_AND_DEPLOY, Caller, House, made, refused
from issuer import Issuer, an_issuer, ec, rsa
from signoff.adapters.identity.job_tokens import JobTokens
from signoff.domain.actor import Person, Role
from signoff.engine.tick import sweep
from signoff.outbound import Outbound
from signoff.service import limits

BOT = Person("ci-fraud", frozenset({Role.SUBMITTER}), models=("fraud*",))
WORKFLOW = "octo/fraud/.github/workflows/train.yml@refs/heads/main"
HERE = "http://testserver"


@dataclass
class Job:
    """A CI job whose id token fits the trust, unless a test changes a claim."""

    house: House
    issuer: Issuer
    seconds: list[float] = field(default_factory=lambda: [0.0])
    count: int = 0

    def claims(self, **changes: Any) -> dict[str, Any]:
        self.count += 1
        now = int(self.house.clock.now.timestamp())
        usual = {
            "iss": self.issuer.address,
            "aud": HERE,
            "repository_id": "4711",
            "repository": "octo/fraud",
            "workflow_ref": WORKFLOW,
            "environment": "training",
            "jti": f"number-{self.count}",
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "actor": "octocat",
            "run_id": "99",
            "sha": "abc",
        }
        return {name: value for name, value in {**usual, **changes}.items() if value is not None}

    def token(self, **changes: Any) -> str:
        return self.issuer.token(self.claims(**changes))

    def exchange(self, id_token: str) -> Any:
        return self.house.client.post("/api/v1/tokens/exchange", json={"id_token": id_token})

    def is_refused(self, id_token: str) -> str:
        """What is said to it; nothing but the count of refusals changes."""
        before = self.house.kept()
        said = refused(self.exchange(id_token), 401, "id_token_refused")
        after = self.house.kept()
        assert {name for name in after if after[name] != before[name]} == {"attempts_to_sign_in"}
        assert not id_token or id_token not in said
        return said


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with an_issuer() as made_issuer:
        yield made_issuer


@pytest.fixture
def job(house: House, issuer: Issuer) -> Job:
    found = Job(house, issuer)
    house.desk = replace(house.desk, id_tokens=JobTokens(Outbound(), clock=lambda: found.seconds[0]))
    house.people(*CAST, BOT)
    made(trusted(house, issuer))
    return found


def trusted(house: House, issuer: Issuer, /, by: str = "erin", **changes: Any) -> Any:
    usual = {
        "name": "fraud-training",
        "system": "github",
        "issuer": issuer.address,
        "repository_id": "4711",
        "workflow_ref": WORKFLOW,
        "environment": "training",
        "person": "ci-fraud",
    }
    return house.as_(by).post("/tokens/trusts", {**usual, **changes})


@pytest.mark.parametrize("key", [rsa("rsa-1"), ec("ec-1")], ids=["RS256", "ES256"])
def test_a_trusted_job_gets_a_token_for_a_quarter_of_an_hour_that_submits_and_nothing_else(job: Job, key: Any) -> None:
    house = job.house
    body = made(job.exchange(job.issuer.token(job.claims(), key=key)))
    assert (body["person"], body["scopes"], body["by"]) == ("ci-fraud", ["submit"], "trust:fraud-training")
    caller = Caller(house.client, body["secret"])
    me = made(caller.get("/me"))
    assert (me["name"], me["credential"], me["scopes"]) == ("ci-fraud", "token", ["submit"])
    run = made(caller.post("/runs", {"pipeline": APPROVE_AND_DEPLOY, "model": house.version()}))
    house.work()
    gate = house.gate(run["id"])
    verdict = {"verdict": "approve", "digest": gate["digest"], "comment": ""}
    refused(caller.post(f"/runs/{run['id']}/gates/approve/decisions", verdict), 403, "cannot_decide")
    refused(caller.get("/audit"), 403, "not_allowed")
    refused(caller.post("/tokens", {"name": "another"}), 403, "not_allowed")
    refused(caller.get("/tokens/trusts"), 403, "not_allowed")
    house.clock.wait(minutes=14)
    made(caller.get("/me"))
    house.clock.wait(minutes=1)
    refused(caller.get("/me"), 401, "token_over")


def test_what_a_job_did_is_on_record_with_who_started_it(job: Job) -> None:
    body = made(job.exchange(job.token()))
    event = next(event for event in job.house.events() if event.type.value == "token.exchanged")
    told = {name: event.detail[name] for name in ("trust", "made", "number")}
    assert told == {"trust": "fraud-training", "made": body["id"], "number": "number-1"}
    assert event.detail["job"] == {"repository": "octo/fraud", "actor": "octocat", "run_id": "99", "sha": "abc"}
    assert event.actor == "ci-fraud"
    assert body["secret"] not in str(job.house.events())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"aud": "https://other.example"}, "audience https://other.example"),
        ({"aud": [HERE, "https://other.example"]}, "audience -"),
        ({"aud": None}, "audience -"),
        ({"repository_id": "4712"}, "repository 4712"),
        ({"repository_id": None}, "repository -"),
        ({"repository_id": ["4711"]}, "repository -"),
        ({"repository_id": True}, "repository -"),
        ({"workflow_ref": WORKFLOW.replace("main", "evil")}, "refs/heads/evil"),
        ({"workflow_ref": WORKFLOW.replace("main", "main2")}, "refs/heads/main2"),
        ({"workflow_ref": WORKFLOW.upper()}, "REFS/HEADS/MAIN"),
        ({"workflow_ref": WORKFLOW.replace("refs/heads/main", "refs/pull/7/merge")}, "refs/pull/7/merge"),
        ({"workflow_ref": None}, "workflow -"),
        ({"environment": "production"}, "environment production"),
        ({"environment": None}, "no environment"),
        ({"environment": "Training"}, "environment Training"),
    ],
)
def test_a_job_that_differs_in_any_pin_is_refused_and_told_only_what_it_is_itself(
    job: Job, changes: dict[str, Any], said: str
) -> None:
    answer = job.is_refused(job.token(**changes))
    assert said in answer
    assert "No trust fits this job" in answer
    if "workflow_ref" in changes:
        assert f"{WORKFLOW}," not in answer


def test_a_number_says_the_same_as_its_digits(job: Job) -> None:
    made(job.exchange(job.token(repository_id=4711, aud=[HERE])))


def test_a_trust_without_an_environment_is_for_jobs_in_none(job: Job) -> None:
    made(job.house.as_("erin").delete("/tokens/trusts/fraud-training"))
    made(trusted(job.house, job.issuer, environment=None))
    assert "environment training" in job.is_refused(job.token())
    made(job.exchange(job.token(environment=None)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"exp": 0}, "is over"),
        ({"exp": "soon"}, "from when until when"),
        ({"exp": None}, "from when until when"),
        ({"iat": None, "nbf": None}, "from when until when"),
        ({"exp": 1e300}, "from when until when"),
        ({"jti": None}, "no number of its own"),
        ({"jti": {"a": 1}}, "no number of its own"),
    ],
)
def test_a_token_that_says_not_when_it_is_good_or_which_it_is_is_refused(
    job: Job, changes: dict[str, Any], said: str
) -> None:
    assert said in job.is_refused(job.token(**changes))


def test_a_token_is_good_from_when_until_when_it_says(job: Job) -> None:
    now = int(job.house.clock.now.timestamp())
    assert "is over" in job.is_refused(job.token(exp=now))
    assert "not good yet" in job.is_refused(job.token(nbf=now + 60))
    assert "not good yet" in job.is_refused(job.token(iat=now + 60))
    assert "more than a day" in job.is_refused(job.token(exp=now + 90_000))
    made(job.exchange(job.token(nbf=now + 20)))


def unsigned(token: str, **header: Any) -> str:
    """The token with another header and no signature."""
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return f"{head}.{token.split('.')[1]}."


def test_a_token_without_a_signature_is_refused(job: Job) -> None:
    whole = job.token()
    for algorithm in ("none", "None", "NONE", "", None, ["RS256"]):
        assert "not signed with RS256 or ES256" in job.is_refused(unsigned(whole, alg=algorithm, kid="rsa-1"))
    assert "signature does not hold" in job.is_refused(unsigned(whole, alg="RS256", kid="rsa-1"))


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_token_signed_with_the_public_key_as_a_shared_secret_is_refused(job: Job, algorithm: str) -> None:
    public = rsa("rsa-1").public_key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "kid": "rsa-1"}).encode()).rstrip(b"=")
    import hashlib
    import hmac

    signed = head + b"." + job.token().split(".")[1].encode()
    digest = hmac.new(public, signed, getattr(hashlib, f"sha{algorithm[2:]}")).digest()
    forged = (signed + b"." + base64.urlsafe_b64encode(digest).rstrip(b"=")).decode()
    assert "not signed with RS256 or ES256" in job.is_refused(forged)


def test_a_shared_secret_among_the_issuers_keys_is_no_key(job: Job) -> None:
    shared = OctKey.import_key("x" * 32, {"kid": "shared", "use": "sig"})
    job.issuer.keys.append(shared.as_dict())
    for algorithm in ("HS256", "RS256"):
        head = {"alg": algorithm, "kid": "shared"}
        forged = (
            job.issuer.token(job.claims(), key=shared, alg="HS256")
            if algorithm == "HS256"
            else unsigned(job.token(), **head)
        )
        assert "not to be believed" in job.is_refused(forged)


def test_a_token_of_a_key_that_is_not_the_issuers_is_refused(job: Job) -> None:
    strange = rsa("strange")
    assert "no such key" in job.is_refused(job.issuer.token(job.claims(), key=strange))
    assert "signature does not hold" in job.is_refused(job.issuer.token(job.claims(), key=strange, kid="rsa-1"))
    assert "does not name its key" in job.is_refused(job.issuer.token(job.claims(), kid=None))
    assert "no such key" in job.is_refused(job.issuer.token(job.claims(), key=ec("ec-2"), kid="rsa-1"))
    jwk = strange.as_dict(private=False)
    carried = job.issuer.token(job.claims(), key=strange, jwk=jwk, jku="http://127.0.0.1:1/keys")
    assert "no such key" in job.is_refused(carried)


def test_other_algorithms_and_critical_headers_are_refused(job: Job) -> None:
    for algorithm in ("RS384", "RS512", "PS256"):
        plain = RSAKey.import_key(rsa("rsa-1").as_pem(private=True), {"kid": "rsa-1"})
        token = job.issuer.token(job.claims(), key=plain, alg=algorithm)
        assert "not signed with RS256 or ES256" in job.is_refused(token)
    head = json.dumps({"alg": "RS256", "kid": "rsa-1", "crit": ["exp"], "exp": 1}).encode()
    swapped = base64.urlsafe_b64encode(head).rstrip(b"=").decode() + "." + job.token().partition(".")[2]
    assert "signature does not hold" in job.is_refused(swapped)


def test_a_token_changed_by_one_letter_is_refused(job: Job) -> None:
    head, body, signature = job.token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["repository"] = "octo/other"
    other = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    assert "signature does not hold" in job.is_refused(f"{head}.{other}.{signature}")


@pytest.mark.parametrize(
    "nonsense", ["", "x", "a.b", "a.b.c", "....", "e30.e30.e30", "é.é.é", "W10.W10.", "x" * 17_000]
)
def test_what_is_no_id_token_is_refused_before_anybody_is_asked(job: Job, nonsense: str) -> None:
    job.is_refused(nonsense)
    assert job.issuer.asked == []


def test_a_token_of_an_issuer_that_nobody_trusts_is_refused_and_that_issuer_is_not_asked(job: Job) -> None:
    with an_issuer() as other:
        token = other.token(job.claims(iss=other.address))
        assert "No trust names the issuer" in job.is_refused(token)
        assert other.asked == []
        assert "No trust names the issuer" in job.is_refused(job.token(iss=job.issuer.address + "/"))


def test_a_trusted_issuer_does_not_speak_for_another_one(job: Job) -> None:
    with an_issuer() as other:
        made(trusted(job.house, other, name="other", repository_id="1"))
        other.keys = [rsa("strange").as_dict(private=False)]
        token = other.token(job.claims(), key=rsa("strange"))
        assert "no such key" in job.is_refused(token)


def test_an_id_token_is_exchanged_once_also_when_many_try_at_once(job: Job) -> None:
    token = job.token()
    made(job.exchange(token))
    assert "exchanged before" in job.is_refused(token)
    again = job.token()
    client = job.house.client
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: client.post("/api/v1/tokens/exchange", json={"id_token": again}), range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 401, 401, 401]


def test_a_refused_token_is_not_used_up(job: Job) -> None:
    made(job.house.as_("erin").delete("/tokens/trusts/fraud-training"))
    token = job.token()
    job.is_refused(token)
    made(trusted(job.house, job.issuer))
    made(job.exchange(token))


def test_the_keys_are_read_once_and_again_when_the_issuer_changes_them(job: Job) -> None:
    for _ in range(3):
        made(job.exchange(job.token()))
    assert job.issuer.asked == ["/.well-known/openid-configuration", "/keys"]
    job.issuer.keys = [rsa("rsa-2").as_dict(private=False)]
    changed = job.issuer.token(job.claims(), key=rsa("rsa-2"))
    assert "no such key" in job.is_refused(changed)  # asked a moment ago: strangers must not make us ask for ever
    job.seconds[0] += 61
    made(job.exchange(changed))
    assert "no such key" in job.is_refused(job.token())
    assert len(job.issuer.asked) == 4


def test_a_key_that_the_issuer_took_back_is_forgotten_within_the_hour(job: Job) -> None:
    made(job.exchange(job.token()))
    job.issuer.keys = [ec("ec-1").as_dict(private=False)]
    made(job.exchange(job.token()))
    job.seconds[0] += 3601
    assert "no such key" in job.is_refused(job.token())


def test_an_issuer_that_is_away_is_done_without_for_a_day(job: Job) -> None:
    made(job.exchange(job.token()))
    job.issuer.is_away = True
    job.seconds[0] += 3601
    made(job.exchange(job.token()))
    job.seconds[0] += 24 * 3600
    said = refused(job.exchange(job.token()), 503, "unavailable")
    assert "keys of" in said
    assert "a moment ago" in refused(job.exchange(job.token()), 503, "unavailable")
    job.issuer.is_away = False
    job.seconds[0] += 61
    made(job.exchange(job.token()))


@pytest.mark.parametrize(
    "change",
    [
        lambda issuer: issuer.description.update(issuer="https://other.example"),
        lambda issuer: issuer.description.update(jwks_uri="http://127.0.0.1:1/keys"),
        lambda issuer: issuer.description.update(jwks_uri="http://169.254.169.254/latest/meta-data"),
        lambda issuer: issuer.description.update(jwks_uri="file:///etc/passwd"),
        lambda issuer: issuer.description.update(jwks_uri=None),
        lambda issuer: issuer.keys.clear(),
        lambda issuer: issuer.keys.__setitem__(slice(None), [rsa("weak", 1024).as_dict(private=False)]),
        lambda issuer: issuer.keys.__setitem__(slice(None), [ec("large", "P-384").as_dict(private=False)]),
        lambda issuer: issuer.keys.__setitem__(slice(None), [{**rsa("rsa-1").as_dict(private=False), "use": "enc"}]),
        lambda issuer: issuer.keys.__setitem__(slice(None), [{"kty": "RSA"}, 7, None, {"kid": "rsa-1", "kty": "RSA"}]),
    ],
)
@pytest.mark.filterwarnings("ignore:.*2048:UserWarning")
def test_an_issuer_that_shows_no_key_worth_believing_is_not_believed(
    job: Job, change: Callable[[Issuer], object]
) -> None:
    change(job.issuer)
    with job.house.unchanged():
        refused(job.exchange(job.token()), 503, "unavailable")


def test_gitlab_calls_the_same_things_by_other_names(job: Job) -> None:
    workflow = "gitlab.example.com/octo/fraud//.gitlab-ci.yml@refs/heads/main"
    made(trusted(job.house, job.issuer, name="lab", system="gitlab", workflow_ref=workflow, environment=None))
    theirs = {"project_id": "4711", "ci_config_ref_uri": workflow, "user_login": "octocat"}
    ours: dict[str, Any] = dict.fromkeys(("repository_id", "workflow_ref", "environment", "actor"))
    assert made(job.exchange(job.token(**theirs, **ours)))["by"] == "trust:lab"
    for name in theirs.keys() - {"user_login"}:
        job.is_refused(job.token(**{**theirs, name: "other"}, **ours))


def test_a_trust_that_is_taken_back_ends_the_tokens_that_its_jobs_have(job: Job) -> None:
    caller = Caller(job.house.client, made(job.exchange(job.token()))["secret"])
    made(caller.get("/me"))
    made(job.house.as_("erin").delete("/tokens/trusts/fraud-training"))
    refused(caller.get("/me"), 401, "token_over")
    job.is_refused(job.token())
    assert [kind for kind in job.house.types() if kind.startswith("trust.")] == ["trust.added", "trust.removed"]


def test_the_jobs_of_somebody_who_was_deactivated_get_nothing(job: Job) -> None:
    caller = Caller(job.house.client, made(job.exchange(job.token()))["secret"])
    made(job.house.as_("erin").post("/users/ci-fraud/deactivate", {}))
    refused(caller.get("/me"), 401, "not_authenticated")
    assert "does not submit any more" in job.is_refused(job.token())


def test_the_token_reaches_only_the_models_of_its_person(job: Job) -> None:
    caller = Caller(job.house.client, made(job.exchange(job.token()))["secret"])
    other = job.house.version(model="phishing")
    refused(caller.post("/runs", {"pipeline": APPROVE_AND_DEPLOY, "model": other}), 403, "not_allowed")
    assert MODEL.startswith("fraud")


@pytest.mark.parametrize("who", ["alice", "bob", "dave"])
def test_only_administrators_say_which_jobs_are_trusted(house: House, issuer: Issuer, who: str) -> None:
    with house.unchanged():
        refused(trusted(house, issuer, by=who), 403, "not_allowed")
        refused(house.as_(who).get("/tokens/trusts"), 403, "not_allowed")
        refused(house.as_(who).delete("/tokens/trusts/x"), 403, "not_allowed")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "a b"}, "letters, digits"),
        ({"issuer": "http://gitlab.example.com"}, "no issuer"),
        ({"issuer": "gitlab.example.com"}, "no issuer"),
        ({"issuer": "https://u:p@gitlab.example.com"}, "no issuer"),
        ({"issuer": "https://gitlab.example.com/?x=1"}, "no issuer"),
        ({"repository_id": "octo/fraud"}, "not the number"),
        ({"repository_id": "٤٧"}, "not the number"),
        ({"workflow_ref": "octo/fraud/.github/workflows/train.yml"}, "names no ref"),
        ({"workflow_ref": "octo/fraud/*@refs/heads/main"}, "no patterns"),
        ({"audience": "*"}, "no patterns"),
        ({"person": "dave"}, "may not submit"),
    ],
)
def test_a_trust_that_pins_too_little_is_refused(
    house: House, issuer: Issuer, changes: dict[str, Any], said: str
) -> None:
    house.people(*CAST, BOT)
    with house.unchanged():
        assert said in refused(trusted(house, issuer, **changes), 422, "bad_trust")


def test_a_trust_names_an_account_that_only_submits_and_is_there(house: House, issuer: Issuer) -> None:
    approves = Person("grace", frozenset({Role.SUBMITTER, Role.APPROVER}))
    house.people(*CAST, BOT, approves)
    assert "account for the machine" in refused(trusted(house, issuer, person="grace"), 422, "bad_trust")
    refused(trusted(house, issuer, person="nobody"), 404, "person_unknown")
    refused(house.as_("erin").delete("/tokens/trusts/none"), 404, "trust_unknown")
    made(trusted(house, issuer, person=ALICE.name))
    refused(trusted(house, issuer), 409, "trust_exists")
    assert "same jobs" in refused(trusted(house, issuer, name="twin"), 409, "trust_exists")
    listed = made(house.as_("erin").get("/tokens/trusts"))["items"]
    assert [(trust["name"], trust["audience"], trust["by"]) for trust in listed] == [("fraud-training", HERE, "erin")]


def test_who_sends_too_many_that_are_refused_has_to_wait(job: Job) -> None:
    for _ in range(limits.ID_TOKENS.of_address):
        limits.note_attempt(job.house.desk, limits.ID_TOKENS, address="testclient")
    answer = job.exchange(job.token())
    refused(answer, 429, "too_many_attempts")
    assert answer.headers["retry-after"] == "900"
    job.house.clock.wait(minutes=16)
    made(job.exchange(job.token()))


def test_what_is_over_is_forgotten_and_what_could_come_again_is_not(job: Job) -> None:
    token = job.token(exp=int(job.house.clock.now.timestamp()) + 80_000)
    made(job.exchange(token))
    job.house.clock.now += timedelta(hours=20)
    sweep(job.house.machinery)
    assert "exchanged before" in job.is_refused(token)
    job.house.clock.now += timedelta(days=3)
    sweep(job.house.machinery)
    with job.house.database.begin() as tx:
        for table in ("used_id_tokens", "attempts_to_sign_in"):
            assert tx.scalar(text(f"SELECT count(*) FROM {table}")) == 0  # noqa: S608 - names of this test's own
        assert tx.scalar(text("SELECT count(*) FROM tokens WHERE by LIKE 'trust:%'")) == 0
        assert tx.scalar(text("SELECT count(*) FROM tokens")) == len(CAST) + 1
