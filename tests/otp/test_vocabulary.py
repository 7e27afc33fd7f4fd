"""The replayer knows every word of the recordings, also those that no scenario uses yet."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.otp.interpreter import Player
from tests.otp.replay import differences, load, run
from tests.otp.test_traces import TRACES

BOOM = {"raised": "RuntimeError", "msg": "boom"}
ARGUMENT = {"raised": "ArgumentError"}
KEPT = {"trap_exit": True}


def scenario(steps: list[Any], order: str = "per_process", **per_process: list[Any]) -> Any:
    return {"id": "own", "steps": steps, "expect": {"order": order, "per_process": per_process}}


AGAIN: dict[str, Any] = {"a#2": [["init"]], "b#2": [["init"]]}

CASES: dict[str, Any] = {
    "a state is put, added to and logged": scenario(
        [
            ["start", "a", {"state": ["s0"]}],
            ["call", "a", {"tag": "m1", "do": [["add", "s1"], ["log_state"], ["put", ["new"]]]}],
            ["call", "a", {"tag": "m2", "do": [["log", "$state"], ["log", ["is", "$state"]]]}],
            ["call", "a", {"tag": "m3", "ret": ["reply", ["state", "$state"]]}],
        ],
        a=[
            *(["init"], ["handle_call", "m1"], ["state", ["s0", "s1"]]),
            *(["handle_call", "m2"], ["log", ["new"]], ["log", ["is", ["new"]]]),
            ["handle_call", "m3"],
        ],
        main=[
            ["start", "a", ["ok", "@a"]],
            *([["call", each, "reply", "ok"] for each in ("m1", "m2")]),
            ["call", "m3", "reply", ["state", ["new"]]],
        ],
    ),
    "somebody says where it is": scenario(
        [["start", "a", {}], ["call", "a", {"tag": "m1", "do": [["log_where", "here"]]}]],
        a=[["init"], ["handle_call", "m1"], ["log", "here", "@a"]],
        main=[["start", "a", ["ok", "@a"]], ["call", "m1", "reply", "ok"]],
    ),
    "a name is taken once": scenario(
        [
            ["start", "a", {}],
            ["call", "a", {"tag": "m1", "do": [["register", "n1"]]}],
            *(["register", "n1"], ["whereis", ["name", "n1"]], ["register", "n2"]),
        ],
        a=[["init"], ["handle_call", "m1"], ["register", "n1", True]],
        main=[
            *(["start", "a", ["ok", "@a"]], ["call", "m1", "reply", "ok"]),
            *(["register", "n1", "raise", ARGUMENT], ["whereis", "n1", "@a"]),
            ["register", "n2", True],
        ],
    ),
    "a withdrawn monitor says whether there was one": scenario(
        [
            *(["start", "a", {}], ["monitor", "a", "r1"], ["monitor", "a", "r2"]),
            *(["demonitor", "r1", ["info"]], ["demonitor", "r1", ["info"]], ["stop", "a"]),
            *(["demonitor", "r2", ["flush", "info"]], ["mailbox"]),
        ],
        a=[["init"], ["terminate", "normal"]],
        main=[
            *(["start", "a", ["ok", "@a"]], ["demonitor", "r1", True]),
            *(["demonitor", "r1", False], ["stop", "a", "normal", "ok"]),
            *(["demonitor", "r2", False], ["mailbox", []]),
        ],
    ),
    "a task is for its owner to wait for": scenario(
        [
            ["tasksup_start", "ts"],
            ["task", "t", ["nolink", "ts"], [["gate", "g"]], 42],
            [
                *("spawn", "c1"),
                [["task_await", "t", 50], ["task_yield", "t", 50], ["task_shutdown", "t", 50]],
            ],
            *(["join", "c1"], ["open", "g"], ["task_await", "t"]),
        ],
        c1=[
            ["task_await", "t", "raise", ARGUMENT],
            ["task_yield", "t", "raise", ARGUMENT],
            ["task_shutdown", "t", "raise", ARGUMENT],
        ],
        main=[["task", "t", "started"], ["task_await", "t", ["ok", 42]]],
    ),
    "a task is ended as a child of its supervisor": scenario(
        [
            *(["trap_exit", True], ["tasksup_start", "ts"]),
            ["task", "t", ["child", "ts"], [["gate", "never"], ["log", "must_not_happen"]], None],
            *(["await_gate", "never"], ["monitor", "t", "r1"], ["task_children", "ts"]),
            *(["task_terminate", "ts", "t"], ["recv", 1500], ["task_terminate", "ts", "t"]),
            *(["task_children", "ts"], ["settle_sup", "ts"]),
        ],
        main=[
            *(["task", "t", "started"], ["task_children", "ts", ["@t"]]),
            *(["task_terminate", "ts", "t", "ok"], ["got", ["DOWN", "#r1", "@t", "shutdown"]]),
            *(["task_terminate", "ts", "t", ["error", "not_found"]], ["task_children", "ts", []]),
        ],
    ),
    "a task that traps exits notes that it is to end": scenario(
        [
            ["tasksup_start", "ts"],
            [
                *("task", "t", ["child", "ts"]),
                [["gate", "g"], ["recv", 3000], ["log", "tidied_up"]],
                *(None, KEPT),
            ],
            *(["await_gate", "g"], ["open", "g"]),
            *(["task_terminate", "ts", "t"], ["task_children", "ts"]),
        ],
        t=[["got", ["EXIT", "@ts", "shutdown"]], ["log", "tidied_up"]],
        main=[
            ["task", "t", "started"],
            *(["task_terminate", "ts", "t", "ok"], ["task_children", "ts", []]),
        ],
    ),
    "reasons are of any kind": scenario(
        [
            *(["trap_exit", True], ["start", "a", {}, {"link": True}]),
            ["cast", "a", {"tag": "m1", "do": [["exit", {"code": 7, "why": ["odd", [1, 2]]}]]}],
            *(["recv", 1500], ["start", "b", {}]),
            ["cast", "b", {"tag": "m2", "do": [["exit", {"msg": ["not", "a", "text"]}]]}],
            ["await_dead", "b"],
        ],
        a=[
            *(["init"], ["handle_cast", "m1"]),
            ["terminate", {"code": 7, "why": ["odd", [1, 2]]}],
        ],
        b=[["init"], ["handle_cast", "m2"], ["terminate", {"msg": ["not", "a", "text"]}]],
        main=[
            *(["start", "a", ["ok", "@a"]], ["cast", "m1", "ok"]),
            ["got", ["EXIT", "@a", {"code": 7, "why": ["odd", [1, 2]]}]],
            *(["start", "b", ["ok", "@b"]], ["cast", "m2", "ok"]),
        ],
    ),
    "what is no plain word is structured": scenario(
        [
            *(["start", "a", {}], ["cast", "a", {"tag": "m1", "ret": ["bad", ["x", 1]]}]),
            ["await_dead", "a"],
        ],
        a=[["init"], ["handle_cast", "m1"], ["terminate", ["bad_return_value", "structured"]]],
        main=[["start", "a", ["ok", "@a"]], ["cast", "m1", "ok"]],
    ),
    "supervisors stand within others": scenario(
        [
            ["trap_exit", True],
            [
                *("sup_start", "o"),
                {
                    "children": [
                        {"id": "k", "script": KEPT},
                        {
                            "id": "i",
                            "restart": "permanent",
                            "supervisor": {
                                "strategy": "one_for_all",
                                "children": [
                                    {"id": "a", "script": KEPT},
                                    {"id": "b", "script": {}},
                                ],
                            },
                        },
                    ]
                },
            ],
            *(["sup_children_set", "o"], ["sup_count", "i"], ["monitor", "i", "r1"]),
            *(["exit_signal", "i", "kill"], ["recv", 1500], ["await_alive", "b#2"]),
            *(["await_alive", "i#2"], ["sup_count", "i"], ["sup_children_set", "i"]),
        ],
        k=[["init"]],
        a=[["init"], ["terminate", "killed"]],
        b=[["init"]],
        **AGAIN,
        main=[
            ["sup_start", "o", ["ok", "@o"]],
            ["sup_children", "o", [["i", "@i", "supervisor"], ["k", "@k", "worker"]]],
            ["sup_count", "i", {"active": 2, "specs": 2, "supervisors": 0, "workers": 2}],
            *(["exit_signal", "i", "kill", True], ["got", ["DOWN", "#r1", "@i", "killed"]]),
            ["sup_count", "i", {"active": 2, "specs": 2, "supervisors": 0, "workers": 2}],
            ["sup_children", "i", [["a", "@a#2", "worker"], ["b", "@b#2", "worker"]]],
        ],
    ),
    "a supervisor within another needs no id, and no label": scenario(
        [
            *(["trap_exit", True], ["sup_start", "o", {"children": [{"supervisor": {}}]}]),
            *(["sup_children", "o"], ["sup_count", "o"], ["stop", "o", "shutdown"]),
        ],
        main=[
            ["sup_start", "o", ["ok", "@o"]],
            ["sup_children", "o", [["Supervisor", "@?", "supervisor"]]],
            ["sup_count", "o", {"active": 1, "specs": 1, "supervisors": 1, "workers": 0}],
            ["stop", "o", "shutdown", "ok"],
        ],
    ),
    "there is no limit where it says infinity": scenario(
        [
            *(["start", "a", {}, {"timeout": "infinity"}], ["call", "a", "m1", "infinity"]),
            *(["tasksup_start", "ts"], ["task", "t", ["nolink", "ts"], [], 1]),
            *(["task_await", "t", "infinity"], ["stop", "a", "normal", "infinity"]),
            ["task_stream", "ts", [["val", 1]], {"timeout": "infinity"}],
        ],
        a=[["init"], ["handle_call", "m1"], ["terminate", "normal"]],
        main=[
            *(["start", "a", ["ok", "@a"]], ["call", "m1", "reply", "ok"]),
            *(["task", "t", "started"], ["task_await", "t", ["ok", 1]]),
            *(["stop", "a", "normal", "ok"], ["task_stream", [["ok", 1]]]),
        ],
    ),
    "a set of messages is what came": scenario(
        [["recv_set", 2, 50], ["start", "a", {}], ["await_queue", "a", 0]],
        a=[["init"]],
        main=[["got_set", []], ["start", "a", ["ok", "@a"]]],
    ),
    "who is deep in a mailbox is waited for": scenario(
        [
            *(
                ["spawn", "c1", [["gate", "g"], ["recv", 1500], ["recv", 1500]]],
                ["await_gate", "g"],
            ),
            *(["send", "c1", "m1"], ["send", "c1", "m2"], ["await_queue", "c1", 2]),
            *(["open", "g"], ["join", "c1"]),
        ],
        c1=[["got", "m1"], ["got", "m2"]],
        main=[["send", "m1", "ok"], ["send", "m2", "ok"]],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_scenario_of_these_words_is_played(name: str) -> None:
    assert differences(CASES[name], run(CASES[name])) is None


@pytest.mark.parametrize("name", CASES)
def test_a_difference_in_it_is_told(name: str) -> None:
    trace = run(CASES[name])
    trace[-1] = [*trace[-1], "one more"]
    assert differences(CASES[name], trace) is not None


def test_every_word_of_the_vocabulary_is_known() -> None:
    words = " ".join(json.loads(TRACES.read_text())["about"]["vocabulary"]["operations"])
    named = {
        word.strip("[],/")
        for word in words.replace("call!", "call_loudly").replace(",", " ").split()
        if word.strip("[],/").replace("_", "").isalpha()
    }
    no_counterpart = {"throw", "throw_ret", "throw_init_ret"}
    arguments = {
        *("target", "ref", "options", "reason", "message", "timer", "ms", "n", "x", "prefix", "v"),
        *("text", "ret", "client", "r", "unique|duplicate", "label", "how", "ops", "value", "g"),
    }
    unknown = {
        word
        for word in named - no_counterpart - arguments
        if not hasattr(Player, f"op_{word}") and word != "trap_exit}"
    }
    assert unknown == set()


def test_the_recorded_scenarios_are_of_the_same_kind() -> None:
    recorded = load(TRACES)
    assert {"steps", "expect"} <= set.intersection(*(set(each) for each in recorded))
