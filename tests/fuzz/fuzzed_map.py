"""The journey map under which records are fuzzed: that of the company which `throughline simulate` plays, with a kind of
identifier of every sort beside its own.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pipeline.core.plan import compile_plan
from pipeline.core.tokens import Tokens
from pipeline.maps import load_map
from schemas.identifiers import IdentifierKind

ROOT = Path(__file__).resolve().parents[2]
_MAP = load_map(ROOT / "examples" / "company" / "map.yaml")
_KINDS = {
    "phone": IdentifierKind(kind="personal", strength=600, normalise="phone", region="AT"),
    "cookie": IdentifierKind(kind="personal", strength=200, lives=timedelta(days=30)),
}
COMPANY = compile_plan(_MAP.model_copy(update={"identifiers": {**_MAP.identifiers, **_KINDS}}))
KEY = "a test's key"
TOKENS = Tokens(KEY, COMPANY.kinds)
