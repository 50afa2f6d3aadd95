"""The main job shown end to end on a real recording."""
