"""From a folder of result files to a report: one HTML file that needs no network, Markdown and CSV beside it.

from nl_tasks.report.build import build_report

build_report("results", "report.html")
"""
