"""How results are shown: charts, image grids, heat maps and pages."""
