"""Training of the cheap first look, and its calibration to a miss rate."""
