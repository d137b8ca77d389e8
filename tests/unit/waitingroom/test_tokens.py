"""Tickets and admissions: what was altered is refused, keys rotate with overlap, clocks may differ a little."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorbuster.errors import InvalidError
from waitingroom.admissions import Admission, AdmissionRefusal, AdmissionSigner
from waitingroom.keyring import KeyRing
from waitingroom.tickets import (
    Ticket,
    TicketHolder,
    TicketSigner,
    customer_digest,
    possesses,
    visitor_digest,
    visitor_of,
)

OLD = "old:an-old-secret-of-some-length"
NEW = "new:a-new-secret-of-some-length"
RING = KeyRing.parse(OLD)
DESK = AdmissionSigner(RING)
OFFICE = TicketSigner(RING)
U32 = st.integers(0, 2**32 - 1)
DIGEST = st.binary(min_size=8, max_size=8).filter(any)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)

admissions = st.builds(
    Admission,
    sale_number=U32,
    epoch=U32,
    number=st.integers(1, 2**63 - 1),
    visitor=DIGEST,
    customer=st.none(),
    issued_s=st.integers(0, 2**31),
    expires_s=st.integers(1, 2**32 - 1),
    orders_allowed=st.integers(1, 65_535),
    emergency=st.booleans(),
)
tickets = st.builds(
    Ticket,
    U32,
    st.integers(1, 2**63 - 1),
    st.builds(TicketHolder, DIGEST, st.binary(min_size=32, max_size=32), st.none() | DIGEST),
)


def check(token: str, admission: Admission, *, desk: AdmissionSigner = DESK, now_s: float | None = None) -> object:
    now = admission.expires_s - 1 if now_s is None else now_s
    return desk.check(token, sale_number=admission.sale_number, epoch=admission.epoch, now_s=now)


def altered(token: str, at: int, by: str) -> str:
    at %= len(token)
    return token[:at] + by + token[at + 1 :]


@given(admissions)
def test_an_admission_comes_back_as_it_was_signed(admission: Admission) -> None:
    assert check(DESK.sign(admission), admission) == admission


@given(tickets)
def test_a_ticket_comes_back_as_it_was_signed(ticket: Ticket) -> None:
    assert OFFICE.read(OFFICE.issue(ticket), sale_number=ticket.sale_number) == ticket


@given(admissions, st.integers(0, 10_000), st.characters())
def test_an_altered_admission_is_refused(admission: Admission, at: int, by: str) -> None:
    token = DESK.sign(admission)
    bad = altered(token, at, by)
    assert bad == token or check(bad, admission) is AdmissionRefusal.FORGED


@given(tickets, st.integers(0, 10_000), st.characters())
def test_an_altered_ticket_is_refused(ticket: Ticket, at: int, by: str) -> None:
    token = OFFICE.issue(ticket)
    bad = altered(token, at, by)
    assert bad == token or OFFICE.read(bad, sale_number=ticket.sale_number) is None


def test_every_single_character_changed_is_refused() -> None:
    admission = Admission(
        sale_number=7, epoch=1, number=1, visitor=b"v" * 8, customer=None, issued_s=1, expires_s=9, orders_allowed=1
    )
    token = DESK.sign(admission)
    for at, was in enumerate(token):
        for by in "Aa0-_.=~":
            if by != was:
                assert check(altered(token, at, by), admission) is AdmissionRefusal.FORGED


@given(st.text(max_size=600) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_rubbish_is_refused(rubbish: str) -> None:
    assert DESK.check(rubbish, sale_number=1, epoch=1, now_s=0) is AdmissionRefusal.FORGED
    assert OFFICE.read(rubbish, sale_number=1) is None


@given(tickets, admissions)
def test_one_kind_of_token_never_passes_for_the_other(ticket: Ticket, admission: Admission) -> None:
    token = OFFICE.issue(ticket)
    as_admission = "a1" + token[2:]
    assert DESK.check(as_admission, sale_number=ticket.sale_number, epoch=0, now_s=0) is AdmissionRefusal.FORGED
    assert OFFICE.read("t1" + DESK.sign(admission)[2:], sale_number=admission.sale_number) is None


@given(admissions)
def test_a_key_rotates_with_overlap(admission: Admission) -> None:
    both, new = (AdmissionSigner(KeyRing.parse(text)) for text in (f"{NEW},{OLD}", NEW))
    old_token, new_token = DESK.sign(admission), both.sign(admission)
    assert new_token.startswith("a1.new.")
    assert check(old_token, admission, desk=both) == admission
    assert check(new_token, admission, desk=both) == admission
    assert check(new_token, admission, desk=new) == admission
    assert check(old_token, admission, desk=new) is AdmissionRefusal.FORGED
    assert check(new_token, admission) is AdmissionRefusal.FORGED


def test_the_same_id_with_another_secret_verifies_nothing() -> None:
    other = TicketSigner(KeyRing.parse("old:another-secret-altogether"))
    ticket = Ticket(7, 1, TicketHolder(b"v" * 8, b"s" * 32))
    assert other.read(OFFICE.issue(ticket), sale_number=7) is None


@given(admissions, st.floats(0, 600, allow_nan=False))
def test_it_is_good_till_its_end_and_not_a_moment_longer(admission: Admission, away_s: float) -> None:
    token = DESK.sign(admission)
    assert check(token, admission, now_s=admission.expires_s - 0.001 - away_s) == admission
    assert check(token, admission, now_s=admission.expires_s + away_s) is AdmissionRefusal.EXPIRED


@given(admissions.filter(lambda one: one.epoch > 0 and one.sale_number > 0))
def test_sale_and_epoch_must_fit(admission: Admission) -> None:
    token, now = DESK.sign(admission), admission.expires_s - 1
    sale, epoch = admission.sale_number, admission.epoch
    assert DESK.check(token, sale_number=sale - 1, epoch=epoch, now_s=now) is AdmissionRefusal.FOREIGN
    assert DESK.check(token, sale_number=sale, epoch=epoch + 1, now_s=now) is AdmissionRefusal.REVOKED
    assert DESK.check(token, sale_number=sale, epoch=epoch - 1, now_s=now) == admission


@given(admissions, TEXT, TEXT)
def test_one_bound_to_a_customer_is_that_ones_alone(admission: Admission, mine: str, other: str) -> None:
    bound = msgspec.structs.replace(admission, customer=customer_digest(admission.sale_number, mine))
    token, now = DESK.sign(bound), bound.expires_s - 1

    def as_(customer: str | None) -> Admission | AdmissionRefusal:
        sale, epoch = bound.sale_number, bound.epoch
        return DESK.check(token, sale_number=sale, epoch=epoch, now_s=now, customer_id=customer)

    assert as_(mine) == bound
    assert as_(None) is AdmissionRefusal.OTHER_CUSTOMER
    assert mine == other or as_(other) is AdmissionRefusal.OTHER_CUSTOMER


@given(TEXT, TEXT)
def test_only_the_secret_proves_possession(secret: str, other: str) -> None:
    visitor = visitor_of(7, "ann", hashlib.sha256(secret.encode()).hexdigest())
    assert visitor is not None
    ticket = Ticket(7, 1, visitor)
    assert possesses(ticket, secret)
    assert other == secret or not possesses(ticket, other)


def test_who_joins_is_told_by_visitor_or_by_customer() -> None:
    hashed = "0" * 64
    assert visitor_of(7, "ann", "0" * 63) is None
    assert visitor_of(7, "ann", "X" * 64) is None
    assert visitor_of(7, "ann", hashed, one_per_customer=True) is None
    laptop = visitor_of(7, "laptop", hashed, customer_id="ann", one_per_customer=True)
    phone = visitor_of(7, "phone", hashed, customer_id="ann", one_per_customer=True)
    assert laptop == phone
    assert visitor_digest(7, "ann") != visitor_digest(8, "ann") != customer_digest(8, "ann")


@pytest.mark.parametrize(
    "text", ["", "no-colon", "a:short", "a b:a-secret-long-enough", f"{OLD},{OLD}", "a:" + "é" * 3]
)
def test_a_wrong_key_ring_is_refused(text: str) -> None:
    with pytest.raises(InvalidError):
        KeyRing.parse(text)
