"""What an agent can do: functions of yours, described to the model by JSON Schema.

```python
@tool
def weather(city: str, unit: Literal["C", "F"] = "C") -> str:
    \"\"\"Current weather. Args: city: name of the city.\"\"\"
```

A tool is a value. Running one is the session's business, which does it in a task: a
tool may block as long as it likes, and may be a coroutine function.
"""

from __future__ import annotations

from realtime_actors.schema.results import ToolOutput, output_text, tool_output
from realtime_actors.tools.context import ToolContext
from realtime_actors.tools.decorator import tool
from realtime_actors.tools.hosted import HostedMcpTool
from realtime_actors.tools.tool import NeedsApproval, RunIn, Tool

__all__ = [
    "HostedMcpTool",
    "NeedsApproval",
    "RunIn",
    "Tool",
    "ToolContext",
    "ToolOutput",
    "error_text",
    "output_text",
    "tool",
    "tool_output",
]


def error_text(error: BaseException) -> str:
    """What an error says, as a line. The model is told that of a `ToolError`."""
    return f"Error: {str(error) or type(error).__name__}"
