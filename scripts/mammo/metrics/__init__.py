"""Figures from stored detections: pure functions of tables. What each figure means is told in docs/metrics.md."""
