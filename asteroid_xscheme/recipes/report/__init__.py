"""Evaluated runs -> a page to look at and listen to, and its table as Markdown and CSV."""

from .records import Record, ReportError, read_record
from .writing import write_report

__all__ = ["Record", "ReportError", "read_record", "write_report"]
