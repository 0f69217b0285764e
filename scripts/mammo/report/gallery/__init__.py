"""results/gallery: what an ensemble got wrong on a test set, worst first, for whoever reads films."""
