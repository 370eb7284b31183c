"""The list of who was erased tells accounts and people again without naming them."""

from __future__ import annotations

from schemas.identity.erasures import (
    NOBODY,
    Erasure,
    Erasures,
    account_digest,
    decode_erasure,
    encode_erasure,
    person_digest,
)

SALT = b"0123456789abcdef"


def test_an_entry_is_found_by_its_account_alone_and_names_nobody() -> None:
    entry = Erasure(salt=SALT, erased_at=7, people={person_digest(SALT, "t", "amber", 42): 9})
    key = account_digest(SALT, "t", "amber")
    erasures = Erasures({key: decode_erasure(encode_erasure(entry))})
    assert erasures.of("t", "amber") == entry
    assert erasures.erased_at("t", "amber") == 7
    assert erasures.of("u", "amber") is None
    assert erasures.of("t", "amber2") is None
    assert (entry.of_person("t", "amber", 42), entry.of_person("t", "amber", 43)) == (9, -1)
    assert entry.of_person("t", "other", 42) == -1
    assert erasures.salt == SALT
    assert b"amber" not in key + encode_erasure(entry)


def test_entries_of_several_salts_are_found() -> None:
    other = b"another salt 123"
    erasures = Erasures(
        {account_digest(salt, "t", name): Erasure(salt=salt, erased_at=at)
         for salt, name, at in ((SALT, "a", 1), (other, "b", 2))}
    )  # fmt: skip
    assert (erasures.erased_at("t", "a"), erasures.erased_at("t", "b"), erasures.erased_at("t", "c")) == (
        1,
        2,
        -1,
    )


def test_an_empty_list_erases_nobody() -> None:
    assert not NOBODY
    assert NOBODY.of("t", "a") is None
    assert NOBODY.salt is None
