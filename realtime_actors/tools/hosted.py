"""Tools that the Realtime API calls itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from realtime_actors.config.places import Explained
from realtime_actors.errors import ConfigError
from realtime_actors.schema.calling import IsEnabled, check_is_enabled, is_enabled_for
from realtime_actors.schema.results import as_json

__all__ = ["HostedMcpTool"]


@frozen(kw_only=True)
class HostedMcpTool(Explained):
    """An MCP server whose tools the Realtime API calls itself: we only name it.

    Exactly one of `server_url`, `connector_id` and `tunnel_id` is needed. What has no
    name here goes in `extra`, as on the wire.
    """

    server_label: str = field()
    server_url: str | None = None
    connector_id: str | None = None
    tunnel_id: str | None = None
    authorization: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] | None = field(default=None, repr=False, hash=False)
    server_description: str | None = None
    allowed_tools: Sequence[str] | Mapping[str, object] | None = field(default=None, hash=False)
    require_approval: str | Mapping[str, object] | None = field(default=None, hash=False)
    """ "always" (the server's default), "never", or which tools need it."""
    extra: Mapping[str, object] = field(factory=dict, repr=False, hash=False)
    is_enabled: IsEnabled = field(default=True, repr=False)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.server_label, str) or not self.server_label:
            raise ConfigError(f"an MCP tool needs a server_label, not {self.server_label!r}")
        what = f"MCP tool {self.server_label!r}"
        places = [self.server_url, self.connector_id, self.tunnel_id]
        if sum(each is not None for each in places) != 1:
            raise ConfigError(f"{what} needs one of server_url, connector_id and tunnel_id")
        if isinstance(self.require_approval, str) and self.require_approval not in (
            "always",
            "never",
        ):
            raise ConfigError(
                f"{what}: require_approval is 'always', 'never' or a filter, "
                f"not {self.require_approval!r}"
            )
        check_is_enabled(self.is_enabled, what)

    def enabled_for(self, context: object, agent: object) -> bool:
        """Whether the model is offered this server now."""
        return is_enabled_for(self.is_enabled, context, agent)

    def to_wire(self) -> dict[str, Any]:
        """The tool as the API wants to have it described."""
        members = {
            "server_label": self.server_label,
            "server_url": self.server_url,
            "connector_id": self.connector_id,
            "tunnel_id": self.tunnel_id,
            "authorization": self.authorization,
            "headers": dict(self.headers) if self.headers is not None else None,
            "server_description": self.server_description,
            "allowed_tools": as_json(self.allowed_tools),
            "require_approval": as_json(self.require_approval),
        }
        given = {name: value for name, value in members.items() if value is not None}
        return {"type": "mcp", **given, **self.extra}
