"""The trained network as one file for other programs: MindIR and ONNX."""
