"""The commands and their options. What they do lives in a module each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from realtime_actors import __version__
from realtime_actors.server.engines import BRAINS, DETECTORS, RECOGNIZERS, VOICES

__all__ = ["app"]

app = typer.Typer(
    name="realtime-actors",
    help="Realtime voice agents, built out of actors.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"realtime-actors {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Realtime voice agents, built out of actors."""


def _names(what: str, engines: Mapping[str, object]) -> str:
    return f"{what}: {', '.join(engines)}."


def _a_number(value: float) -> float:
    if math.isnan(value):  # which is within all bounds
        raise typer.BadParameter("not a number")
    return value


@app.command()
def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where conversation.wav and report.html go.")
    ] = Path("demo-output"),
    wav: Annotated[
        Path | None, typer.Option(help="Your own recording, spoken instead of the script.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            help="A Realtime server to talk to, such as wss://api.openai.com/v1/realtime "
            "(the key comes from OPENAI_API_KEY). Without it, one is started here."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model to ask for, with --url.")] = None,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Show the page in a browser at the end.")
    ] = True,
) -> None:
    """Hold a spoken conversation with a receptionist, and write it down.

    A caller's voice asks for something that needs a tool, is handed over to another
    agent, and talks over a long answer. Fails when any of it did not happen.
    """
    # Imported here, and below: a command needs only its own extras, and --help none.
    from realtime_actors.cli.demo.run import run_demo

    raise typer.Exit(run_demo(output=output, wav=wav, url=url, model=model, open_page=open_page))


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 lets the system choose.")] = 8765,
    beta: Annotated[
        bool, typer.Option("--beta/--no-beta", help="Whether clients may speak the beta dialect.")
    ] = True,
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar="REALTIME_ACTORS_API_KEY",
            help="The key that clients have to show. One is made and printed when --host lets"
            " other machines in and none is given.",
        ),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(help="A site whose pages may connect, such as https://example.com."),
    ] = None,
    detector: Annotated[str, typer.Option(help=_names("Voice detector", DETECTORS))] = "silero",
    recognizer: Annotated[
        str, typer.Option(help=_names("Speech recogniser", RECOGNIZERS))
    ] = "whisper",
    recognizer_model: Annotated[
        Path | None, typer.Option(help="A folder with a model for faster-whisper.")
    ] = None,
    brain: Annotated[str, typer.Option(help=_names("Brain", BRAINS))] = "embedding",
    brain_url: Annotated[
        str | None,
        typer.Option(
            help="An OpenAI-compatible chat endpoint to think with, such as http://127.0.0.1:8080/v1."
        ),
    ] = None,
    brain_model: Annotated[str | None, typer.Option(help="The model to ask it for.")] = None,
    brain_key: Annotated[
        str | None,
        typer.Option(envvar="REALTIME_ACTORS_BRAIN_KEY", help="The key to show it, if any."),
    ] = None,
    voice: Annotated[str, typer.Option(help=_names("Voice", VOICES))] = "hibari",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log connections.")] = False,
) -> None:
    """Run a Realtime server on this machine, with its own ears, brain and voice.

    Any Realtime client can connect to it.
    """
    from realtime_actors.cli.serve import run_server

    run_server(
        host=host,
        port=port,
        beta=beta,
        api_key=api_key,
        origins=tuple(origin or ()),
        detector=detector,
        recognizer=recognizer,
        recognizer_model=recognizer_model,
        brain=brain,
        brain_url=brain_url,
        brain_model=brain_model,
        brain_key=brain_key,
        voice=voice,
        verbose=verbose,
    )


@app.command()
def top(
    window: Annotated[
        Path, typer.Argument(help="Where the program listens: console.listen(PATH).")
    ],
    interval: Annotated[
        float,
        typer.Option(min=0.1, max=86_400, help="Seconds between two looks.", callback=_a_number),
    ] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print one look and leave.")] = False,
) -> None:
    """Watch the processes of a running program: what they do, how much waits for them."""
    from realtime_actors.cli.top import run_top

    run_top(window, interval=interval, once=once)


@app.command()
def replay(
    trace: Annotated[Path, typer.Argument(help="A trace, written by ra.run(trace=PATH).")],
) -> None:
    """Play a conversation again, and print what the core makes of each message."""
    from realtime_actors.cli.replay import run_replay

    run_replay(trace)
