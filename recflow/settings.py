"""Django's settings, made of the configuration; nothing else reads file or environment.

Everything here is safe to put on a network as it stands: hosts are listed, the dashboard asks for a login,
and what a page may load is limited by a policy (dashboard/middleware.py).
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from recflow.addresses import postgresql_settings
from recflow.configuration import (
    PROJECT_FOLDER,
    ConfigurationError,
    prepare_data_dir,
    read_configuration,
    secret_key,
)


def _static_version(folder: Path) -> str:
    """Changes whenever a file under static/ does, so that browsers may keep them for ever."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _postgresql(url: str) -> dict[str, Any]:
    given = postgresql_settings(url)
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    return {
        "ENGINE": "django.db.backends.postgresql",
        **{setting: str(given.pop(name, "")) for name, setting in names.items()},
        "OPTIONS": given,  # such as sslmode
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


def _sqlite(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "timeout": 20,
            # A transaction that reads first and writes later would fail with "database is locked" at once,
            # whatever the timeout; taking the write lock at its beginning waits instead.
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
        # A real file in tests too: threads and a second connection behave as in production.
        "TEST": {"NAME": path.with_name(f"test-{path.name}")},
    }


try:
    CONFIGURATION = read_configuration()
    DATA_DIR = prepare_data_dir(CONFIGURATION)
    SECRET_KEY = secret_key(CONFIGURATION)
    DATABASE_URL = CONFIGURATION.recflow.database_url.get_secret_value()
    DATABASES = (
        {"default": _postgresql(DATABASE_URL)}
        if DATABASE_URL
        else {
            "default": _sqlite(DATA_DIR / "recflow.sqlite3"),
            "catalogue": _sqlite(DATA_DIR / "catalogue.sqlite3"),
        }
    )
except ConfigurationError as error:
    raise SystemExit(str(error)) from None

BASE_DIR = PROJECT_FOLDER
REDIS_URL = CONFIGURATION.recflow.redis_url.get_secret_value()

#: Where users, items and feedback are: a file of their own, so that an import never makes a save wait.
CATALOGUE_DATABASE = "default" if DATABASE_URL else "catalogue"
DATABASE_ROUTERS = ["dashboard.routers.CatalogueRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", *CONFIGURATION.recflow.allowed_hosts]
CSRF_TRUSTED_ORIGINS = list(CONFIGURATION.recflow.trusted_origins)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = CONFIGURATION.recflow.https
if CONFIGURATION.recflow.https:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Cookies know no ports: another Django on localhost must not log our users out.
SESSION_COOKIE_NAME = "recflow_session"
CSRF_COOKIE_NAME = "recflow_csrf"
CSRF_FAILURE_VIEW = "dashboard.views.pages.forged"
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
#: On the disk where imports read them, and where what a killed server left is swept away.
FILE_UPLOAD_TEMP_DIR = DATA_DIR / "uploads"
FILE_UPLOAD_TEMP_DIR.mkdir(exist_ok=True)

#: Set by the playground command only: people on this machine need no login (dashboard/access.py).
OPEN_ON_LOOPBACK = False
#: Set by the playground command only, for itself and its jobs: where its stand-in for a model answers.
STAND_IN_URL = os.environ.get("RECFLOW_STAND_IN_URL", "")
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "flows"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "channels",
    "dashboard",
]
MIDDLEWARE = [
    "dashboard.middleware.any_trailing_slash",
    "dashboard.middleware.request_id",
    "dashboard.middleware.no_null_characters",
    "dashboard.middleware.known_host",
    "dashboard.middleware.cross_origin",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "dashboard.middleware.content_security_policy",
]
APPEND_SLASH = False
ROOT_URLCONF = "recflow.urls"
ASGI_APPLICATION = "recflow.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "dashboard.views.context.page",
            ]
        },
    }
]

STATIC_DIR = BASE_DIR / "static"
STATIC_VERSION = _static_version(STATIC_DIR)
STATIC_URL = f"/static/{STATIC_VERSION}/"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL]},
        }
    }
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request": {"()": "dashboard.request_log.WithRequestId"}},
    "formatters": {
        "text": {"format": "{asctime} {levelname} {name} {request_id}: {message}", "style": "{"},
        "json": {"()": "dashboard.request_log.JsonLines"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": CONFIGURATION.recflow.log_format,
            "filters": ["request"],
        }
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "django": {"handlers": ["console"], "level": "ERROR", "propagate": False},
        **{
            name: {"handlers": ["console"], "level": "INFO", "propagate": False}
            for name in ("recflow", "dashboard")
        },
        "dashboard.requests": {"level": "INFO" if CONFIGURATION.recflow.log_requests else "WARNING"},
    },
}
