"""For those who start gunicorn themselves: the same settings as `dm-feedback web`, with their reasons, from one place.

DM_FEEDBACK_CONFIG=dm-feedback.toml gunicorn -c deploy/gunicorn.conf.py 'service.serving:from_environment()'
"""

import os
from pathlib import Path

from service.serving import options
from service.settings import X_TOKENS, load
from service.telemetry import logs

_settings = load(Path(os.environ.get("DM_FEEDBACK_CONFIG", "dm-feedback.toml")), withheld=X_TOKENS)
logs.configure(_settings.service.log_format)
globals().update(options(_settings))
