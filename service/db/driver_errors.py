"""What is done to a driver's error before anybody sees it: in, SQLAlchemy's context; out, no customer's words in it.

And no connection kept that can only read. Never hides an error.
"""

from sqlalchemy.engine import ExceptionContext

READ_ONLY = "25006"  # PostgreSQL says it in the language of its server


def leave_out_detail(context: ExceptionContext) -> None:
    """PostgreSQL's DETAIL repeats the row that was refused, and with it what a customer wrote."""
    detail = str(getattr(getattr(context.original_exception, "diag", None), "message_detail", None) or "")
    for error in (context.original_exception, context.sqlalchemy_exception) if detail else ():
        if error is not None:
            error.args = tuple(str(each).replace(detail, "left out") for each in error.args)


def give_up_read_only(context: ExceptionContext) -> None:
    """Close a connection that was opened while the database was read-only: it stays so for as long as it lives.

    Without this, a process would refuse every delivery until somebody starts it again.
    """
    said = str(context.original_exception)
    if "readonly database" in said or getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True
