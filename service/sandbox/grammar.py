"""The grammar of /_control: what `GET /_control` answers, so that nobody has to read the code to use it.

Every entry has method, path, what it does, an example body and an example answer. A test calls every example.
"""

from typing import Any

_PROFILE = (
    "user_id (numeric string), screen_name, name, can_dm (true | false | 'missing'), dm_error "
    "('status/code' that every DM and card to the customer gets regardless of can_dm, e.g. '403/150'), "
    "protected, suspended, script (list of actions), script_any_of (list of scripts, one of which is "
    "chosen by seed and user_id)"
)
_ACTION = (
    "after_s (seconds on the sandbox clock after the card arrived) and any of: score (integer or "
    "'random'), text, dismiss (true), dm (text of an inbound DM). Score and text in one action are "
    "submitted together. [] or [{'never': true}]: the customer never responds."
)
_FAULTS = {
    "drop_before": "nothing is stored, and the TCP connection is dropped (how: 'reset' (default) or 'close')",
    "drop_after_commit": "the DM or card IS stored, then the TCP connection is dropped without a response",
    "status": "nothing is stored; responds with status (default 503) and code (default 130), message, retry_after_s",
    "status_after_commit": "the DM or card IS stored; responds with status (default 503) and code (default 130)",
    "429": "nothing is stored; responds with 429, code 88; headers true|false, reset_in_s (sandbox seconds, "
    "default 900), retry_after_s",
    "slow": "responds after `seconds` real seconds; when: 'after' (default) or 'before' the commit",
    "hang": "never responds: the connection is dropped after `seconds` real seconds (default 3600), when the "
    "client disconnects, or on reset; when: 'after' (default) or 'before' the commit",
    "html": "responds with an HTML page, status (default 503); when: 'before' (default) or 'after' the commit",
    "empty": "responds with an empty body, status (default 200); when: 'before' (default) or 'after' the commit",
    "half_json": "responds with the first half of the real response, status (default 200); when: 'after' (default; no "
    "other value makes sense)",
}
_RULE = (
    "fault (required), endpoint (a name from `endpoints`, or '*'), recipient (user id), account (user id), "
    "times (null: always), skip (number of matching calls to let pass first), probability (0..1, seeded), "
    "when, status, code, message, seconds, headers, reset_in_s, retry_after_s, how. The first matching "
    "rule applies. Faults after the commit apply, and count, only for calls that would otherwise have "
    "succeeded."
)

