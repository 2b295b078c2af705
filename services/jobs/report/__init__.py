"""The report at the end of a job: report.json with the figures, report.html to look at and listen to."""

from services.jobs.report.write import write_report

__all__ = ["write_report"]
