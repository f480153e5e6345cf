"""A small map and a small mapping that use everything there is: a fuzzer gets further with them than with long ones."""

MAP = b"""\
version: 1
name: small
identifiers: &kinds
  customer_id: {kind: personal, strength: 900, case_sensitive: false}
  phone: {kind: personal, strength: 600, normalise: phone, region: DE}
  kiosk: {kind: personal, strength: 100, lives: 1d, most_links: 3}
  order_id: {kind: reference, strength: 500}
touchpoints:
  sales.order.placed: {owner: sales, touch: supporting, title: Order}
  fulfilment.parcel.delivered: &owner {owner: carrier}
  service.ticket.opened: {<<: *owner}
calendars:
  office:
    zone: Europe/Berlin
    hours: {mon-fri: ["09:00-12:30", "13:30-18:00"], sat: ["22:00-24:00"]}
    holidays: {country: DE, subdivision: BY, dates: {2026-12-24: ["09:00-12:00"], 12-31: closed}}
journeys:
  order:
    key: identities.order_id
    end: [fulfilment.parcel.delivered]
    stages:
      on_its_way:
        enter: {type: sales.order.placed, where: {data.kind: [1, true, x]}}
        leave: fulfilment.parcel.delivered
        owner: carrier
        visits: many
        expected: 36h
        learned: {quantile: 0.9, times: 1.5, least: 20, segment: data.kind}
        calendar: office
    promises:
      by_date:
        made_by: sales.order.placed
        due: {field: data.due}
        met_by: fulfilment.parcel.delivered
        cancelled_by: service.ticket.opened
        owed_by: carrier
        at_risk: {probability: 0.5, least: 20, segment: data.kind, otherwise: 60%}
      by_hours:
        made_by: sales.order.placed
        due: {within: 4h, calendar: office}
        met_by: fulfilment.parcel.delivered
        owed_by: carrier
        at_risk: 0.5
      by_days:
        made_by: sales.order.placed
        due: {end_of: 2 business days, calendar: office, at: "17:00"}
        met_by: fulfilment.parcel.delivered
        owed_by: carrier
      by_weight:
        kind: range
        made_by: sales.order.placed
        promised: {from: {field: data.least}, to: 5, unit: kg}
        measure: {field: data.weight, of: fulfilment.parcel.delivered, unit: lb, take: mean}
        window: 30d
        closed_by: service.ticket.opened
        cancelled_by: {type: service.ticket.opened, where: {data.n: 1}}
        tolerance: 5%
        per: data.kind
        attributes: {product: data.product}
        owed_by: carrier
      by_wait:
        kind: at_most
        promised: {value: 10 s}
        measure: {from: sales.order.placed, to: fulfilment.parcel.delivered}
        exceeds_by: 0.2
        owed_by: carrier
      by_habit:
        kind: at_least
        promised: {habit: {last: 5, least: 3}}
        measure: {count: service.ticket.opened}
        owed_by: carrier
"""
MAPPING = b"""\
version: 1
name: small
zone: Europe/Madrid
tables:
  orders:
    file: orders*.csv
    delimiter: ";"
    quote: none
    encoding: latin-1
    header: [id, at, kind]
    decimal: ","
    empty: ["", NULL]
    optional: [kind]
    events:
      placed:
        type: {column: kind, values: {a: sales.order.placed}, otherwise: sales.order.changed}
        id: "{id}:{kind|slug}"
        time: {column: at, type: instant, format: "%d.%m.%Y", end_of_day: true, zone: UTC}
        identities: {order_id: {lookup: {table: orders, key: id, by: id, value: kind, missing: empty}}}
        outcome: {constant: success}
        data: {n: {column: kind, type: int}}
        when: {kind: {not: [b], empty: false}}
"""
