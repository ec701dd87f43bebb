"""The whole line in one process: broker, cameras, daemon and a view, to see it inspect."""
