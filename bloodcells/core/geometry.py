"""Points and boxes of an image, in its pixels from the top left."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """A point of an image, in its pixels from the top left, and how strongly it is stained (0 to 255)."""

    x: float
    y: float
    stain: float


@dataclass(frozen=True)
class Box:
    """A rectangle of an image, in its pixels; `right` and `bottom` are outside."""

    left: int
    top: int
    right: int
    bottom: int

    def holds(self, point: Point, margin: float = 0.0) -> bool:
        """Tell whether the point lies in the box, or no farther than `margin` pixels from it to each side."""
        return (
            self.left - margin <= point.x <= self.right + margin
            and self.top - margin <= point.y <= self.bottom + margin
        )
