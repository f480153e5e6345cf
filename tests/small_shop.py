"""A shop with four orders, on disk as a user has it: a map, a mapping and a table. What became of them is known.

As of its newest event: Anna's first order came in time, Bert's late, Cleo's never, Anna's second may still come.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAP = """\
version: 1
name: small_shop
identifiers:
  customer_id: {kind: personal, strength: 900}
  order_id: {kind: reference, strength: 500}
touchpoints:
  sales.order.placed: {owner: shop}
  fulfilment.order.delivered: {owner: carriers}
journeys:
  order:
    key: identities.order_id
    end: fulfilment.order.delivered
    promises:
      delivery:
        made_by: sales.order.placed
        due: {field: data.promised}
        met_by: fulfilment.order.delivered
        owed_by: carriers
    stages:
      on_its_way:
        enter: sales.order.placed
        leave: fulfilment.order.delivered
        expected: 3d
        owner: carriers
"""
MAPPING = """\
version: 1
name: small_shop
zone: UTC
tables:
  orders:
    file: orders.csv
    events:
      placed:
        type: sales.order.placed
        id: "{order}:placed"
        time: placed
        identities: {order_id: order, customer_id: customer}
        data:
          promised: {column: promised, type: instant}
      delivered:
        type: fulfilment.order.delivered
        id: "{order}:delivered"
        time: delivered
        identities: {order_id: order}
"""
ORDERS = """\
order,customer,placed,promised,delivered
o-1,anna,2018-05-01 10:00:00,2018-05-05 00:00:00,2018-05-03 10:00:00
o-2,bert,2018-05-01 11:00:00,2018-05-05 00:00:00,2018-05-07 11:00:00
o-3,cleo,2018-05-01 12:00:00,2018-05-05 00:00:00,
o-4,anna,2018-05-07 12:00:00,2018-05-20 00:00:00,
"""
FIGURES: dict[str, Any] = {
    "as_of": "2018-05-07T12:00:00Z",
    "touchpoints": 6,
    "persons": 3,
    "unmapped": 0,
    "dead_letters": 0,
    "rejected_rows": 0,
    "after_as_of": 0,
    "duplicates": 0,
    "promises": {
        "delivery": {"kept": 1, "broken_then_met": 1, "broken": 1, "open": 1, "cancelled": 0},
    },
    "value_promises": {},
    "stalls": {"on_its_way": {"opened": 2, "resolved": 1, "open": 1, "declared": 2, "learned": 0}},
}
"""The summary, as JSON."""


@dataclass(frozen=True)
class SmallShop:
    """Its files, and the arguments that name them."""

    folder: Path

    @property
    def map(self) -> Path:
        return self.folder / "map.yaml"

    @property
    def mapping(self) -> Path:
        return self.folder / "mapping.yaml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def arguments(self) -> list[str]:
        return ["--map", str(self.map), "--mapping", str(self.mapping), "--data", str(self.data)]


def small_shop(folder: Path) -> SmallShop:
    """Write the shop's files into a folder of their own."""
    shop = SmallShop(folder)
    shop.data.mkdir(parents=True)
    shop.map.write_text(MAP, "utf-8")
    shop.mapping.write_text(MAPPING, "utf-8")
    (shop.data / "orders.csv").write_text(ORDERS, "utf-8")
    return shop
