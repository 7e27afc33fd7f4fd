"""Actors that behave as on the BEAM, on pykka's threads.

A `GenServer` handles one message after the other and owns its state; `monitor` and
`link` tell of ends; a `Task` runs foreign code beside it; timers send messages later.
Nothing in here has ever heard of voice.
"""

from __future__ import annotations

from realtime_actors.otp import fork
from realtime_actors.otp.answer import Answer
from realtime_actors.otp.child import (
    ChildCount,
    ChildError,
    ChildInfo,
    ChildSpec,
    DuplicateChildError,
    child_spec,
)
from realtime_actors.otp.dynamic import DynamicSupervisor, DynamicSupervisorRef
from realtime_actors.otp.genserver import GenServer
from realtime_actors.otp.kernel.calls import (
    Name,
    Target,
    call,
    cast,
    reply,
    send,
    send_inline,
    stop,
    whereis,
)
from realtime_actors.otp.kernel.client import Client, ClientRef, messages, receive
from realtime_actors.otp.kernel.exits import (
    KILL,
    KILLED,
    NOPROC,
    NORMAL,
    SHUTDOWN,
    TIMEOUT,
    CallExit,
    CallTimeout,
    Cancelled,
    DeadlockError,
    Exit,
    ForkedError,
    InCall,
    MailboxFullError,
    NoProcessError,
    Reason,
    StartFailed,
    TooManyChildrenError,
    is_orderly,
)
from realtime_actors.otp.kernel.link import ExitMessage, exit_signal, link, trap_exit, unlink
from realtime_actors.otp.kernel.mailbox import Bounded, WhenFull
from realtime_actors.otp.kernel.monitor import Down, MonitorRef, demonitor, monitor
from realtime_actors.otp.kernel.names import register, registered, unregister
from realtime_actors.otp.kernel.process import (
    ProcessRef,
    cancelled,
    check,
    detached_count,
    self_,
    sleep,
)
from realtime_actors.otp.kernel.requests import From
from realtime_actors.otp.kernel.slots import Failed
from realtime_actors.otp.kernel.timer import (
    FakeClock,
    TimerRef,
    cancel_timer,
    current_clock,
    fake_clock,
    read_timer,
    send_after,
    send_interval,
)
from realtime_actors.otp.observe import ProcessInfo, Snapshot, Status, observe
from realtime_actors.otp.pubsub import PubSub
from realtime_actors.otp.ref import ServerRef
from realtime_actors.otp.registry import AlreadyRegisteredError, Registry, Via, via
from realtime_actors.otp.returns import KEEP, NOTHING, Ignore, NoReply, Ok, Reply, Stop
from realtime_actors.otp.starting import start, start_link, start_monitor
from realtime_actors.otp.strategy import AutoShutdown, Restart, Strategy
from realtime_actors.otp.supervisor import Supervisor, SupervisorRef
from realtime_actors.otp.task import Done, Exited, Task, TaskRef, TaskReply
from realtime_actors.otp.task_supervisor import TaskSupervisor, TaskSupervisorRef

__all__ = [
    "KEEP",
    "KILL",
    "KILLED",
    "NOPROC",
    "NORMAL",
    "NOTHING",
    "SHUTDOWN",
    "TIMEOUT",
    "AlreadyRegisteredError",
    "Answer",
    "AutoShutdown",
    "Bounded",
    "CallExit",
    "CallTimeout",
    "Cancelled",
    "ChildCount",
    "ChildError",
    "ChildInfo",
    "ChildSpec",
    "Client",
    "ClientRef",
    "DeadlockError",
    "Done",
    "Down",
    "DuplicateChildError",
    "DynamicSupervisor",
    "DynamicSupervisorRef",
    "Exit",
    "ExitMessage",
    "Exited",
    "Failed",
    "FakeClock",
    "ForkedError",
    "From",
    "GenServer",
    "Ignore",
    "InCall",
    "MailboxFullError",
    "MonitorRef",
    "Name",
    "NoProcessError",
    "NoReply",
    "Ok",
    "ProcessInfo",
    "ProcessRef",
    "PubSub",
    "Reason",
    "Registry",
    "Reply",
    "Restart",
    "ServerRef",
    "Snapshot",
    "StartFailed",
    "Status",
    "Stop",
    "Strategy",
    "Supervisor",
    "SupervisorRef",
    "Target",
    "Task",
    "TaskRef",
    "TaskReply",
    "TaskSupervisor",
    "TaskSupervisorRef",
    "TimerRef",
    "TooManyChildrenError",
    "Via",
    "WhenFull",
    "call",
    "cancel_timer",
    "cancelled",
    "cast",
    "check",
    "child_spec",
    "current_clock",
    "demonitor",
    "detached_count",
    "exit_signal",
    "fake_clock",
    "fork",
    "is_orderly",
    "link",
    "messages",
    "monitor",
    "observe",
    "read_timer",
    "receive",
    "register",
    "registered",
    "reply",
    "self_",
    "send",
    "send_after",
    "send_inline",
    "send_interval",
    "sleep",
    "start",
    "start_link",
    "start_monitor",
    "stop",
    "trap_exit",
    "unlink",
    "unregister",
    "via",
    "whereis",
]
