"""Where the model is, how to get there, and with which key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal
from urllib.parse import parse_qs, urlencode, urlsplit

from attrs import Attribute, field, frozen

from realtime_actors.config.checks import (
    Settings,
    check,
    flag,
    from_mapping,
    instance_of,
    is_text,
    is_whole,
    one_of,
    some_text,
    time_limit,
    time_limit_or_none,
    whole,
    wrong,
)
from realtime_actors.config.hosts import is_this_machine
from realtime_actors.config.places import placed
from realtime_actors.config.secrets import (
    CREDENTIAL_HEADERS,
    Secret,
    SecretHeaders,
    secret_text,
)
from realtime_actors.config.settings import DialectName, SessionModelSettings
from realtime_actors.errors import ConfigError
from realtime_actors.seconds import unlimited

__all__ = ["DEFAULT_URL", "ModelConfig", "without_secrets"]

DEFAULT_URL: Final = "wss://api.openai.com/v1/realtime"

_OPENAI: Final = "openai.com"
"""Its own hosts: api.openai.com and the regional ones."""

_NAMES_A_SESSION: Final = ("model", "deployment", "call_id", "intent")
"""Parameters of a URL that say which model or session it is about: Azure's dated
interface has `deployment`, a transcription has its `intent`."""


def _check_url(config: Any, attribute: Attribute[Any], value: Any) -> None:
    if value is None:
        return
    try:
        url = urlsplit(value)
        good = url.scheme in ("ws", "wss") and bool(url.hostname) and url.port != 0
    except (AttributeError, TypeError, ValueError):  # no text; a bad port or IPv6 address
        good = False
    if not good or not value.isprintable() or " " in value:
        why = "allowed is a URL that begins with ws:// or wss:// and has a host"
        raise wrong(config, attribute, value, why)


def without_secrets(url: object) -> str:
    """Return the repr of a URL as it may be shown: its user or its query may be a key."""
    if not isinstance(url, str):
        return repr(url)
    address, question, _ = url.partition("?")
    scheme, slashes, rest = address.partition("://")
    host = rest.rpartition("@")[2]
    return repr(f"{scheme}{slashes}{host}{'?...' if question else ''}")


def _is_header(name: object, value: object) -> bool:
    both_texts = isinstance(name, str) and isinstance(value, str) and name.isascii()
    # A line break would begin another header.
    return both_texts and is_text(name) and not any(c in f"{name}{value}" for c in "\r\n\0")


def _checked(key: object, source: str) -> str:
    key = key.strip() if isinstance(key, str) else key  # a file ends in a line break
    if not is_text(key) or not (key.isascii() and key.isprintable()):
        raise ConfigError(
            f"the key of {source} is no text that can be sent in a header "
            f"({'it is empty' if key == '' else type(key).__name__})"
        )
    return key


def _key(value: str | Callable[[], str] | None) -> Callable[[], str] | None:
    return secret_text(value)


def _proxy(value: str | Secret | None) -> Secret | None:
    return secret_text(value)


def _headers(value: Mapping[str, str]) -> Mapping[str, str]:
    return SecretHeaders(value) if isinstance(value, Mapping) else value


def _credentials(headers: Mapping[str, str]) -> list[str]:
    """The headers that say who we are."""
    return [name for name in headers if name.lower() in CREDENTIAL_HEADERS]


def _model_settings(
    value: SessionModelSettings | Mapping[str, Any],
) -> SessionModelSettings:
    return from_mapping(SessionModelSettings, value)


@placed("ModelConfig(*=...)")
@frozen(kw_only=True, repr=False)
class ModelConfig(Settings):
    """A connection to a model: address, key, dialect, and how to connect.

    Nothing is looked up before it is needed, so one config may serve many sessions.
    """

    api_key: Callable[[], str] | None = field(
        default=None,
        repr=False,
        converter=_key,
        validator=check(callable, "a text or a function"),
    )
    """A key, or a function that is called for one at each connect: keys that expire.

    None: `OPENAI_API_KEY` of the environment for OpenAI's own hosts, no key for any other. A
    text becomes a function that gives it, so that it is shown nowhere.
    """
    url: str | None = field(default=None, validator=_check_url, repr=without_secrets)
    """None: OpenAI's. Azure's URLs are taken as they are."""
    headers: Mapping[str, str] = field(
        factory=dict,
        repr=False,
        converter=_headers,
        validator=check(
            lambda value: (
                isinstance(value, Mapping) and all(_is_header(*header) for header in value.items())
            ),
            "a mapping of texts without line breaks",
        ),
    )
    """Sent on connecting. They win over ours of the same name; an `Authorization` in place of
    the key. Their values are shown nowhere."""
    insecure_send_key_in_clear_text: bool = field(default=False, validator=flag)
    """Send a key over `ws://` to another machine, where anyone on the way can read it."""
    dialect: DialectName = field(default="ga", validator=one_of("ga", "beta"))
    model: str | None = field(default=None, validator=some_text)
    """None: the agent's or that of the settings, or else the dialect's default."""
    initial_model_settings: SessionModelSettings = field(
        factory=SessionModelSettings,
        converter=_model_settings,
        validator=instance_of(SessionModelSettings, "SessionModelSettings, or a dict"),
    )
    """What is set for every session over this connection. It wins over what the agent has;
    `RunConfig.model_settings` wins over it."""
    playback_tracker: Callable[[], Any] | None = field(
        default=None, validator=check(callable, "a function that makes a PlaybackTracker")
    )
    """Makes the tracker of a session: each has its own."""
    call_id: str | None = field(default=None, validator=some_text)
    """Join a WebRTC or SIP call. The model is the call's then, and so is every setting that
    nobody wrote: no defaults of ours are sent."""
    transport: Literal["fast", "plain"] = field(default="fast", validator=one_of("fast", "plain"))
    connect_timeout: float = field(
        default=10.0,
        validator=[time_limit, check(lambda value: value <= 3600, "at most 3600 seconds")],
    )
    ping_interval: float | None = field(
        default=20.0, converter=unlimited, validator=time_limit_or_none
    )
    """Seconds of silence after which the server is asked for a sign of life (a WebSocket ping).
    Anything that it says is one. None: it is never asked."""
    ping_timeout: float | None = field(
        default=20.0, converter=unlimited, validator=time_limit_or_none
    )
    """Seconds that the server has to answer a ping, and to take the next bytes of what waits for
    it. After them the connection counts as lost, with code 1006. None: for ever."""
    max_message_size: int = field(default=16 * 2**20, validator=whole(1))
    """Bytes. A longer message from the server fails the connection; what would be longer is not
    sent, since servers send items back: verbs raise `LocalProtocolError`."""
    max_outbound_audio_ms: int | None = field(
        default=2000,
        validator=check(
            lambda value: value is None or is_whole(value, 20, 600_000),
            "a whole number from 20 to 600000, or None",
        ),
    )
    """Milliseconds of the user's audio that may wait for a network that is slower than speech:
    so late is what the server hears at most. Then the oldest is dropped for what is new, which an
    `InputAudioDroppedEvent` tells. None drops nothing: for recordings that are sent faster than
    they last. Then `send_audio` raises `OutboundFullError` when 32 MiB wait."""
    ca_bundle: str | None = field(default=None, validator=some_text)
    """A file or a directory of CA certificates. None: the system's."""
    proxy: Secret | None = field(
        default=None, repr=False, converter=_proxy, validator=instance_of(Secret, "a URL")
    )
    """`http://user:password@host:port`. None: what the environment says."""
    azure: bool | None = field(default=None, validator=flag)
    """Whether the key goes into Azure's `api-key` header. None: the host decides."""

    def build_url(self, model: str | None = None, *, intent: str | None = None) -> str:
        """Make the URL to connect to, for `model` or else the config's own.

        With a `call_id` it names the call and no model; with an `intent` (transcription)
        that alone. A URL that names a model,
        a deployment, a call or an intent already stays as it is.
        """
        url = self.url or DEFAULT_URL
        parts, named = urlsplit(url), self._parameters
        if any(name in named for name in _NAMES_A_SESSION):
            return url
        model = model or self.model
        if self.call_id is not None:
            added = {"call_id": self.call_id}
        elif intent is not None:
            added = {"intent": intent}
        elif model is not None:
            added = {"model": model}
        else:
            return url
        query = "&".join(part for part in (parts.query, urlencode(added, errors="replace")) if part)
        return parts._replace(query=query).geturl()

    def resolve_api_key(self, environ: Mapping[str, str]) -> str | None:
        """Find the key for this server (pass `os.environ`).

        Ours, if there is one. The environment's `OPENAI_API_KEY` goes to OpenAI's own hosts and
        nowhere else: any other server gets the key that was given for it, or none. Raises
        `ConfigError` when OpenAI's own would get none, and when the function for the key gives
        no text.
        """
        if self.api_key is not None:
            return _checked(self.api_key(), "api_key")
        if not self.is_openai or self._replaces_key:
            return None
        if environ.get("OPENAI_API_KEY", "").strip():
            return _checked(environ["OPENAI_API_KEY"], "OPENAI_API_KEY")
        raise ConfigError(
            f"no API key for {self._host}: set the environment variable OPENAI_API_KEY, or"
            " ModelConfig(api_key=...)"
        )

    def connect_headers(self, api_key: str | None) -> dict[str, str]:
        """Make the headers to connect with: the key, and ours. The dialect adds its own.

        Raises `ConfigError` when a key would go to another machine in clear text.
        """
        headers = {}
        if api_key is not None and not self._replaces_key:
            if self.is_azure:
                headers["api-key"] = api_key
            else:
                headers["Authorization"] = f"Bearer {api_key}"
        headers |= self.headers
        readable = self.is_clear_text and not self.insecure_send_key_in_clear_text
        if readable and _credentials(headers):
            raise ConfigError(
                f"the key would go to {self._host} over ws://, where anyone on the way can read it:"
                " use wss://, or say ModelConfig(insecure_send_key_in_clear_text=True)"
            )
        return headers

    @property
    def is_openai(self) -> bool:
        """Whether the server is OpenAI's own, over TLS: the environment's key is for it."""
        ours = self._host == _OPENAI or self._host.endswith(f".{_OPENAI}")
        return ours and not self.is_clear_text

    @property
    def is_clear_text(self) -> bool:
        """Whether what is sent can be read on its way to another machine."""
        return urlsplit(self.url or DEFAULT_URL).scheme == "ws" and not self.is_loopback

    @property
    def joins_a_call(self) -> bool:
        """Whether the session is that of a call: by `call_id`, or by the URL."""
        return self.call_id is not None or "call_id" in self._parameters

    @property
    def url_model(self) -> str | None:
        """The model that the URL names."""
        return next(iter(self._parameters.get("model", [])), None) or None

    @property
    def _parameters(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.url or DEFAULT_URL).query, keep_blank_values=True)

    @property
    def _host(self) -> str:
        return urlsplit(self.url or DEFAULT_URL).hostname or ""

    @property
    def _replaces_key(self) -> bool:
        """Whether the headers have what the key would go into."""
        return any(name.lower() in ("authorization", "api-key") for name in self.headers)

    @property
    def is_azure(self) -> bool:
        """Whether the server is one of Azure's: by the setting, or else by its host."""
        if self.azure is not None:
            return self.azure
        return self._host.endswith(".azure.com")

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine."""
        return is_this_machine(self._host)
