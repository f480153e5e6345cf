"""The simulated company: an electronics retailer with home delivery and service, as its stories need it.

The limits are those of `examples/company/map.yaml`.
"""

from __future__ import annotations

from pipeline.core.instants import DAY, MINUTE
from pipeline.simulate.clocks import Learning, Step, Terms
from pipeline.simulate.figures import FigureTerms
from pipeline.simulate.hours import OpeningHours

HOUR = 60 * MINUTE

SOURCES = {
    "marketing": "/campaigns",
    "sales": "/shop",
    "fulfilment": "/warehouse",
    "service": "/help-desk",
    "survey": "/surveys",
    "billing": "/ledger",
    "product": "/devices",
    "partner": "/carrier",
    "social": "/listening",
}
"""The CloudEvents source of each domain's system."""

_WEEKDAY = (("08:00", "12:30"), ("13:00", "18:00"))
HELP_DESK = OpeningHours(
    "Europe/Berlin",
    week=(_WEEKDAY,) * 5 + ((("09:00", "13:00"),), ()),
    dates={"2026-03-11": (("08:00", "12:00"),)},
)

_BERLIN = OpeningHours(
    "Europe/Berlin", week=((("06:00", "14:00"),),) * 5 + ((), ()), dates={"2026-03-06": ()}
)
_LISBON = OpeningHours(
    "Europe/Lisbon",
    week=((), *(((("09:00", "13:00"), ("14:00", "17:00"))),) * 4, (("09:00", "12:00"),), ()),
    dates={},
)
DEPOTS = {"berlin": _BERLIN, "lisbon": _LISBON, "poznan": _BERLIN}
"""Of the last one the map says nothing: Berlin's hours are those of all others."""

# promises that follow from a rule
CONFIRMATION_WITHIN = 1 * HOUR
DISPATCH_WITHIN = 48 * HOUR
INVOICE_WITHIN = 24 * HOUR
FIRST_RESPONSE_WITHIN = 4 * HOUR
URGENT_RESOLUTION_WITHIN = 48 * HOUR
REFUND_WITHIN = 5 * DAY
ACTIVATION_WITHIN = 24 * HOUR
SOCIAL_ANSWER_WITHIN = 6 * HOUR
DETRACTOR_CALL_WITHIN = 48 * HOUR
ALL_PARCELS_WITHIN = 5 * DAY
KIT_DAYS = 2
"""Business days after that on which it was shipped."""

# stages
AWAITING_PAYMENT_LIMIT = 12 * HOUR
PICKING_LIMIT = 36 * HOUR
IN_TRANSIT_LIMIT = 6 * DAY
AT_DEPOT_LIMIT = 2 * DAY
WAITING_FOR_AGENT_LIMIT = 8 * HOUR
INSPECTION_LIMIT = 3 * DAY
AWAITING_INSTALLATION_LIMIT = 10 * DAY
SETUP_LIMIT = 2 * DAY

# what promises and stages have beyond that
FIRST_RESPONSE = Terms(
    HELP_DESK, warn_at=(0.5, 0.75), steps=(Step(HOUR, "service-lead"), Step(8 * HOUR, "head-of-service"))
)
URGENT_RESOLUTION = Terms(warn_at=(0.25, 0.5, 0.75), steps=(Step(DAY, "head-of-service"),))
VOUCHER = Terms(
    warn_at=(0.5,),
    steps=(Step(12 * HOUR, "campaigns"),),
    learning=Learning(least=20, probability=0.5),
)
EXPRESS_DELIVERY = Terms(judged_by="first")
DISPATCH = Terms(learning=Learning(least=20, probability=0.5))
PARCEL_ARRIVAL = Terms(judged_by="best")
ALL_PARCELS = Terms(warn_at=(0.75,))
WAITING_FOR_AGENT = Terms(HELP_DESK, steps=(Step(4 * HOUR, "service-lead"),), given_up=20 * HOUR)
INSPECTION = Terms(steps=(Step(12 * HOUR, "returns-lead"),))
SETUP = Terms(given_up=3 * DAY)
IN_TRANSIT = Terms(learning=Learning(least=20, quantile=0.5, times=3))

# promised figures
ANSWER_WITHIN = 10.0
"""Seconds."""
WASHES_AT = (55.0, 65.0)
"""Degrees Celsius."""
MOST_TRANSFERS = 1
GOOD_SCORE = 7
CONSUMPTION = FigureTerms("at_most", "mean", window=6 * DAY, tolerance=0.05, exceeds_by=0.1)
TEMPERATURE = FigureTerms("range")
FEE = FigureTerms("equals", "highest", window=8 * DAY)
USUAL_CHARGE = FigureTerms("at_most", tolerance=0.2, exceeds_by=0.25, least=2, last=4)
ANSWER = FigureTerms("at_most", "duration")
TRANSFERS = FigureTerms("at_most", "count")
SATISFACTION = FigureTerms("at_least", window=3 * DAY, exceeds_by=0.2)

# identifier kinds
MOST_LINKS = 5
"""So many others a cookie or a device may be linked to before it counts as shared by strangers."""

_UNASSIGNED = ("3023125", "6990009", "4066969", "2214710", "8999998")
"""Blocks that the Bundesnetzagentur keeps for films and books; nobody has such a number."""
_EXTENSIONS = 1_000_000
PHONES = len(_UNASSIGNED) * _EXTENSIONS

ROAD_LIMIT = 4 * DAY
"""By then a parcel is out for delivery, unless it is stuck: well before the limit that the company has declared."""

PRODUCTS = (
    ("washing machine", 549.0),
    ("dishwasher", 479.0),
    ("television", 799.0),
    ("laptop", 1099.0),
    ("headphones", 149.0),
    ("coffee machine", 329.0),
    ("router", 119.0),
    ("camera", 649.0),
)
CITIES = ("Leeds", "Utrecht", "Lyon", "Graz", "Porto", "Turin", "Aarhus", "Brno")
CARRIERS = ("northpost", "swiftline", "parcelo")
CAMPAIGNS = ("spring-upgrade", "weekend-voucher", "new-home", "trade-in")
TOPICS = ("delivery", "invoice", "defect", "setup", "return")

UNMAPPED_TYPES = ("sales.kiosk.touched", "service.robot.greeted", "product.firmware.flashed")
"""Types that neither the map nor the catalogue names."""


def phone_number(index: int) -> str:
    """The phone number of customer `index`, below `PHONES`, as E.164 writes it: like no other's, and nobody's."""
    block, extension = divmod(index, _EXTENSIONS)
    return f"+49{_UNASSIGNED[block]}{extension:06}"
