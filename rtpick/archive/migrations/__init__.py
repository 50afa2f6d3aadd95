"""Alembic's scripts: one file a change of the schema, applied whenever a catalogue is opened."""
