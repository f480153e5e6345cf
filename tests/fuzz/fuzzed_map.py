"""The journey map under which records are fuzzed: that of the company which `throughline simulate` plays."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.plan import compile_plan
from pipeline.core.tokens import Tokens
from pipeline.maps import load_map

ROOT = Path(__file__).resolve().parents[2]
COMPANY = compile_plan(load_map(ROOT / "examples" / "company" / "map.yaml"))
KEY = "a test's key"
TOKENS = Tokens(KEY, COMPANY.kinds)
