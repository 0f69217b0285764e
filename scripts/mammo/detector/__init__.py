"""The RetinaNet: build, train, resume, detect.

Importing this package imports no TensorFlow; only the modules that need a network do, when they are imported.
"""
