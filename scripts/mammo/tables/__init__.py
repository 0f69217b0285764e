"""The tables that flow between the stages, and boxes as a type.

Boxes: x1, y1, x2, y2, half-open, in pixels of the written image.
"""
