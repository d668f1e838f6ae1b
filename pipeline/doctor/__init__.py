"""What is wrong with the way of a line on this machine, and the command that mends it.

`make_site` says what is to be looked at, `examine` makes the checks one after the other, and `report` puts what
they find into words. Nothing is changed: a test line is all that is sent.
"""

from pipeline.doctor.examination import Check
from pipeline.doctor.findings import Finding, State
from pipeline.doctor.report import MARKS, describe_check, describe_summary, describe_waiting, make_record
from pipeline.doctor.rounds import examine
from pipeline.doctor.site import make_site

__all__ = [
    "MARKS",
    "Check",
    "Finding",
    "State",
    "describe_check",
    "describe_summary",
    "describe_waiting",
    "examine",
    "make_record",
    "make_site",
]
