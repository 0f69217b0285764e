"""Fusion: the detections of several snapshots become one set."""
