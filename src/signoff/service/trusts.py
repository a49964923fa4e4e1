"""CI jobs without a stored secret: administrators say which are trusted, and such a job gets a token for 15 minutes.

`exchange_id_token` is for jobs that have nothing but their CI system's word, so nobody is there to be authorized.
"""

from __future__ import annotations

from dataclasses import replace

from signoff.domain.access import Do, authorize
from signoff.domain.account import ApiToken
from signoff.domain.account_errors import PersonUnknownError
from signoff.domain.actor import Actor, Credential, Role, Scope, actor_of
from signoff.domain.audit import Event
from signoff.domain.errors import NotAvailableError
from signoff.domain.trust import (
    EXCHANGED_LASTS,
    ISSUERS,
    IdTokenError,
    Job,
    System,
    Trust,
    TrustError,
    TrustExistsError,
    TrustUnknownError,
    check_trust,
    read_job,
)
from signoff.service.credentials import fingerprint, new_id, new_secret
from signoff.service.desk import Desk, happened
from signoff.service.limits import ID_TOKENS, note_attempt, refuse_too_many
from signoff.service.tokens import MadeToken
from signoff.store import people, tokens, trusts

_MOST_TRUSTS = 1000


def add_trust(
    desk: Desk,
    actor: Actor,
    name: str,
    *,
    system: System,
    repository_id: str,
    workflow_ref: str,
    person: str,
    environment: str | None = None,
    issuer: str | None = None,
    audience: str | None = None,
) -> Trust:
    """Trust the jobs that are exactly this: they submit as `person`.

    Without an `audience` it is this server's public address.

    Raises:
        TrustError: a pin that cannot be, or a person who may not submit.
        TrustExistsError: the name is taken, or these very jobs are trusted already.
        PersonUnknownError: nobody is called so, or they are deactivated.
    """
    authorize(actor, Do.ADMINISTER)
    at = desk.clock()
    trust = Trust(
        name=name,
        system=system,
        issuer=(issuer or ISSUERS[system]).rstrip("/"),
        audience=audience or desk.url,
        repository_id=repository_id,
        workflow_ref=workflow_ref,
        environment=environment or None,
        person=person,
        by=actor.name,
        created_at=at,
    )
    check_trust(trust)
    with desk.database.begin() as tx:
        known = people.lock_directory(tx, at=at).people.get(person)
        if known is None or not known.is_active:
            state = "is not known to this server" if known is None else "is deactivated"
            raise PersonUnknownError(f"{person} {state}.", "`signoff user list` shows everybody.")
        if Role.SUBMITTER not in known.roles:
            raise TrustError(
                f"{person} may not submit, so their jobs could not either.", "Give them the role submitter first."
            )
        if known.roles - {Role.SUBMITTER, Role.VIEWER}:
            raise TrustError(
                f"{person} has other roles than submitter.",
                "Make an account for the machine: `signoff user add NAME --role submitter --models PATTERN`.",
            )
        for other in trusts.list_trusts(tx):
            if other.name == name:
                raise TrustExistsError(f"There is a trust called {name}.", "Remove it first, or choose another name.")
            if not other.differs(_job_of(trust)):
                raise TrustExistsError(f"The trust {other.name} is about the same jobs.", "One is enough.")
        if len(trusts.list_trusts(tx)) >= _MOST_TRUSTS:
            raise TrustError(f"There are {_MOST_TRUSTS} trusts.", "Remove those that nobody uses.")
        trusts.add_trust(tx, trust, audit=[happened(Event.TRUST_ADDED, actor, at, **_said(trust))])
    return trust


def list_trusts(desk: Desk, actor: Actor) -> list[Trust]:
    """Every trusted job, by name."""
    authorize(actor, Do.ADMINISTER)
    with desk.database.read() as tx:
        return trusts.list_trusts(tx)


def remove_trust(desk: Desk, actor: Actor, name: str) -> Trust:
    """Trust these jobs no longer; the tokens that they have are good for nothing from now on.

    Raises:
        TrustUnknownError: there is no such trust.
    """
    authorize(actor, Do.ADMINISTER)
    at = desk.clock()
    with desk.database.begin() as tx:
        trust = next((found for found in trusts.list_trusts(tx) if found.name == name), None)
        removed = [happened(Event.TRUST_REMOVED, actor, at, trust=name)]
        if trust is None or not trusts.remove_trust(tx, name, at=at, audit=removed):
            raise TrustUnknownError(f"There is no trust called {name}.", "`signoff token trust list` shows them.")
    return trust


