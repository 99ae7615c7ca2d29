"""Points and boxes of an image, in pixels from its top left corner."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """A point of an image.

    Attributes:
        x: pixels from the left edge.
        y: pixels from the top edge.
        stain: strength of the stain there (0 to 255).
    """

    x: float
    y: float
    stain: float


@dataclass(frozen=True)
class Box:
    """A rectangle of an image; `right` and `bottom` are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    def contains(self, point: Point, margin: float = 0.0) -> bool:
        """Return whether the point lies in the box, or at most `margin` pixels outside it."""
        return (
            self.left - margin <= point.x <= self.right + margin
            and self.top - margin <= point.y <= self.bottom + margin
        )
