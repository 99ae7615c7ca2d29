import time

from bloodcells.splits.groups import combined_groups

IMAGES = ["3.jpg", "1.jpg", "2.jpg", "4.jpg", "5.jpg"]
APART = {image: number for number, image in enumerate(IMAGES)}


def test_cells_without_anything_in_common_are_groups_of_their_own() -> None:
    assert combined_groups(IMAGES, [""] * 5, APART) == [f"image {image}" for image in IMAGES]


def test_cells_of_one_patient_are_one_group() -> None:
    groups = combined_groups(IMAGES, ["Smith", "", "Jones", "Smith", ""], APART)
    assert groups == ["group Smith", "image 1.jpg", "group Jones", "group Smith", "image 5.jpg"]


def test_near_duplicates_are_one_group_with_the_first_name() -> None:
    assert combined_groups(IMAGES, [""] * 5, APART | {"1.jpg": 0}) == [
        "image 1.jpg",
        "image 1.jpg",
        "image 2.jpg",
        "image 4.jpg",
        "image 5.jpg",
    ]


def test_cells_of_one_image_are_one_group_although_the_table_names_two_patients() -> None:
    assert combined_groups(["1.jpg", "1.jpg"], ["Smith", "Jones"], {"1.jpg": 0}) == ["group Jones"] * 2
    assert combined_groups(["1.jpg", "1.jpg"], ["Smith", ""], {"1.jpg": 0}) == ["group Smith"] * 2


def test_a_chain_of_near_duplicates_and_patients_is_one_group() -> None:
    """1.jpg is a near-duplicate of 2.jpg, whose patient is on 4.jpg as well."""
    near = APART | {"1.jpg": APART["2.jpg"]}
    groups = combined_groups(IMAGES, ["", "", "Smith", "Smith", ""], near)
    assert groups == ["image 3.jpg", "group Smith", "group Smith", "group Smith", "image 5.jpg"]


def test_a_patient_may_be_named_like_an_image() -> None:
    groups = combined_groups(["1.jpg", "2.jpg"], ["2.jpg", ""], {"1.jpg": 0, "2.jpg": 1})
    assert groups == ["group 2.jpg", "image 2.jpg"]


def test_the_name_does_not_depend_on_the_order_of_the_cells() -> None:
    patients = ["Smith", "", "Jones", "Smith", ""]
    near = APART | {"5.jpg": 0}
    assert combined_groups(IMAGES[::-1], patients[::-1], near) == combined_groups(IMAGES, patients, near)[::-1]


def test_a_hundred_thousand_cells_take_seconds() -> None:
    images = [f"{i // 4}.jpg" for i in range(100_000)]
    start = time.perf_counter()
    groups = combined_groups(images, [str(i // 1000) for i in range(100_000)], {f"{i}.jpg": i for i in range(25_000)})
    assert time.perf_counter() - start < 30
    assert len(set(groups)) == 100
