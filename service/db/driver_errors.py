"""Removes customers' words from a driver's error before anybody sees it, through SQLAlchemy's error hook.

Also drops connections that are of no use any more. Never hides an error.
"""

from sqlalchemy.engine import ExceptionContext

# PostgreSQL says what is wrong in the language of its server, but not these
READ_ONLY = "25006"
NOT_PREPARED, PREPARED_TWICE = "26000", "42P05"  # somebody else uses this session, too
PREPARED_BEFORE = "RevalidateCachedQuery"  # a migration has changed the type of a column since


def leave_out_detail(context: ExceptionContext) -> None:
    """Drop PostgreSQL's DETAIL, which repeats the refused row and with it what a customer wrote."""
    detail = str(getattr(getattr(context.original_exception, "diag", None), "message_detail", None) or "")
    for error in (context.original_exception, context.sqlalchemy_exception) if detail else ():
        if error is not None:
            error.args = tuple(str(each).replace(detail, "left out") for each in error.args)


def give_up_outdated(context: ExceptionContext) -> None:
    """Close a connection that was opened while the database was read-only, or whose prepared statements are of no use.

    It would stay so, and the process would refuse every delivery until it is restarted.
    """
    error = context.original_exception
    code, by = getattr(error, "sqlstate", None), getattr(getattr(error, "diag", None), "source_function", None)
    useless = code in {READ_ONLY, NOT_PREPARED, PREPARED_TWICE} or by == PREPARED_BEFORE
    if useless or "readonly database" in str(error):
        context.is_disconnect = True