ROUTES: list[dict[str, Any]] = [
    {"method": "GET", "path": "/_control", "does": "this page"},
    {
        "method": "GET",
        "path": "/_control/truth",
        "does": "everything that X stores, and every request. Query: messages=0, cards=0, requests=0, pushes=0 "
        "omit a section; recipient=<user id>; since_ms=<epoch ms>. First runs everything that is due.",
    },
    {"method": "GET", "path": "/_control/clock", "does": "now_ms, speed"},
    {
        "method": "POST",
        "path": "/_control/clock",
        "does": "advance_s moves the clock forward (events that become due happen at their own time); speed "
        "changes its pace, and 0 stops it. OAuth timestamps always use real time.",
        "body": {"advance_s": 86_400, "speed": 1.0},
    },
    {
        "method": "POST",
        "path": "/_control/reset",
        "does": "resets everything except what keep lists: clock, assumptions, customers, faults, webhooks",
        "body": {"keep": ["customers", "assumptions"]},
    },
    {
        "method": "POST",
        "path": "/_control/customers",
        "does": "creates or replaces customers. Give one or more of: customers (list of profiles), range "
        "(first_id, count, profile; {n} in screen_name), default (the base profile of all customers "
        "created later, including auto-created ones)",
        "profile": _PROFILE,
        "action": _ACTION,
        "body": {
            "default": {"can_dm": True},
            "customers": [
                {
                    "user_id": "501",
                    "screen_name": "ada",
                    "can_dm": True,
                    "script": [{"after_s": 1.5, "score": 4}, {"after_s": 3, "text": "Thank you."}],
                },
                {"user_id": "502", "can_dm": False},
                {"user_id": "503", "can_dm": "missing", "script": [{"after_s": 2, "dismiss": True}]},
                {"user_id": "504", "dm_error": "403/150", "script": [{"never": True}]},
            ],
            "range": {
                "first_id": 1_000_000,
                "count": 20_000,
                "profile": {"screen_name": "chaos_{n}", "script": [{"after_s": 60, "score": "random"}]},
            },
        },
    },
    {
        "method": "GET",
        "path": "/_control/customers/501",
        "does": "one customer, with the OAuth token and token_secret that sign their submit and dismiss",
    },
    {
        "method": "POST",
        "path": "/_control/customers/501/answer",
        "does": "answers immediately: score, text or dismiss on the customer's newest card, or on feedback_id. 409 "
        "with X's reason if the card does not accept it; 404 without a card",
        "body": {"score": 5, "text": "Great."},
    },
    {
        "method": "POST",
        "path": "/_control/customers/501/dm",
        "does": "sends an inbound DM to account (default: the first). With tap: taps the quick reply of that "
        "number under the newest prompt. Both allow five free replies",
        "body": {"text": "Hello, I need help."},
    },
    {
        "method": "POST",
        "path": "/_control/faults",
        "does": "adds one rule, or several as {'rules': [...]}, and returns their ids",
        "rule": _RULE,
        "faults": _FAULTS,
        "body": {
            "rules": [
                {
                    "endpoint": "direct_messages/events/new",
                    "fault": "drop_after_commit",
                    "times": 1,
                    "recipient": "501",
                },
                {"endpoint": "feedback/create", "fault": "status_after_commit", "status": 500, "code": 131, "times": 2},
                {"endpoint": "*", "fault": "slow", "seconds": 0.2, "probability": 0.1},
                {"endpoint": "users/show", "fault": "429", "headers": True, "reset_in_s": 30, "times": 1},
            ]
        },
    },
    {"method": "GET", "path": "/_control/faults", "does": "lists the rules, with the number of hits"},
    {"method": "DELETE", "path": "/_control/faults", "does": "removes all rules, or one with ?id="},
    {"method": "GET", "path": "/_control/assumptions", "does": "lists every switch: value, default, meaning, choices"},
    {
        "method": "PUT",
        "path": "/_control/assumptions",
        "does": "changes the named switches only. If one value is invalid, nothing changes",
        "body": {"dates": "collapsed", "list_lag_s": [0, 180], "events_empty_pages": [1, 3], "pair_limit": "403/226"},
    },
    {
        "method": "POST",
        "path": "/_control/credentials",
        "does": "replaces any of the four credentials of an account (its user_id). The old ones are then refused: "
        "code 89 for a token, 32 for a consumer key or a secret. Replaced credentials survive a reset",
        "body": {"account": "1212121212121", "token": "another-token", "token_secret": "another-secret"},
    },
    {
        "method": "POST",
        "path": "/_control/webhooks",
        "does": "mode: the probabilities lose, double, delay, reorder (0..1) and delay_s ([least, most] sandbox "
        "seconds); it replaces the whole mode. url, user, password: where pushes are sent, for account "
        "(default: all)",
        "body": {
            "mode": {"lose": 0.05, "double": 0.1, "delay": 0.1, "delay_s": [1, 60], "reorder": 0.1},
            "url": "http://127.0.0.1:8080/webhooks/x",
            "user": "x",
            "password": "a-long-random-password",
        },
    },
    {"method": "GET", "path": "/_control/webhooks", "does": "shows the mode and where pushes are sent"},
]

INDEX: dict[str, Any] = {
    "about": 'Controls the sandbox. Accepts loopback peers only, without credentials. Errors: 400/404/409 {"code": '
    '"...", "message": "..."}. All times refer to the sandbox clock unless they are called real.',
    "customers_call_x_as": "POST /1.1/feedback/submit/:id.json (form: score, text) and /1.1/feedback/dismiss/:id.json "
    "with the header X-Sandbox-Customer: <user_id> from a loopback peer, or signed with any account's consumer key "
    "and the customer's own token (GET /_control/customers/<id>).",
    "config": {
        "about": "SandboxConfig.from_dict / from_file. Every key is optional. The demo account's secrets are in "
        "config.demo_account(). speed 0: the clock stops until it is advanced. start_at_s null: now.",
        "example": {
            "accounts": [
                {
                    "name": "Sandbox Coffee",
                    "user_id": "1212121212121",
                    "screen_name": "sandboxcoffee",
                    "consumer_key": "ck",
                    "consumer_secret": "cs",
                    "token": "t",
                    "token_secret": "ts",
                    "webhook_url": "http://127.0.0.1:8080/webhooks/x",
                    "webhook_user": "x",
                    "webhook_password": "a-long-random-password",
                }
            ],
            "assumptions": {"list_lag_s": [0, 180], "auto_create_customers": True},
            "speed": 1.0,
            "start_at_s": None,
            "seed": 1,
            "default_profile": {"script": [{"after_s": 5, "score": "random"}]},
            "push_workers": 4,
            "push_timeout_s": 10.0,
        },
    },
    "routes": ROUTES,
}
