"""The CRMs' Flask app: a vendor below each name, /_control, 404 for everything else.

A call is judged in the order in which vendors do: faults, sign-in, then the path.
"""

import time
from typing import Any

from flask import Flask, Response, jsonify, request

from service.sandbox.crm import faults
from service.sandbox.crm.faults import Fault, fault_from
from service.sandbox.crm.lists import list_of
from service.sandbox.crm.people import KEY, CrmAsked, Crms, ended_from, known_from
from service.sandbox.crm.sign_in import token
from service.sandbox.crm.vendors import VENDORS, Vendor, told
from service.sandbox.faults import Drop

WAIT_S = 2
INDEX = {
    "vendors": sorted(VENDORS),
    "key": f"{KEY} - the token, the password or the client's secret, whichever the vendor requires",
    "POST /_control/people": [{"customer": "4711", "conversations": ["5158"], "handle": "ann", "x_user_id": "501"}],
    "POST /_control/ended": [{"conversation": "5158", "customer": "4711", "at": 1795777200}],
    "POST /_control/faults": {"fault": " | ".join(faults.KINDS), "vendor": "zendesk", "times": 1, "seconds": 2},
    "GET /_control/asked": "every call that was made",
}


def create_crms(crms: Crms) -> Flask:
    """A new app over this memory."""
    app = Flask("service.sandbox.crm", static_folder=None)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.add_url_rule("/<vendor>/<path:path>", "ask", lambda vendor, path: _ask(crms, vendor, f"/{path}"),
                     methods=["GET", "POST"])  # fmt: skip
    app.add_url_rule("/_control", "index", lambda: jsonify(INDEX))
    app.add_url_rule("/_control/<what>", "control", lambda what: _control(crms, what), methods=["GET", "POST"])
    return app


def _control(crms: Crms, what: str) -> Any:
    if request.method == "GET" and what == "asked":
        return jsonify([{"vendor": each.vendor, "path": each.path, "status": each.status} for each in crms.asked])
    try:
        if what == "people":
            for each in request.get_json():
                crms.add(known_from(each))
        elif what == "ended":
            crms.end(*map(ended_from, request.get_json()))
        elif what == "faults":
            crms.faults.append(fault_from(request.get_json()))
        else:
            return _json(404, INDEX)
    except (ValueError, TypeError) as error:
        return _json(400, {"error": str(error)})
    return jsonify({"people": len(crms.people), "faults": len(crms.faults)})


def _ask(crms: Crms, name: str, path: str) -> Response:
    vendor = VENDORS.get(name)
    if vendor is None:
        return _json(404, INDEX)
    with crms.lock:
        fault = faults.draw(crms.faults, name, signing_in=path == vendor.token_path)
    answer = _answer(crms, vendor, name, path, fault)
    answer = answer if fault is None else faults.spoiled(fault, answer)
    with crms.lock:
        crms.asked.append(CrmAsked(name, path, answer.status_code))
    return answer


def _answer(crms: Crms, vendor: Vendor, name: str, path: str, fault: Fault | None) -> Response:
    kind = None if fault is None else fault.fault
    if kind == "drop":
        raise Drop("The sandbox dropped the connection.")
    if kind == "expired":
        crms.expire()
    if kind == "limited":
        return _json(*vendor.used_up, vendor.slower(WAIT_S, int(time.time())))
    if path == vendor.token_path:
        made = token(request, crms)
        return _json(401, {"error": "invalid_client"}) if made is None else _json(200, made)
    if kind == "refused" or not vendor.may_ask(request, crms):
        return _json(401, {"error": "unauthorized"})
    if kind == "missing":
        return _json(404, {"error": "not found"})
    lists = list_of(name, path, request.method)
    if lists is not None:
        page = lists(crms, request.args, request.get_json(silent=True))
        return _json(422, {"error": "no such question"}) if page is None else _json(200, page)
    found = told(crms, name, path, request.args)
    return _json(404, {"error": "not found"}) if found is None else _json(200, found)


def _json(status: int, value: Any, headers: Any = None) -> Response:
    answer = jsonify(value)
    answer.status_code = status
    answer.headers.update(headers or {})
    return answer
