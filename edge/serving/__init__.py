"""Frames that come otherwise than from Kafka: over our own HTTP, and through TorchServe.

They go through the daemon's own stages, and what is answered are the daemon's own records.
"""
