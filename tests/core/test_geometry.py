from bloodcells.core.geometry import Box, Point


def test_a_margin_widens_a_box_on_each_side() -> None:
    box = Box(10, 20, 30, 40)
    assert box.contains(Point(10, 20, 1))
    assert not box.contains(Point(9, 30, 1))
    assert box.contains(Point(0, 50, 1), margin=10)
    assert not box.contains(Point(20, 50.5, 1), margin=10)
