"""Scalars of the mapping that have to be right before a row is read: files, zones, formats, encodings."""

from __future__ import annotations

import codecs
from datetime import datetime
from pathlib import PurePosixPath
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator

from pipeline.complaints import near

FORMATS = ("iso", "epoch_s", "epoch_ms", "epoch_us")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        hint = near(name, sorted(available_timezones()))
        raise ValueError(
            f"there is no time zone {name!r}{hint}; write an IANA name such as Europe/Paris"
        ) from None
    return name


def _format(text: str) -> str:
    if text in FORMATS:
        return text
    try:
        sample = datetime(2001, 2, 3, 4, 5, 6).strftime(text)  # noqa: DTZ001 - only tries the pattern
        datetime.strptime(sample, text)  # noqa: DTZ007 - only tries the pattern
    except ValueError:
        text = ""
    if "%" not in text:
        kinds = f"{', '.join(FORMATS)}, or a pattern such as %d.%m.%Y %H:%M"
        raise ValueError(f"this is no time format; write one of {kinds}")
    return text


def _encoding(name: str) -> str:
    try:
        codecs.lookup(name)
        "".encode(name)
    except (LookupError, ValueError):
        raise ValueError(
            f"there is no text encoding {name!r}; such are utf-8, latin-1, cp1252, utf-16"
        ) from None
    return name


def _single(text: str) -> str:
    if len(text) != 1 or text in "\r\n":
        raise ValueError(f"this has to be one character, but it is {text!r}")
    return text


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"a file is named from the data folder on, without `..`, but this is {name!r}")
    return name


FileName = Annotated[str, AfterValidator(_inside)]
ZoneName = Annotated[str, AfterValidator(_zone)]
Format = Annotated[str, AfterValidator(_format)]
TextEncoding = Annotated[str, AfterValidator(_encoding)]
SingleCharacter = Annotated[str, AfterValidator(_single)]
