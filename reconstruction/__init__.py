"""From photographs to meshes: what demo.py reads, draws and writes."""
