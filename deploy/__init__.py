"""What stands around the daemon in a mill. Not part of the wheel."""
