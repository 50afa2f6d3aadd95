"""Picks to events; `locate_origin` locates the picks of one event."""

from rtpick.association.location import locate_origin

__all__ = ["locate_origin"]
