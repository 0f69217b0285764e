"""A DICOM file → an 8-bit display image, and the facts about it."""
