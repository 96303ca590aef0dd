"""knowlog: documents and live events go in; answers with checkable citations come out."""

import os

__version__ = "0.1.0"

# Once loaded, onnxruntime would note a lasting id of this machine and report to its makers: nothing here calls home.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
