"""Pictures: the charts of `dvc plots`, grids of images, heat maps, and the colors of classes."""
