"""Tables become touchpoints: a mapping says how, every row is accounted for, and order is that of time."""
