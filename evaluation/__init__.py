"""What eval.py measures and writes: errors, baseline, tables, pictures, the report page."""
