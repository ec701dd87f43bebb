"""Reading labelled frames: Severstal's files, COCO json; checks, statistics, splits and previews."""
