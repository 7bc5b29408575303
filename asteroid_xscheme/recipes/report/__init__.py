"""Write the report of evaluated runs: a page with scores and sounds, and tables of the scores."""

from .records import Record, ReportError, read_record
from .writing import write_report

__all__ = ["Record", "ReportError", "read_record", "write_report"]
