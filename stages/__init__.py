"""One module per stage of dvc.yaml, named like it: parameters in, files out."""
