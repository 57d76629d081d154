"""All views about customers on one blueprint under /v1."""

from sqlalchemy.engine import Engine

from service.auth import Guard
from service.clock import Clock
from service.privacy import customer_routes, hand_in_routes
from service.privacy.customer_routes import CustomerRoutes
from service.settings import Settings
from service.web import Blueprint


def blueprint(settings: Settings, engine: Engine, guard: Guard, clock: Clock) -> Blueprint:
    """Return the routes of customers. The key is checked before anything else is looked at."""
    customers = Blueprint(
        "customers",
        __name__,
        url_prefix="/v1",
        description="Opt-outs, access and erasure for customers; their X ids and links to question pages",
    )
    routes = CustomerRoutes(customers, settings, engine, guard, clock)
    customer_routes.add(routes)
    hand_in_routes.add(routes)
    return customers
