"""Numbered SQL files, applied in order by `pipeline.warehouse.migrate`; one that was applied never
changes.
"""
