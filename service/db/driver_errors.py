"""Removes customers' words from a driver's error before anybody sees it, through SQLAlchemy's error hook.

Also drops connections that turned out to be read-only. Never hides an error.
"""

from sqlalchemy.engine import ExceptionContext

READ_ONLY = "25006"  # PostgreSQL says it in the language of its server


def leave_out_detail(context: ExceptionContext) -> None:
    """Drop PostgreSQL's DETAIL, which repeats the refused row and with it what a customer wrote."""
    detail = str(getattr(getattr(context.original_exception, "diag", None), "message_detail", None) or "")
    for error in (context.original_exception, context.sqlalchemy_exception) if detail else ():
        if error is not None:
            error.args = tuple(str(each).replace(detail, "left out") for each in error.args)


def give_up_read_only(context: ExceptionContext) -> None:
    """Close a connection that was opened while the database was read-only, because it would stay read-only.

    Otherwise the process would refuse every delivery until it is restarted.
    """
    said = str(context.original_exception)
    if "readonly database" in said or getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True
