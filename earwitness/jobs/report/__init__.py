"""The report at the end of a job: report.json with the figures, report.html to look at and listen to."""

from earwitness.jobs.report.write import report_metrics, write_report

__all__ = ["report_metrics", "write_report"]
