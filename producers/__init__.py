"""Cameras: whatever puts frames on Kafka for the daemon to inspect."""
