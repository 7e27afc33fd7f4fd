"""Agents and handoffs: options, instructions, what the model is offered, and whom it can call."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_actors.agent import Agent, Handoff, agent, default_model
from realtime_actors.errors import ConfigError, ToolArgumentsError, ToolError
from realtime_actors.guardrails import OutputGuardrail
from realtime_actors.hooks import AgentHooks
from realtime_actors.items import MessageItem, user_message
from realtime_actors.runner import run, runner
from realtime_actors.tools import HostedMcpTool, Tool, tool


@tool
def weather(city: str) -> str:
    """Current weather."""
    return f"sunny in {city}"


def silent(text: str) -> bool:
    return bool(text)


SUPPORT = Agent(name="Support", handoff_description="Knows the manuals.")
FIRST, SECOND = MessageItem(id="u1", role="user"), MessageItem(id="u2", role="user")
NO_PARAMETERS = {"type": "object", "properties": {}, "additionalProperties": False}


class TestOptions:
    def test_an_agent_has_the_defaults_of_the_original(self) -> None:
        made = agent()

        assert made == Agent(
            name="Agent",
            instructions="You are a helpful assistant.",
            model=None,
            tools=(),
            handoffs=(),
            output_guardrails=(),
            hooks=None,
            handoff_description=None,
        )

    def test_lists_become_tuples_and_agents_become_handoffs(self) -> None:
        guardrail = OutputGuardrail(name="silent", check=silent)

        made = agent(tools=[weather], handoffs=[SUPPORT], output_guardrails=[guardrail])

        assert made.tools == (weather,)
        assert made.handoffs == (Handoff(SUPPORT),)
        assert made.output_guardrails == (guardrail,)

    def test_a_clone_differs_only_in_what_is_said(self) -> None:
        made = agent(name="Ann", tools=[weather], handoffs=[SUPPORT])

        changed = made.clone(name="Bob", tools=[])

        assert changed == agent(name="Bob", handoffs=[SUPPORT])
        assert made.clone() == made
        assert hash(made.clone()) == hash(made)

    def test_an_unknown_option_is_refused_with_the_nearest_spelling(self) -> None:
        with pytest.raises(
            ConfigError, match="no option 'instructoins': did you mean 'instructions'"
        ):
            agent(instructoins="Hi")  # type: ignore[call-arg]  # that is the test
        with pytest.raises(ConfigError, match="no option 'tool': did you mean 'tools'"):
            Agent().clone(tool=weather)  # type: ignore[call-arg]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"name": ""}, "name of an agent"),
            ({"name": None}, "name of an agent"),
            ({"instructions": 3}, "instructions of agent 'Agent' must be a function, not 3"),
            ({"instructions": lambda a, b, c: ""}, "takes 3 positional arguments"),
            ({"instructions": lambda *, a: ""}, "keyword-only"),
            ({"instructions": min}, "can't be read, wrap it in a function of yours"),
            ({"model": ""}, "model must be"),
            ({"model": 3}, "model must be"),
            ({"handoff_description": 3}, "handoff_description must be text"),
            ({"tools": weather}, "come in a list"),
            ({"tools": "weather"}, "come in a list"),
            ({"tools": [silent]}, "is no tool: decorate it with @tool"),
            ({"tools": [{"type": "function"}]}, "is no tool"),
            ({"handoffs": ["Support"]}, "'Support' is neither an agent nor a Handoff"),
            ({"output_guardrails": [silent]}, "is no OutputGuardrail"),
            ({"hooks": AgentHooks}, "instance of AgentHooks"),
        ],
    )
    def test_a_wrong_value_is_refused(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            agent(**options)

    def test_two_tools_or_handoffs_of_one_name_are_refused(self) -> None:
        transfer = Tool(name="transfer_to_support", invoke=lambda arguments: "")
        docs = HostedMcpTool(server_label="docs", server_url="https://example.com")

        for options in (
            {"tools": [weather, weather]},
            {"tools": [transfer], "handoffs": [SUPPORT]},
            {"handoffs": [SUPPORT, Agent(name="support")]},
            {"tools": [docs, docs]},
        ):
            with pytest.raises(ConfigError, match="two tools or handoffs called"):
                agent(**options)

    def test_one_name_for_a_server_and_a_function_is_fine(self) -> None:
        server = HostedMcpTool(server_label="weather", server_url="https://example.com")

        assert agent(tools=[weather, server]).get_tools() == (weather, server)

    def test_the_default_model_goes_with_the_dialect(self) -> None:
        assert default_model() == Agent().default_model("ga") == "gpt-realtime-2.1"
        assert Agent().default_model("beta") == "gpt-4o-realtime-preview"
        assert Agent(model="mine").default_model("beta") == "mine"
        with pytest.raises(ConfigError, match="did you mean 'beta'"):
            default_model("betta")

    def test_the_repr_is_short_and_keeps_what_is_confidential(self) -> None:
        made = agent(
            name="Ann",
            instructions="The code is 1234.",
            tools=[weather, HostedMcpTool(server_label="docs", server_url="https://example.com")],
            handoffs=[SUPPORT],
            output_guardrails=[OutputGuardrail(name="silent", check=silent)],
        )

        assert repr(made) == (
            "Agent(name='Ann', model=None, voice=None, tools=[weather, docs], "
            "handoffs=[transfer_to_support], output_guardrails=[silent], input_guardrails=[])"
        )


class TestInstructions:
    @pytest.mark.parametrize(
        ("instructions", "text"),
        [
            ("Be brief.", "Be brief."),
            ("", ""),
            (None, None),
            (lambda: "nothing", "nothing"),
            (lambda context: f"hello {context}", "hello Ann"),
            (lambda context, agent: f"{agent.name} for {context}", "Desk for Ann"),
            (lambda *arguments: str(len(arguments)), "2"),
            (lambda context, mood="calm": f"{mood} {context}", "calm Ann"),
            (lambda context: None, None),
        ],
    )
    def test_instructions_are_text_or_a_function_of_what_it_takes(
        self, instructions: Any, text: str | None
    ) -> None:
        assert Agent(name="Desk", instructions=instructions).resolve_instructions("Ann") == text

    def test_instructions_may_be_a_method_an_object_or_a_coroutine_function(self) -> None:
        class Prompts:
            def greet(self, context: str) -> str:
                return f"greet {context}"

            def __call__(self, context: str) -> str:
                return f"call {context}"

        async def later(context: str) -> str:
            return f"later {context}"

        def resolved(instructions: Any) -> str | None:
            return Agent(instructions=instructions).resolve_instructions("Ann")

        assert resolved(Prompts().greet) == "greet Ann"
        assert resolved(Prompts()) == "call Ann"
        assert resolved(later) == "later Ann"

    def test_instructions_that_are_no_text_are_refused_when_asked_for(self) -> None:
        with pytest.raises(ConfigError, match="instructions of agent 'Agent' must be text, not 3"):
            Agent(instructions=lambda: 3).resolve_instructions(None)


class TestOffering:
    def test_tools_and_handoffs_are_offered_together(self) -> None:
        desk = agent(tools=[weather], handoffs=[SUPPORT])

        assert desk.get_tools() == (weather, Handoff(SUPPORT))
        assert desk.tool_definitions(None) == (
            weather.to_wire(),
            {
                "type": "function",
                "name": "transfer_to_support",
                "description": "Transfer to Support. Knows the manuals.",
                "parameters": NO_PARAMETERS,
            },
        )

    def test_what_is_disabled_is_not_offered_but_can_be_found(self) -> None:
        guests_only = Tool(
            name="minibar",
            invoke=lambda arguments: "",
            is_enabled=lambda context, agent: context == "guest" and agent.name == "Desk",
        )
        desk = agent(
            name="Desk",
            tools=[guests_only, weather],
            handoffs=[Handoff(SUPPORT, is_enabled=lambda context: context == "staff")],
        )

        def offered(context: str) -> list[str]:
            return [each["name"] for each in desk.tool_definitions(context)]

        assert offered("guest") == ["minibar", "weather"]
        assert offered("staff") == ["weather", "transfer_to_support"]
        assert desk.find_tool("minibar") == guests_only

    def test_a_tool_is_found_by_its_name(self) -> None:
        server = HostedMcpTool(server_label="docs", server_url="https://example.com")
        desk = agent(tools=[server, weather], handoffs=[SUPPORT])

        assert desk.find_tool("weather") == weather
        assert desk.find_tool("transfer_to_support") == Handoff(SUPPORT)
        assert desk.find_tool("docs") is None
        assert desk.find_tool("unheard_of") is None

    def test_a_handoff_s_target_is_found_by_the_name_of_its_tool(self) -> None:
        desk = agent(tools=[weather], handoffs=[SUPPORT])

        assert desk.find_handoff_target("transfer_to_support") == SUPPORT
        for name in ("transfer_to_nobody", "support", "handoff_to_support", "weather", ""):
            assert desk.find_handoff_target(name) is None


class TestHandoff:
    @pytest.mark.parametrize(
        ("agent_name", "tool_name"),
        [
            ("Support", "transfer_to_support"),
            ("Billing Support", "transfer_to_billing_support"),
            ("B2B-Sales", "transfer_to_b2b-sales"),
            ("Café & Bar", "transfer_to_caf____bar"),
            ("日本", "transfer_to_65e5_672c"),
            ("中国", "transfer_to_4e2d_56fd"),
            ("東京 Desk", "transfer_to____desk_6771_4eac"),
            ("大阪 Desk", "transfer_to____desk_5927_962a"),
            ("Москва" * 5, "transfer_to_agent_8de231c4"),
        ],
    )
    def test_the_tool_is_named_after_the_agent(self, agent_name: str, tool_name: str) -> None:
        handoff = Handoff(Agent(name=agent_name))

        assert handoff.tool_name == handoff.name == tool_name

    def test_all_that_the_model_is_told_can_be_given(self) -> None:
        schema = {"type": "object", "properties": {"reason": {"type": "string"}}}

        handoff = Handoff(
            SUPPORT, tool_name="help", tool_description="Get help.", input_schema=schema
        )

        assert handoff.to_wire() == {
            "type": "function",
            "name": "help",
            "description": "Get help.",
            "parameters": schema,
        }

    def test_a_handoff_without_a_function_leads_to_its_agent(self) -> None:
        assert Handoff(SUPPORT).invoke("{}", None) is SUPPORT
        assert Handoff(SUPPORT).invoke("", None) is SUPPORT
        assert Handoff(SUPPORT).invoke('{"reason": "any"}', None) is SUPPORT

    def test_a_function_decides_by_context_and_arguments(self) -> None:
        schema = {
            "type": "object",
            "properties": {"who": {"type": "string"}},
            "required": ["who"],
        }
        people = {"ann": Agent(name="Ann"), "bob": Agent(name="Bob")}

        def choose(context: str, arguments: dict[str, str]) -> Agent:
            return people[arguments["who"] or context]

        handoff = Handoff(tool_name="ask", input_schema=schema, on_invoke_handoff=choose)

        assert handoff.invoke('{"who": "bob"}', "ann").name == "Bob"
        assert handoff.invoke('{"who": ""}', "ann").name == "Ann"
        with pytest.raises(ToolArgumentsError, match="who is missing"):
            handoff.invoke("{}", "ann")
        with pytest.raises(ToolArgumentsError, match="Invalid JSON arguments for ask"):
            handoff.invoke("who?", "ann")

    def test_a_function_of_the_context_alone_has_the_last_word(self) -> None:
        handoff = Handoff(SUPPORT, on_invoke_handoff=lambda context: context)

        assert handoff.target() is SUPPORT
        assert handoff.invoke("{}", Agent(name="Ann")).name == "Ann"

    def test_a_handoff_to_nothing_says_so(self) -> None:
        for handoff in (
            Handoff(tool_name="void", on_invoke_handoff=lambda: None),
            Handoff(lambda: None, tool_name="void"),
        ):
            with pytest.raises(ToolError, match="handoff void has no agent to hand over to"):
                handoff.invoke("{}", None)

    def test_what_the_function_raises_comes_through(self) -> None:
        def broken() -> Agent:
            raise LookupError("nobody is in")

        with pytest.raises(LookupError, match="nobody is in"):
            Handoff(tool_name="call", on_invoke_handoff=broken).invoke("{}", None)

    def test_agents_can_hand_over_to_each_other(self) -> None:
        billing = Agent(name="Billing", handoffs=[Handoff(lambda: triage, tool_name="go_back")])
        triage = Agent(name="Triage", handoffs=[billing])

        assert triage.find_handoff_target("transfer_to_billing") is billing
        assert billing.find_handoff_target("go_back") is triage
        assert billing.tool_definitions(None)[0]["description"] == "Transfer to Triage."
        assert repr(triage.handoffs) == "(Handoff(agent=<Agent 'Billing'>, _tool_name=None),)"
        assert len(repr(billing)) < 200

    def test_a_handoff_that_only_its_function_can_resolve_has_no_target_yet(self) -> None:
        handoff = Handoff(tool_name="call", on_invoke_handoff=lambda: SUPPORT)

        assert handoff.target() is None
        assert Agent(handoffs=[handoff]).find_handoff_target("call") is None
        assert handoff.to_wire()["description"] == "Hand the conversation over to another agent."

    def test_a_filter_edits_what_the_new_agent_knows(self) -> None:
        history = (user_message("one"), user_message("two"))

        assert Handoff(SUPPORT).filter_history(history, None) == history
        last = Handoff(SUPPORT, input_filter=lambda items: list(items[-1:]))
        assert last.filter_history(history, None) == history[1:]
        some = Handoff(SUPPORT, input_filter=lambda items, context: items[:context])
        assert some.filter_history(history, 1) == history[:1]
        texts = Handoff(
            SUPPORT, input_filter=lambda items: ["one", {"role": "user", "content": "two"}]
        )
        assert texts.filter_history(history, None) == history

    @pytest.mark.parametrize(
        ("result", "why"),
        [
            (None, "must return items, not None"),
            (5, "must return items, not 5"),
            ("The caller is Ada.", "something else than items: .* not a lone str"),
            ([None], "something else than items: .* not NoneType"),
            ([MessageItem(role="user", content=("text",))], "a member of the wrong type"),  # type: ignore[arg-type]
            ([SECOND, FIRST], "changed the places of items"),
            ([FIRST, FIRST], "or gave one twice"),
        ],
    )
    def test_a_filter_that_gives_something_else_fails(self, result: object, why: str) -> None:
        handoff = Handoff(SUPPORT, input_filter=lambda items: result)

        with pytest.raises(ConfigError, match=f"input_filter of 'transfer_to_support' .*{why}"):
            handoff.filter_history((FIRST, SECOND), None)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({}, "needs a tool_name"),
            ({"agent": lambda: SUPPORT}, "needs a tool_name"),
            ({"tool_name": "a"}, "leads nowhere"),
            ({"agent": SUPPORT, "tool_name": "to support"}, "1 to 64 letters"),
            ({"agent": Agent(name="x" * 60)}, "1 to 64 letters"),
            ({"agent": "Support", "tool_name": "a"}, "the agent of handoff 'a' must be a function"),
            ({"agent": lambda context: SUPPORT, "tool_name": "a"}, "takes 1 positional"),
            ({"agent": SUPPORT, "on_invoke_handoff": 3}, "on_invoke_handoff"),
            (
                {"agent": SUPPORT, "on_invoke_handoff": lambda a, b, c: SUPPORT},
                "takes 3 positional",
            ),
            ({"agent": SUPPORT, "is_enabled": None}, "is_enabled"),
            ({"agent": SUPPORT, "input_filter": lambda: ()}, "takes 0 positional"),
            ({"agent": SUPPORT, "input_schema": {"type": "string"}}, "of type object"),
            ({"agent": SUPPORT, "tool_description": 3}, "tool_description must be text"),
            ({"agent": SUPPORT, "voice": "cedar"}, "voice is 'cedar': allowed: refuse, reconnect"),
        ],
    )
    def test_a_handoff_that_cannot_work_is_refused(
        self, options: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(ConfigError, match=message):
            Handoff(**options)


@pytest.mark.parametrize("agent", ["You are kind.", None, {"name": "Ada"}])
def test_what_is_no_agent_is_refused(agent) -> None:
    for start in (run, runner):
        with pytest.raises(ConfigError, match=r"needs an Agent, .* ra\.agent"):
            start(agent)
