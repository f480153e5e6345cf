"""The public contracts: what Throughline reads, what it publishes, and the files that a team edits.

Everything here is a pydantic model and the one definition of its contract. JSON Schema and AsyncAPI are
exported from these models (`throughline schemas export`). Nothing here imports `pipeline` or `agents`.
"""
