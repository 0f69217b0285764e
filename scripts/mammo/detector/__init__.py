"""The RetinaNet: build, train, resume, detect.

Importing this package imports no TensorFlow; only the modules that need a network do, when they are imported.
"""

import os

# keras-retinanet needs Keras 2 (tf_keras) for `tf.keras`; TensorFlow decides that once, when it is first imported.
os.environ["TF_USE_LEGACY_KERAS"] = "1"
