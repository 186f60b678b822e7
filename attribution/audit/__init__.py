"""Audit: what happens to the score of a model when an input, a pathway or a prototype is taken away."""

from .input_audit import ProbeKind, input_audit
from .knock_out import KnockOut, usual_knock_outs
from .result import AuditLine, InputUse
from .scores import AuditScore, audit_score

__all__ = [
    "AuditLine",
    "AuditScore",
    "InputUse",
    "KnockOut",
    "ProbeKind",
    "audit_score",
    "input_audit",
    "usual_knock_outs",
]
