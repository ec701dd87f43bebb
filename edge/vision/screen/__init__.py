"""A cheap first look at every frame: only suspicious ones go on to the model."""
