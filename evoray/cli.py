"""The command line: parses, draws progress, prints; everything it does is a function of the library."""

from __future__ import annotations

from evoray.commands.bench import bench
from evoray.commands.common import guarded
from evoray.commands.data import data
from evoray.commands.export import export, rebuild
from evoray.commands.run import demo, run
from evoray.commands.show import report, show
from evoray.commands.submit import submit
from evoray.commands.terminal.help import App
from evoray.commands.window import window

app = App(
    help="Fine-tune networks without gradients, by sparse mutations judged on your images, on any Ray cluster.",
    no_args_is_help=True,
)


app.command("demo")(demo)
app.command("run")(run)
app.command("show")(show)
app.command("report")(report)
app.command("export")(export)
app.command("rebuild")(rebuild)
app.command("window")(window)
app.command("submit")(submit)
app.add_typer(data, name="data")
app.add_typer(bench, name="bench")


def main() -> None:
    """Entry point."""
    guarded(app)


if __name__ == "__main__":
    main()
