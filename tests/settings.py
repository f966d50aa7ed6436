"""The settings of the tests: the portal's own, with nothing from `.env`, from a running portal or from this shell.

Only DATABASE_URL and DATABASE_OWNER_URL are left to say (another server than the embedded one), since they do not change
what the portal does.
"""

import os

from tests.paths import operator_variables

os.environ["PURSER_ENV_FILES"] = "none"
for name in operator_variables() - {"DATABASE_URL", "DATABASE_OWNER_URL"}:
    os.environ.pop(name, None)

from portal.settings import *  # noqa: E402, F403

EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
# The real one is slow on purpose.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Looked up when it is asked for: every client of a test would list all of static/ anew.
WHITENOISE_AUTOREFRESH = True
