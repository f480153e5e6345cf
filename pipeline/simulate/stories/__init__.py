"""What customers live through: each story tells one `Episode` from its start to its end, however far ahead.

`pipeline.simulate.company` holds the limits that the company sets itself; `examples/company/map.yaml` says
the same in the map's words, and a test holds the two against each other.
"""
