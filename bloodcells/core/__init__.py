"""What every stage needs: errors, atomic files, parameters, paths, classes, and the array of prepared cells."""