def exchange_id_token(desk: Desk, id_token: str, *, address: str) -> MadeToken:
    """An API token for the job of this id token: 15 minutes, to submit and read, as the person of its trust.

    Raises:
        IdTokenError: it is not to be believed, not good now, used before, or of a job that nobody trusts.
        TooManyAttemptsError: too many were refused from that address of late.
        UnavailableError: the issuer's keys could not be had.
    """
    refuse_too_many(desk, ID_TOKENS, address=address)
    try:
        return _exchange(desk, id_token, address)
    except IdTokenError:
        note_attempt(desk, ID_TOKENS, address=address)
        raise


def _exchange(desk: Desk, id_token: str, address: str) -> MadeToken:
    if desk.id_tokens is None:
        raise NotAvailableError("This server exchanges no id tokens.", "Use an API token.")
    issuer = desk.id_tokens.issuer_of(id_token)
    with desk.database.read() as tx:
        known = trusts.list_trusts(tx, issuer=issuer)
    if not known:
        raise IdTokenError(
            "No trust names the issuer of this id token.",
            "An administrator adds one: `signoff token trust add`; `--issuer` for a CI system of one's own.",
        )
    claims = desk.id_tokens.believe(id_token, issuer)
    at = desk.clock()
    jobs = {system: read_job(system, claims, at) for system in {trust.system for trust in known}}
    trust = next((trust for trust in known if not trust.differs(jobs[trust.system])), None)
    if trust is None:
        raise _fits_none(jobs[known[0].system])
    job = jobs[trust.system]
    if not job.number:
        raise IdTokenError("The id token has no number of its own (jti).", "Have the CI system give one.")
    with desk.database.begin() as tx:
        if trust not in trusts.list_trusts(tx, issuer=issuer, hold=True):
            raise _fits_none(job)
        person = people.get_directory(tx, hold=True).people.get(trust.person)
        if person is None or not person.is_active:
            raise IdTokenError("The person whom the trust names does not submit any more.", "Ask an administrator.")
        if not trusts.use_id_token(tx, issuer, job.number, expires_at=job.expires_at):
            raise IdTokenError(
                "This id token was exchanged before.", "Each is good for one exchange: ask the CI system for another."
            )
        secret = new_secret(Credential.TOKEN)
        token = ApiToken(
            id=new_id(),
            person=person.name,
            name=f"CI job of {trust.name}",
            scopes=frozenset({Scope.SUBMIT}),
            created_at=at,
            expires_at=at + EXCHANGED_LASTS,
            by=trusts.BY + trust.name,
        )
        actor = replace(actor_of(person, Credential.TOKEN), credential_id=token.id)
        said = {"trust": trust.name, "made": token.id, "number": job.number, "address": address}
        until = token.expires_at.isoformat()
        exchanged = happened(Event.TOKEN_EXCHANGED, actor, at, **said, job=dict(job.told), expires_at=until)
        tokens.add_token(tx, token, fingerprint(secret), audit=[exchanged])
    return MadeToken(token, secret)


def _fits_none(job: Job) -> IdTokenError:
    """Only what the job says of itself: what is pinned is nobody's business."""
    where = f"environment {job.environment}" if job.environment else "no environment"
    return IdTokenError(
        f"No trust fits this job: audience {job.audience or '-'}, repository {job.repository_id or '-'}, "
        f"workflow {job.workflow_ref or '-'}, {where}.",
        "An administrator compares that, to the letter, with `signoff token trust list`.",
    )


def _job_of(trust: Trust) -> Job:
    """The job that the trust is about."""
    pins = (trust.issuer, trust.audience, trust.repository_id, trust.workflow_ref, trust.environment)
    return Job(*pins, number="", expires_at=trust.created_at)


def _said(trust: Trust) -> dict[str, str | None]:
    return {
        "trust": trust.name,
        "system": trust.system.value,
        "issuer": trust.issuer,
        "audience": trust.audience,
        "repository_id": trust.repository_id,
        "workflow_ref": trust.workflow_ref,
        "environment": trust.environment,
        "person": trust.person,
    }
