"""Hostile frames: what a broken camera, cable or person may publish, and what must become of it."""
