"""What a source has written for an identifier in, the one form in which it counts out.

A `Normaliser` raises ValueError for what can be no identifier of its kind; the message goes on from "it is" with what is
wrong and what would be right, and never quotes the value, which is a customer's.

What always holds: the form of a form is that form itself, in every region.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from unicodedata import normalize

import idna
import phonenumbers

Normaliser = Callable[[str], str]

_ADDRESS = re.compile(r'[^\s@<>()\[\]:;,\\"]+@[^\s@<>()\[\]:;,\\"]+')
"""One bare address. What RFC 5321 allows beside it (quoted local parts, IP addresses) no customer has."""
_NO_ADDRESS = "no e-mail address (write it alone and without blanks, such as ann@example.com)"
_NO_NUMBER = "no possible phone number (write it in international form, such as +49 30 901820"
_ONE_PLAN_MORE = 12
"""A number that still begins with a prefix of its own country's plan loses one at a time."""


def text(value: str) -> str:
    """Without surrounding blanks, in Unicode's composed form (NFC)."""
    return normalize("NFC", value.strip())


def lower_text(value: str) -> str:
    """As `text`, in lower case."""
    return text(text(value).lower())


def email(value: str, *, case_sensitive: bool) -> str:
    """The domain in lower case and in the ASCII form that mail servers use (IDNA 2008); the local part in NFC, as RFC 6532
    wants it, and in lower case unless `case_sensitive`. Dots and `+` in it stay: what they mean is the provider's affair.
    """
    value = text(value)
    if not (_ADDRESS.fullmatch(value) and value.isprintable()):
        raise ValueError(_NO_ADDRESS)
    local, _, domain = value.partition("@")
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except idna.IDNAError:
            raise ValueError(_NO_ADDRESS) from None
    return f"{local if case_sensitive else lower_text(local)}@{domain.lower()}"


def phone(value: str, *, region: str | None) -> str:
    """E.164, with `;ext=` and the extension if there is one (RFC 3966). In national form it is a number of `region`.

    It need only be possible, not assigned: numbering plans change, and whom a number names must not change with them.
    """
    form, known = _e164(value, region), None
    for _ in range(_ONE_PLAN_MORE):
        if form is None or form == known:
            break
        form, known = _e164(form, None), form
    if form is None or form != known:
        raise ValueError(f"{_NO_NUMBER}{f', or as it is dialled within {region}' if region else ''})")
    return form


def _e164(value: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return None
    # a number without its area code is somebody else's in every town
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    form = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return f"{form};ext={number.extension}" if number.extension else form


def regions() -> frozenset[str]:
    """The regions that have a numbering plan, by ISO 3166 code."""
    return frozenset(phonenumbers.SUPPORTED_REGIONS)
