"""The examples on the real tables, read once; without the tables a failure in CI, a reason elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from example_data import Example, imported


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder that holds `olist/` and `bpic2012/`, named by THROUGHLINE_DATA."""
    named = os.environ.get("THROUGHLINE_DATA")
    if named:
        return Path(named)
    if os.environ.get("CI"):
        pytest.fail("THROUGHLINE_DATA is not set: the example data has to be there in CI")
    pytest.skip("not run: set THROUGHLINE_DATA to the folder with olist/ and bpic2012/")


@pytest.fixture(scope="session")
def olist(data_folder: Path) -> Example:
    return imported("olist", data_folder / "olist")


@pytest.fixture(scope="session")
def loans(data_folder: Path) -> Example:
    return imported("loans", data_folder / "bpic2012")
