"""What is hashed, signed or keyed from parts has one reading: other parts never make the same text."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from catalogue.cache import subjects
from catalogue.cdn.cloudfront import EVERY_PRODUCT, paths
from doorbuster import keys
from doorbuster.orderstore.ids import OrderIds
from doorbuster.values.identities import KINDS, fold, hashed
from intake.room.browser import Browser
from intake.web.static_files import version_of
from waitingroom.admissions import Admission
from waitingroom.tickets import customer_digest, visitor_digest

# Few characters, and those that stand between parts: so that parts which run together are found.
TRICKY = st.text("a1:/.~%, \0", min_size=1, max_size=8)
SMALL = st.integers(0, 200)
FILES = st.dictionaries(TRICKY, st.binary(max_size=6).map(lambda raw: bytes(one % 3 + 48 for one in raw)), max_size=3)
IDS = OrderIds(b"k" * 32)


@given(SMALL, TRICKY, TRICKY, SMALL, TRICKY, TRICKY)
def test_order_ids(sale: int, customer: str, key: str, sale_2: int, customer_2: str, key_2: str) -> None:
    one = IDS.derive(sale, 0, customer_id=customer, key=key)
    two = IDS.derive(sale_2, 0, customer_id=customer_2, key=key_2)
    assert (one == two) == ((sale, customer, key) == (sale_2, customer_2, key_2))
    # What was run together is told apart by the customer's length.
    moved = IDS.derive(sale, 0, customer_id=customer + key[0], key=key[1:])
    assert moved != one


@given(st.sampled_from(KINDS), TRICKY, st.sampled_from(KINDS), TRICKY)
def test_identities_of_people(kind: str, text: str, kind_2: str, text_2: str) -> None:
    same = (kind, fold(kind, text)) == (kind_2, fold(kind_2, text_2))
    assert (hashed(b"k" * 32, kind, text) == hashed(b"k" * 32, kind_2, text_2)) == same


@given(SMALL, TRICKY, SMALL, TRICKY)
def test_digests_of_visitors_and_customers(sale: int, name: str, sale_2: int, name_2: str) -> None:
    same = (sale, name) == (sale_2, name_2)
    assert (visitor_digest(sale, name) == visitor_digest(sale_2, name_2)) == same
    assert (customer_digest(sale, name) == customer_digest(sale_2, name_2)) == same
    assert visitor_digest(sale, name) != customer_digest(sale_2, name_2)


@given(SMALL, st.text(string.ascii_letters + string.digits + "_-", min_size=8, max_size=12), SMALL)
def test_secrets_of_places(sale: int, value: str, sale_2: int) -> None:
    browser = Browser(value)
    assert (browser.secret(b"k", sale) == browser.secret(b"k", sale_2)) == (sale == sale_2)
    assert browser.secret(b"k", sale) != Browser(f"{sale_2}_{value}").secret(b"k", sale)


@given(SMALL, SMALL, SMALL, SMALL)
def test_what_an_admission_is_spent_under(epoch: int, number: int, epoch_2: int, number_2: int) -> None:
    def spent(epoch: int, number: int) -> str:
        life = {"sale_number": 1, "customer": None, "issued_s": 1, "expires_s": 2, "orders_allowed": 1}
        admission = Admission(epoch=epoch, number=number, visitor=b"v" * 8, **life)  # type: ignore[arg-type]
        return keys.spent(1, 0, admission.spend_id)

    assert (spent(epoch, number) == spent(epoch_2, number_2)) == ((epoch, number) == (epoch_2, number_2))


SUBJECTS = st.one_of(
    TRICKY.map(subjects.product), (TRICKY | st.just("")).map(subjects.listing), st.just(subjects.EVERYTHING),
    st.text("é", min_size=30, max_size=32).map(subjects.product),
)  # fmt: skip


@given(SUBJECTS, SUBJECTS)
def test_surrogate_keys(one: str, two: str) -> None:
    assert (subjects.tag(one) == subjects.tag(two)) == (one == two)
    assert not set(subjects.tag(one)) & set(" ,\0")


def test_a_digest_is_no_name() -> None:
    digest = subjects.tag(subjects.product("é" * 40))
    assert subjects.tag(subjects.product(digest.partition("/")[2])) != digest
    assert paths([digest]) == [EVERY_PRODUCT]


@given(FILES, FILES)
def test_versions_of_files(one: dict[str, bytes], two: dict[str, bytes]) -> None:
    assert (version_of(one) == version_of(two)) == (one == two)


def test_a_file_that_moves_its_end_into_the_next_has_another_version() -> None:
    assert version_of({"a": b"12", "b": b"3"}) != version_of({"a": b"1", "b": b"23"})
