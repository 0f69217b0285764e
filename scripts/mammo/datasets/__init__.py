"""One module for each delivery format: finds the files, reads the labels, yields records."""
