"""One module for each form in which an annotation comes: outline in a paired picture, mask, plist XML."""
