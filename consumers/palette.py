"""One colour for each class of defect, the same on pictures and in the terminal."""

Colour = tuple[int, int, int]
"""Red, green, blue; 0 to 255 each."""

# M. Okabe and K. Ito, "Color Universal Design" (2008): distinct under every kind of colour blindness.
# The first four, as many as Severstal's classes, are those that lie farthest apart for every eye and are
# bright on dark steel.
_SKY_BLUE = (86, 180, 233)
_VERMILION = (213, 94, 0)
_YELLOW = (240, 228, 66)
_REDDISH_PURPLE = (204, 121, 167)
_BLUISH_GREEN = (0, 158, 115)
_ORANGE = (230, 159, 0)
_BLUE = (0, 114, 178)

PALETTE = (_SKY_BLUE, _VERMILION, _YELLOW, _REDDISH_PURPLE, _BLUISH_GREEN, _ORANGE, _BLUE)


def colour_of_class(class_id: int) -> Colour:
    """Return the colour of a class; beyond seven classes they repeat, and the label tells them apart."""
    return PALETTE[class_id % len(PALETTE)]


def style_of_class(class_id: int) -> str:
    """Return the colour of a class as a style of rich, for the terminal."""
    red, green, blue = colour_of_class(class_id)
    return f"rgb({red},{green},{blue})"


def luminance(colour: Colour) -> float:
    """Relative brightness from 0 to 1 (the luma weights of ITU-R BT.709, on gamma-coded values)."""
    red, green, blue = colour
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255
