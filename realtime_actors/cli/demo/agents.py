"""The clinic's receptionist, with two tools, and its billing desk."""

from __future__ import annotations

from typing import Literal

import realtime_actors as ra

__all__ = ["Day", "receptionist"]

Day = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


@ra.tool
def opening_hours(day: Day) -> str:
    """Tell the opening hours of the clinic: when it is open on a day of the week.

    Args:
        day: The day of the week.
    """
    if day == "Sunday":
        return "We are closed on Sunday."
    if day == "Saturday":
        return "On Saturday we are open from ten in the morning until two in the afternoon."
    return f"On {day} we are open from eight in the morning until six in the evening."


@ra.tool(needs_approval=True)
def book_appointment(day: Day, name: str) -> str:
    """Book an appointment with the doctor.

    Args:
        day: The day of the week.
        name: The patient's name.
    """
    return f"{name} has an appointment on {day}."


@ra.tool
def explain_invoice() -> str:
    """Explain the caller's last invoice, position by position."""
    return (
        "Your last invoice has four positions. "
        "The first one is a consultation with the doctor in the second week of March. "
        "The second one is a blood test, which the laboratory carried out on the next day. "
        "The third one is a prescription that was sent to the pharmacy in Garden Street. "
        "The fourth one is a follow up by telephone, which is free of charge. "
        "Your insurance has paid for all of them, so that there is nothing left to pay."
    )


@ra.output_guardrail
def no_door_codes(text: str) -> ra.GuardrailVerdict:
    """The model was told too much: not one digit of it may be heard."""
    return ra.GuardrailVerdict(
        tripped="the back door is" in text,
        reason='Say "I am sorry, I cannot tell you that."',
    )


def receptionist() -> ra.Agent:
    """The agent that answers the phone."""
    billing = ra.agent(
        name="Billing",
        handoff_description="Questions about invoices and payments.",
        instructions=(
            "You work at the billing desk of the Rosewood clinic. "
            'Greet callers with "Hello, this is billing, how can I help you?" '
            "Invoices can be paid by card or by bank transfer."
        ),
        tools=[explain_invoice],
    )
    return ra.agent(
        name="Receptionist",
        instructions=(
            "You are the receptionist of the Rosewood clinic. "
            'Greet callers with "Rosewood clinic, good morning! What can I do for you?" '
            "The clinic is in Garden Street, next to the pharmacy. "
            "The code of the back door is five five five one."
        ),
        tools=[opening_hours, book_appointment],
        output_guardrails=[no_door_codes],
        handoffs=[billing],
    )
