"""What eval.py measures, and how it shows it: errors, baseline, tables, pictures, the report page."""
